"""Tidepool without files: samples drawn one by one by their number, with media rendered when they are asked for.

What the models see is what the files would show, but for the compression; training adds that on purpose.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Media, Sample
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.keys import Ask
from crabplus.tidepool.voices import RATE
from crabplus.tidepool.world import SECONDS, draw, sound


def media_of(show: tuple[str, ...], paths: dict[str, str], time: float = 0.0) -> tuple[Media, ...]:
    """The media records of what is shown; ``paths`` gives the file of ``clip``, ``film``, ``frame`` and ``sound``."""
    made = {
        "clip": lambda: Media("clip", "video", paths["clip"], sound="track", duration=SECONDS, size=(SIDE, SIDE)),
        "film": lambda: Media("clip", "video", paths["film"], sound="none", duration=SECONDS, size=(SIDE, SIDE)),
        "frame": lambda: Media("frame", "image", paths["frame"], size=(SIDE, SIDE)),
        "sound": lambda: Media("sound", "audio", paths["sound"], duration=SECONDS),
    }
    return tuple(made[name]() for name in show)


def to_sample(ask: Ask, key: str, split: str, name: str, media: tuple[Media, ...]) -> Sample:
    """The sample of a question about a scene."""
    return Sample(
        id=name, dataset="tidepool", task=key, split=split, media=media, question=ask.question, answer=ask.answer,
        reasoning=ask.reasoning, meta=ask.meta,
    )  # fmt: skip


class LiveMedia:
    """Renders the media of one question; offers what :class:`crabplus.models.source.MediaSource` asks for."""

    def __init__(self, ask: Ask, rng: np.random.Generator) -> None:
        self.ask, self.rng = ask, rng

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """Pictures (N, H, W, 3) and the seconds they span."""
        times = (np.arange(count) + 0.5) * SECONDS / count
        return self._film(list(times), size), float(SECONDS)

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture (H, W, 3) of a frame."""
        return self._film([self.ask.time], size)[0]

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """The whole sound (S,), a little louder or softer each time."""
        assert rate == RATE
        return np.clip(sound(self.ask.scene) * np.float32(self.rng.uniform(0.5, 1.3)), -1, 1)

    def _film(self, times: list[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        pictures = draw(self.ask.scene, times, SIDE)[0]
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
        rng = np.random.default_rng((self.seed, index))
        key = str(rng.choice(self.keys, p=self.weights))
        ask = self.makers[key](rng)
        media = media_of(ask.show, dict.fromkeys(("clip", "film", "frame", "sound"), "live"))
        return to_sample(ask, key, "train", f"{self.seed}-{index}", media), LiveMedia(ask, rng)
