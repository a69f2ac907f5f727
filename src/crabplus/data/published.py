"""The media rules of the published model, for those who want its numbers.

A pack with ``media: published`` asks for them. They are those of GeWu-Lab/Crab_Plus, and none is the default;
docs/published.md says what each does:

- sounds are at least a second long, and consist of ten equal parts, so that less than ten samples are lost at the end;
- of emotion sets the first four seconds are heard, with silence behind shorter ones;
- of ``avqa`` two of every six parts of sixty are heard, around the first of each six;
- of ``s4``, ``ms3`` and ``ref_avs`` one part of five, or of ten, is heard: that of the picture;
- the two films of ``a2v``, and the two sounds of ``v2a``, are one, the second behind the first;
- every grid of a film spans 2.0 seconds.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.models.source import MediaSource
from crabplus.schema import Media, Message, Sample

Wave = NDArray[np.float32]
EMOTIONS = ("meld", "mer24", "cremad", "mafw", "dfew")
JOINED = {"a2v": "video", "v2a": "audio"}
PARTS = {"arig": 5, "s4": 5, "ms3": 5, "ref_avs": 10}
ONE_PART = ("s4", "ms3", "ref_avs")


def as_published(
    sample: Sample, messages: Sequence[Message], source: MediaSource
) -> tuple[tuple[Message, ...], MediaSource]:
    """The turns with joined media, and the source that gives all media by the rules."""
    kind = JOINED.get(sample.task)
    if kind is None:
        return tuple(messages), PublishedMedia(sample.task, source)
    *before, last = messages
    both = [part for part in last.parts if part.kind == kind]
    pair = [part.media for part in both if part.media is not None]
    if len(pair) != 2:
        raise ValueError(f"{sample.id}: two of kind {kind} wanted to be joined, got {len(pair)}")
    one, two = pair
    joined = replace(one, role="joined", duration=None)
    frames = None if both[0].frames is None else 2 * both[0].frames
    kept = [part for part in last.parts if part is not both[1]]
    parts = tuple(replace(part, media=joined, frames=frames) if part is both[0] else part for part in kept)
    return (*before, Message(last.role, parts)), PublishedMedia(sample.task, source, (joined, one, two))


class PublishedMedia:
    """Gives media by the rules; see :class:`crabplus.models.source.MediaSource`.

    Args:
        task: key of the sample; source: where its media come from; joined: a record, and the two that are behind it.
    """

    def __init__(self, task: str, source: MediaSource, joined: tuple[Media, Media, Media] | None = None) -> None:
        self.task, self.source, self.joined = task, source, joined

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """Pictures, and the seconds at which every two of them span two."""
        if self.joined and media == self.joined[0]:
            shown = [self.source.frames(one, count // 2, size)[0] for one in self.joined[1:]]
            return np.concatenate(shown), float(count)
        return self.source.frames(media, count, size)[0], float(count)

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As it is."""
        return self.source.image(media, size)

    def wave(self, media: Media, rate: int) -> Wave:
        """The sound that is heard."""
        if self.joined and media == self.joined[0]:
            return np.concatenate([self._one(one, rate) for one in self.joined[1:]])
        return self._one(media, rate)

    def _one(self, media: Media, rate: int) -> Wave:
        number = int(media.start or 0)
        whole = replace(media, start=None, end=None) if self.task in ONE_PART else media
        return heard(self.task, self.source.wave(whole, rate), rate, number)


def heard(task: str, wave: Wave, rate: int, number: int = 0) -> Wave:
    """What of a sound (S,) is heard; ``number`` is that of the part, where one is."""
    wave = np.pad(wave, (0, max(0, rate - len(wave))))
    if task in EMOTIONS:
        wave = wave[: 4 * rate]
        return np.pad(wave, (0, 4 * rate - len(wave)))
    if task == "avqa":
        return _of_a_minute(wave)
    count = PARTS.get(task, 10)
    each = len(wave) // count
    if task in ONE_PART:
        part = wave[number * each : (number + 1) * each]
        return np.pad(part, (0, each - len(part)))
    return wave[: count * each]


def _of_a_minute(wave: Wave) -> Wave:
    """Of sixty parts those from half a one before every sixth to one and a half behind it."""
    each = len(wave) // 60
    found: list[Any] = []
    for first in range(0, 60, 6):
        part = wave[int(max(0, first - 0.5) * each) : int((first + 1.5) * each)]
        found.append(np.pad(part, (2 * each - len(part), 0)) if first == 0 else part)
    return np.concatenate(found)
