"""Which heads the routers of an I-LoRA adapter choose, for which tokens of which keys, and what each head does."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crabplus.analysis.asking import Asker, Kept, Variant, variants_of
from crabplus.analysis.profiles import pooled, reactions
from crabplus.analysis.routing_told import Key, reads_prompt, told
from crabplus.analysis.strips import TokenWeights, View, pieces
from crabplus.analysis.tally import Place, Sums, places_of
from crabplus.data.scan import Track, untracked
from crabplus.evaluate import credit
from crabplus.ilora import ILoraLayer, watch_routing
from crabplus.models.source import MediaSource
from crabplus.schema import Sample, to_json
from crabplus.tasks import Pack, get_task

__all__ = ["ABLATE", "RoutingError", "Settings", "adapter_of", "study"]

ABLATE = ("none", "heads", "layers")


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
    keys = {key: Key(list(asked)) for key, asked in samples.items()}
    total = sum(len(of.samples) for of in keys.values()) * (1 + len(variants))
    for _ in track(_ask(asker, keys, variants), "asking", total):
        pass
    views = _views(places, {key: of.sums for key, of in keys.items()})
    shown = [(of, sample) for of in keys.values() for sample in of.samples[: settings.show]]
    for of, sample in track(iter(shown), "token by token", len(shown)) if shown and views else ():
        of.strips.append(_strip(asker, sample, views))
    found = told(places, heads, keys, variants, settings.rounds, settings.seed)
    return {"settings": asdict(settings), **found, "views": [view.name for view in views]}


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


def _ask(asker: Asker, keys: Mapping[str, Key], variants: Sequence[Variant]) -> Iterator[int]:
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
