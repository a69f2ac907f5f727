"""Which heads the routers of an I-LoRA adapter choose, for which tokens of which keys, and what each head does."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from crabplus.analysis.asking import Asker, Kept, Variant, variants_of
from crabplus.analysis.profiles import (
    DEAD,
    clustered,
    dead_heads,
    divergence,
    entropies,
    means,
    pooled,
    reactions,
)
from crabplus.analysis.strips import TokenWeights, View, pieces
from crabplus.analysis.tally import KINDS, Place, Sums, places_of
from crabplus.data.scan import Track, untracked
from crabplus.evaluate import compare, credit, evaluate
from crabplus.ilora import ILoraLayer, watch_routing
from crabplus.metrics.bootstrap import FEW, is_clear
from crabplus.models.source import MediaSource
from crabplus.schema import Prediction, Sample, to_json
from crabplus.tasks import Pack, get_task

__all__ = ["ABLATE", "RoutingError", "Settings", "adapter_of", "study"]

ABLATE = ("none", "heads", "layers")
_DIGITS = 5


class RoutingError(ValueError):
    """What cannot be looked at; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What is done.

    Attributes:
        batch_size: samples at a time; reasoning: whether it is asked for.
        show: so many samples of each key are shown token by token.
        ablate: ``none``, ``heads``: each head off in all layers at once, or ``layers``: also in bands of layers.
        renormalise: whether the other heads share the weight of one that is off.
        rounds: of the bootstrap behind the intervals; seed: of its draws.
    """

    batch_size: int = 8
    reasoning: bool = True
    show: int = 2
    ablate: str = "heads"
    renormalise: bool = False
    rounds: int = 1000
    seed: int = 0


def adapter_of(model: Any) -> tuple[list[Place], int]:
    """The adapted layers of a loaded model, and the heads of its adapter.

    Raises:
        RoutingError: it has no router, or one with nothing to choose from.
    """
    root = model.base
    layers = {name: module for name, module in root.named_modules() if isinstance(module, ILoraLayer)}
    if not layers:
        kinds = [str(getattr(found.peft_type, "value", found.peft_type))
                 for found in getattr(model.thinker, "peft_config", {}).values()]  # fmt: skip
        what = f"the adapter is of kind {', '.join(kinds)}" if kinds else "the model has no adapter"
        raise RoutingError(f"{what}: there is no router to look at; name an I-LoRA adapter (--adapter)")
    heads = {layer.num_heads[name] for layer in layers.values() for name in layer.active_adapters}
    if len(heads) > 1 or max(heads) < 2:
        raise RoutingError(f"an adapter with two heads or more wanted, as many in each layer, got {sorted(heads)}")
    return places_of(list(layers), model.parts), max(heads)


@dataclass
class _Key:
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


def study(
    model: Any, samples: Mapping[str, Sequence[Sample]], source: MediaSource, pack: Pack,
    origin: Mapping[str, Any] | None = None, settings: Settings | None = None, track: Track = untracked,
) -> dict[str, Any]:  # fmt: skip
    """Ask about the samples of each key with the routers watched, then with one head off after the other.

    Memory does not grow with samples or tokens: of the router weights sums are kept, and single ones only of the few
    samples that are shown. Media are read once for all that is asked of a sample.

    Args:
        model: of a model family, with an I-LoRA adapter; samples: of each key; source: of their media; pack: wording.
        origin: see :func:`crabplus.generate.settings_of`; track: passes answers on, with a heading and their number.

    Returns:
        All numbers, ready for JSON; see ``docs/routing.md``.

    Raises:
        RoutingError: no router, no samples, or samples without a true answer where heads are switched off.
    """
    settings = settings or Settings()
    places, heads = adapter_of(model)
    _check(samples, settings)
    asker = Asker(model, pack, source, origin or {}, places, heads, settings.batch_size, settings.reasoning,
                  settings.renormalise)  # fmt: skip
    variants = variants_of(places, heads, settings.ablate)
    keys = {key: _Key(list(asked)) for key, asked in samples.items()}
    total = sum(len(of.samples) for of in keys.values()) * (1 + len(variants))
    for _ in track(_ask(asker, keys, variants), "asking", total):
        pass
    views = _views(places, {key: of.sums for key, of in keys.items()})
    shown = [(of, sample) for of in keys.values() for sample in of.samples[: settings.show]]
    for of, sample in track(iter(shown), "token by token", len(shown)) if shown and views else ():
        of.strips.append(_strip(asker, sample, views))
    return _told(places, heads, keys, variants, views, settings)


def _check(samples: Mapping[str, Sequence[Sample]], settings: Settings) -> None:
    if settings.ablate not in ABLATE:
        raise RoutingError(f"ablate: one of {', '.join(ABLATE)} wanted, got {settings.ablate!r}")
    if not samples:
        raise RoutingError("no keys: name those whose samples are to be asked about")
    for key, asked in samples.items():
        if not asked:
            raise RoutingError(f"{key}: no samples")
        without = next((sample.id for sample in asked if sample.answer is None), None)
        if without and settings.ablate != "none":
            raise RoutingError(
                f"{key}: sample {without!r} has no true answer, so that it cannot be told what a head does to the "
                "score; leave the key out, or ask for --ablate none"
            )


def _ask(asker: Asker, keys: Mapping[str, _Key], variants: Sequence[Variant]) -> Iterator[int]:
    """Ask all samples, in batches of one key; yields once for each answer."""
    for of in keys.values():
        middle, size = (len(of.samples) + 1) // 2, asker.batch
        for half in (of.samples[:middle], of.samples[middle:]):
            sums = Sums.empty(len(asker.places), asker.heads)
            for start in range(0, len(half), size):
                part = half[start : start + size]
                source = Kept(asker.source)
                said, found = asker.watched(part, source)
                sums = sums + found
                of.said += said
                yield from range(len(part))
                for variant in variants:
                    of.changed.setdefault(variant, []).extend(asker.without(variant, part, source))
                    yield from range(len(part))
            of.halves.append(sums)


def _views(places: Sequence[Place], of_keys: Mapping[str, Sums]) -> list[View]:
    """What is shown token by token: the mean over all layers that read the prompt, and two single layers.

    Of the first and of the second half of these layers that one whose choice hangs most on the token.
    """
    everything = pooled(of_keys).tokens
    reading = [n for n, place in enumerate(places) if reads_prompt(place) and everything[n].any()]
    parts = reactions(of_keys)
    tells = parts["kind"] + parts["key"] + parts["token"]
    if not reading:
        return []
    views = [View(f"mean over {len(reading)} adapted layers", frozenset(places[n].layer for n in reading))]
    for half in (reading[: len(reading) // 2], reading[len(reading) // 2 :]):
        if half and len(reading) > 1:
            best = places[max(half, key=lambda n: tells[n])]
            number = "" if best.number is None else f"layer {best.number}, "
            views.append(View(f"{number}{best.projection}", frozenset([best.layer])))
    return views


def reads_prompt(place: Place) -> bool:
    """Whether a layer reads the tokens of the prompt, as those of the towers do not."""
    return not place.part.startswith(("vision", "audio"))


def _strip(asker: Asker, sample: Sample, views: Sequence[View]) -> dict[str, Any]:
    """One sample token by token, with what was said of it."""
    watcher = TokenWeights(views, asker.tokens)
    with watch_routing(asker.model.thinker, watcher):
        (said,) = asker.plain([sample])
    right = None if sample.answer is None else credit(sample, said)
    told = {"sample": json.loads(to_json(sample)), "prediction": json.loads(to_json(said)), "credit": right}
    if said.error is not None:
        return {**told, "pieces": []}
    prompt = get_task(sample.task).prompt(sample, asker.pack, asker.reasoning)
    made = pieces(sample, prompt, watcher, asker.model.processor.tokenizer, asker.model.size)
    return {**told, "pieces": made}


def _told(
    places: Sequence[Place], heads: int, keys: Mapping[str, _Key], variants: Sequence[Variant], views: Sequence[View],
    settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    of_keys = {key: of.sums for key, of in keys.items()}
    every = pooled(of_keys)
    reading = [n for n, place in enumerate(places) if reads_prompt(place)]
    return {
        "settings": asdict(settings),
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
        "ablation": _ablation(keys, variants, settings),
        "views": [view.name for view in views],
        "strips": [strip for of in keys.values() for strip in of.strips],
        "failures": [
            {"key": key, "id": said.id, "error": said.error or f"no answer: {said.reason}"}
            for key, of in keys.items() for said in of.said if said.error or said.answer is None
        ],
    }  # fmt: skip


def _whole(sums: Sums, part: Any) -> Any:
    """The mean (P, H) over the tokens of all kinds."""
    return part.sum(1) / np.where(sums.tokens.sum(1) > 0, sums.tokens.sum(1), np.nan)[:, None]


def _key(key: str, of: _Key, reading: list[int]) -> dict[str, Any]:
    sums = of.sums
    return {
        "family": get_task(key).family,
        "samples": len(of.samples),
        "answered": sum(said.error is None for said in of.said),
        "tokens": [int(count) for count in sums.tokens[reading or slice(None)].max(0)],
        "weights": _plain(means(sums)),
        "entropy": _plain(entropies(sums)),
    }


def _similarity(keys: Mapping[str, _Key]) -> dict[str, Any]:
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


def _ablation(keys: Mapping[str, _Key], variants: Sequence[Variant], settings: Settings) -> dict[str, Any]:
    """The change of each key's score by each variant, over the same samples."""
    told = {}
    for key, of in keys.items() if variants else ():
        score = evaluate(of.samples, of.said, rounds=settings.rounds, seed=settings.seed)[key]
        told[key] = {
            "metric": score.metric, "score": score.score, "constant": score.constant, "ci95": list(score.ci95),
            "n": score.n, "changes": [_change(key, of, variant, settings) for variant in variants],
        }  # fmt: skip
    listed = [{"head": variant.head + 1, "band": variant.band, "layers": len(variant.layers)} for variant in variants]
    return {"variants": listed, "keys": told, "clear_from": FEW}


def _change(key: str, of: _Key, variant: Variant, settings: Settings) -> dict[str, Any]:
    after = of.changed[variant]
    found = compare(of.samples, of.said, after, rounds=settings.rounds, seed=settings.seed)[key]
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
