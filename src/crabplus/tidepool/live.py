"""Tidepool without files: samples drawn one by one by their number, with media rendered when they are asked for.

What the models see is what the files would show, but for the compression; training adds that on purpose.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Media, Sample
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.voices import RATE
from crabplus.tidepool.world import Scene, draw, sound

ROLES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("sound", "film", "film"): ("given", "first", "second"), ("film", "sound", "sound"): ("given", "first", "second"),
}  # fmt: skip
"""Roles of the media of matching, as AV-UIE v2 has them; elsewhere a medium is called what it is."""


def media_of(made: Ask, paths: dict[str, str]) -> tuple[Media, ...]:
    """The media records of what is shown; ``paths`` gives the file of each entry of ``show``."""
    kinds = tuple(entry.rstrip("2") for entry in made.show)
    roles = ROLES.get(kinds, tuple("clip" if kind == "film" else kind for kind in kinds))
    entries = zip(made.show, kinds, roles, strict=True)
    return tuple(_medium(kind, role, paths[e], made.scene_of(e).seconds) for e, kind, role in entries)


def _medium(kind: str, role: str, path: str, seconds: float) -> Media:
    if kind == "frame":
        return Media(role, "image", path, size=(SIDE, SIDE))
    if kind == "sound":
        return Media(role, "audio", path, duration=seconds)
    return Media(role, "video", path, sound="track" if kind == "clip" else "none", duration=seconds, size=(SIDE, SIDE))


def to_sample(ask: Ask, key: str, split: str, name: str, media: tuple[Media, ...]) -> Sample:
    """The sample of a question about a scene."""
    return Sample(
        id=name, dataset="tidepool", task=key, split=split, media=media, question=ask.question, options=ask.options,
        answer=ask.answer, reasoning=ask.reasoning, meta=ask.meta,
    )  # fmt: skip


class LiveMedia:
    """Renders the media of one question; offers what :class:`crabplus.models.source.MediaSource` asks for.

    The path of a medium is its entry in what is shown.
    """

    def __init__(self, ask: Ask, rng: np.random.Generator) -> None:
        self.ask, self.rng = ask, rng

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """Pictures (N, H, W, 3) and the seconds they span."""
        scene = self.ask.scene_of(media.path)
        times = (np.arange(count) + 0.5) * scene.seconds / count
        return self._film(scene, list(times), size), float(scene.seconds)

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture (H, W, 3) of a frame."""
        return self._film(self.ask.scene_of(media.path), [self.ask.time], size)[0]

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """The whole sound (S,), a little louder or softer each time."""
        if rate != RATE:
            raise ValueError(f"sound of {RATE} Hz is made, and {rate} Hz is wanted")
        return np.clip(sound(self.ask.scene_of(media.path)) * np.float32(self.rng.uniform(0.5, 1.3)), -1, 1)

    def _film(self, scene: Scene, times: list[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        pictures = draw(scene, times, SIDE)[0]
        quality = int(self.rng.integers(45, 100))
        return np.stack([cv2.resize(_compress(p, quality), size, interpolation=cv2.INTER_AREA) for p in pictures])


def _compress(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


class LiveSamples:
    """An endless list: item ``i`` is always the same sample of the same mixture, made on demand.

    Args:
        mixture: share of each key; makers: function per key; seed: another seed gives other scenes.
    """

    def __init__(self, mixture: dict[str, float], makers: dict[str, Callable[[np.random.Generator], Ask]],
                 seed: int, length: int) -> None:  # fmt: skip
        total = sum(mixture.values())
        self.keys, self.weights = list(mixture), [weight / total for weight in mixture.values()]
        self.makers, self.seed, self.length = makers, seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Sample, LiveMedia]:
        if not 0 <= index < self.length:
            raise IndexError(index)
        rng, key = self._drawn(index)
        ask = self.makers[key](rng)
        media = media_of(ask, {entry: entry for entry in ask.show})
        return to_sample(ask, key, "train", f"{self.seed}-{index}", media), LiveMedia(ask, rng)

    def key_of(self, index: int) -> str:
        """The key of a sample, without making it."""
        return self._drawn(index)[1]

    def _drawn(self, index: int) -> tuple[np.random.Generator, str]:
        rng = np.random.default_rng((self.seed, index))
        return rng, str(rng.choice(self.keys, p=self.weights))
