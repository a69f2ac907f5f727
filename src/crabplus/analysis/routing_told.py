"""What was found of the routers of an adapter, in numbers that are ready for JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crabplus.analysis.asking import Variant
from crabplus.analysis.profiles import DEAD, clustered, dead_heads, divergence, entropies, means, pooled, reactions
from crabplus.analysis.tally import KINDS, Place, Sums
from crabplus.evaluate import compare, evaluate
from crabplus.metrics.bootstrap import FEW, is_clear
from crabplus.schema import Prediction, Sample
from crabplus.tasks import get_task

__all__ = ["Key", "reads_prompt", "told"]

_DIGITS = 5


@dataclass
class Key:
    """What is known of one key: sums of each half of its samples, predictions of all, and those of each variant."""

    samples: list[Sample]
    halves: list[Sums] = field(default_factory=list)
    said: list[Prediction] = field(default_factory=list)
    changed: dict[Variant, list[Prediction]] = field(default_factory=dict)
    strips: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sums(self) -> Sums:
        first, second = self.halves
        return first + second


def reads_prompt(place: Place) -> bool:
    """Whether a layer reads the tokens of the prompt, as those of the towers do not."""
    return not place.part.startswith(("vision", "audio"))


def told(
    places: Sequence[Place], heads: int, keys: Mapping[str, Key], variants: Sequence[Variant], rounds: int, seed: int
) -> dict[str, Any]:
    """The numbers of all keys; ``docs/routing.md`` says what they mean.

    Args:
        places: the adapted layers; heads: of the adapter; variants: what was switched off; rounds, seed: of the
            bootstrap behind the intervals.
    """
    of_keys = {key: of.sums for key, of in keys.items()}
    every = pooled(of_keys)
    reading = [n for n, place in enumerate(places) if reads_prompt(place)]
    return {
        "heads": heads,
        "kinds": list(KINDS),
        "places": [place._asdict() for place in places],
        "keys": {key: _key(key, of, reading) for key, of in keys.items()},
        "use": {
            "tokens": every.tokens.sum(1).astype(int).tolist(),
            "weights": _plain(_whole(every, every.weights)),
            "largest": _plain(_whole(every, every.largest)),
            "entropy": _plain(np.nan_to_num(every.entropy.sum(1) / np.maximum(every.tokens.sum(1), 1)) / np.log(heads)),
            "bits": {name: _plain(bits) for name, bits in reactions(of_keys).items()},
            "dead": [{**places[place]._asdict(), "head": head + 1} for place, head in dead_heads(every)],
            "dead_rule": f"mean weight below {DEAD:g} / {heads}, and never the largest",
        },
        "similarity": _similarity(keys),
        "ablation": _ablation(keys, variants, rounds, seed),
        "strips": [strip for of in keys.values() for strip in of.strips],
        "failures": [
            {"key": key, "id": said.id, "error": said.error or f"no answer: {said.reason}"}
            for key, of in keys.items() for said in of.said if said.error or said.answer is None
        ],
    }  # fmt: skip


def _whole(sums: Sums, part: Any) -> Any:
    """The mean (P, H) over the tokens of all kinds."""
    return part.sum(1) / np.where(sums.tokens.sum(1) > 0, sums.tokens.sum(1), np.nan)[:, None]


def _key(key: str, of: Key, reading: list[int]) -> dict[str, Any]:
    sums = of.sums
    return {
        "family": get_task(key).family,
        "samples": len(of.samples),
        "answered": sum(said.error is None for said in of.said),
        "tokens": [int(count) for count in sums.tokens[reading or slice(None)].max(0)],
        "weights": _plain(means(sums)),
        "entropy": _plain(entropies(sums)),
    }


def _similarity(keys: Mapping[str, Key]) -> dict[str, Any]:
    """How far apart the routing of keys is, and, on the diagonal, that of the two halves of one key's samples.

    Halves are held against halves off the diagonal too: the fewer the samples, the farther apart chance puts them.
    """
    names, n = list(keys), len(keys)
    halves = [of.halves for of in keys.values()]
    apart = np.full((n, n), np.nan)
    for a in range(n):
        apart[a, a] = divergence(*halves[a])
        for b in range(a):
            found = [divergence(one, other) for one in halves[a] for other in halves[b]]
            known = [value for value in found if not np.isnan(value)]
            apart[a, b] = apart[b, a] = sum(known) / len(known) if known else np.nan
    order = clustered(np.nan_to_num(apart, nan=1.0))
    return {
        "measure": "Jensen-Shannon divergence in bits of the mean router weights over half of the samples of one key "
        "and half of those of another; mean over layers, kinds of token and halves; on the diagonal the two halves of "
        "one key",
        "keys": names, "divergence": _plain(apart), "order": [names[number] for number in order],
    }  # fmt: skip


def _ablation(keys: Mapping[str, Key], variants: Sequence[Variant], rounds: int, seed: int) -> dict[str, Any]:
    """The change of each key's score by each variant, over the same samples."""
    rows = {}
    for key, of in keys.items() if variants else ():
        score = evaluate(of.samples, of.said, rounds=rounds, seed=seed)[key]
        rows[key] = {
            "metric": score.metric, "score": score.score, "constant": score.constant, "ci95": list(score.ci95),
            "n": score.n, "changes": [_change(key, of, variant, rounds, seed) for variant in variants],
        }  # fmt: skip
    listed = [{"head": variant.head + 1, "band": variant.band, "layers": len(variant.layers)} for variant in variants]
    return {"variants": listed, "keys": rows, "clear_from": FEW}


def _change(key: str, of: Key, variant: Variant, rounds: int, seed: int) -> dict[str, Any]:
    after = of.changed[variant]
    found = compare(of.samples, of.said, after, rounds=rounds, seed=seed)[key]
    return {
        "head": variant.head + 1, "band": variant.band, "score": found.after, "change": found.change,
        "ci95": list(found.ci95), "clear": is_clear(found.ci95, len(of.samples)),
        "other_text": _share(a.text != b.text for a, b in zip(of.said, after, strict=True)),
        "unparsable": sum(one.answer is None for one in after),
    }  # fmt: skip


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values)


def _plain(values: Any) -> Any:
    """Nested lists of rounded numbers, None where there is none."""
    array = np.asarray(values, dtype=float)
    if array.ndim:
        return [_plain(part) for part in array]
    return None if np.isnan(array) else round(float(array), _DIGITS)
