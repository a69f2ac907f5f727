"""Asks a model about batches of samples, with its routers watched or one of its heads off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.analysis.tally import Place, Sums, Tally, Tokens
from crabplus.data import WithSource
from crabplus.generate import predict
from crabplus.ilora import watch_routing, without_head
from crabplus.models.source import MediaSource
from crabplus.schema import Media, Prediction, Sample

__all__ = ["Asker", "Kept", "Variant", "variants_of"]

BANDS = 3
"""Bands of layers, the first to the last, in which heads are switched off apart from each other."""


class Kept:
    """The media of a few samples, read once for all the times that these are asked; see ``MediaSource``."""

    def __init__(self, source: MediaSource) -> None:
        self.source = source
        self._read: dict[Any, Any] = {}

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """See :class:`crabplus.models.source.MediaSource`."""
        made: tuple[NDArray[np.uint8], float] = self._once(self.source.frames, media, count, size)
        return made

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """See :class:`crabplus.models.source.MediaSource`."""
        made: NDArray[np.uint8] = self._once(self.source.image, media, size)
        return made

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """See :class:`crabplus.models.source.MediaSource`."""
        made: NDArray[np.float32] = self._once(self.source.wave, media, rate)
        return made

    def _once(self, read: Callable[..., Any], *asked: Any) -> Any:
        name = read.__name__, *asked
        if name not in self._read:
            self._read[name] = read(*asked)
        return self._read[name]


@dataclass(frozen=True)
class Variant:
    """A head, from 0, that is switched off, and where: ``band`` in words, ``layers`` by name."""

    head: int
    band: str
    layers: tuple[str, ...]


def variants_of(places: Sequence[Place], heads: int, ablate: str) -> list[Variant]:
    """What is switched off, one after the other.

    Args:
        places: the adapted layers; heads: of the adapter.
        ablate: ``none``; ``heads``: each head in all layers at once; ``layers``: that, and each head in each of three
            bands of the numbered layers of a part, and in the layers of a part that have no number.
    """
    bands = {"all layers": tuple(place.layer for place in places)} if ablate != "none" else {}
    if ablate == "layers":
        bands |= bands_of(places)
    return [Variant(head, band, layers) for band, layers in bands.items() for head in range(heads)]


def bands_of(places: Sequence[Place]) -> dict[str, tuple[str, ...]]:
    """Layers of each part of the model in at most three bands of like size, by what they are called."""
    bands: dict[str, tuple[str, ...]] = {}
    for part in dict.fromkeys(place.part for place in places):
        mine = [place for place in places if place.part == part]
        numbers = sorted({place.number for place in mine if place.number is not None})
        for band in np.array_split(np.array(numbers, dtype=int), min(BANDS, len(numbers)) or 1):
            if len(band):
                name = f"{part} {band[0]}" + (f"–{band[-1]}" if len(band) > 1 else "")
                bands[name] = tuple(place.layer for place in mine if place.number in band)
        if alone := tuple(place.layer for place in mine if place.number is None):
            bands[f"{part}, no number"] = alone
    return bands


@dataclass
class Asker:
    """A model with all that is needed to ask it.

    Attributes:
        model: of a model family; pack: the wording; source: of media; origin: see ``settings_of``; reasoning: whether
            it is asked for. places, heads: of the adapter.
        batch: samples at a time; less once a batch did not fit into memory.
    """

    model: Any
    pack: Any
    source: MediaSource
    origin: Mapping[str, Any]
    places: Sequence[Place]
    heads: int
    batch: int = 8
    reasoning: bool = True
    renormalise: bool = False
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.model.token_kinds, self.model.stop_token_ids)

    def plain(self, samples: Sequence[Sample], source: MediaSource | None = None) -> list[Prediction]:
        """What the model says."""
        data = WithSource(samples, source or self.source)
        return list(predict(self.model, data, self.pack, self.batch, self.origin, reasoning=self.reasoning))

    def watched(self, samples: Sequence[Sample], source: MediaSource) -> tuple[list[Prediction], Sums]:
        """What the model says, at most :attr:`batch` samples at a time, and the sums of its router weights.

        A batch that does not fit into memory is begun anew in smaller ones, and what was seen of it until then is
        forgotten; else its tokens would count twice.
        """
        said: list[Prediction] = []
        sums = Sums.empty(len(self.places), self.heads)
        start = 0
        while start < len(samples):
            part = samples[start : start + self.batch]
            tally = Tally(self.places, self.heads, self.tokens)
            with watch_routing(self.model.thinker, tally):
                made = self.plain(part, source)
            whole = tally.answered == sum(one.error is None for one in made)
            if not whole and len(part) > 1:
                self.batch = len(part) // 2
                continue
            sums = sums + tally.sums() if whole else sums
            said += made
            start += len(part)
        return said, sums

    def without(self, variant: Variant, samples: Sequence[Sample], source: MediaSource) -> list[Prediction]:
        """What the model says with a head switched off."""
        with without_head(self.model.thinker, variant.head, variant.layers, renormalise=self.renormalise):
            return self.plain(samples, source)
