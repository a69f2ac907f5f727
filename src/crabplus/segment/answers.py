"""From answers to masks: which picture is meant, and the masks of all things that an answer names on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crabplus import media
from crabplus.schema import Media, Object, ObjectsAnswer, Reply
from crabplus.segment import Segmenter
from crabplus.segment.mask import Mask
from crabplus.segment.prompts import check

if TYPE_CHECKING:
    from crabplus.segment.video import Tracker

__all__ = ["Masked", "follow_reply", "picture_of", "segment_replies"]

_MOMENT = 0.002  # seconds: the shortest window that is asked for, to get the picture on display at its middle


@dataclass
class Masked:
    """An answer with its masks.

    Attributes:
        reply: the answer and its files; masks: one for each thing, in their order, none where there is no answer.
        pictures: uint8 (H, W, 3) by the second that the things name, None where they name none.
        error: why there are no masks, where something could not be read.
    """

    reply: Reply
    masks: list[Mask] = field(default_factory=list)
    pictures: dict[float | None, NDArray[np.uint8]] = field(default_factory=dict)
    error: str | None = None


def segment_replies(segmenter: Segmenter, replies: Sequence[Reply]) -> list[Masked]:
    """The masks of several answers, made together; what cannot be read of one has its error and stops no other.

    Args:
        segmenter: see :func:`crabplus.segment.load_segmenter`.
        replies: with the files that they are about; paths are taken as they are.
    """
    made = [_look(reply) for reply in replies]
    shots = [(one, time) for one in made for time in one.pictures]
    pictures = [one.pictures[time] for one, time in shots]
    numbered = [list(_at(one.reply, time)) for one, time in shots]
    scores = segmenter.segment(pictures, [[thing for _, thing in wanted] for wanted in numbered])
    for (one, _), wanted, found in zip(shots, numbered, scores, strict=True):
        one.masks += [
            Mask(thing.label, score, thing.time, thing.confidence)
            for (_, thing), score in zip(wanted, found, strict=True)
        ]
    for one in made:  # in the order of the answer, not of its pictures
        order = [number for time in one.pictures for number, _ in _at(one.reply, time)]
        one.masks = [one.masks[order.index(number)] for number in range(len(order))]
    return made


def follow_reply(tracker: "Tracker", reply: Reply) -> Iterator[tuple[int, Mask]]:
    """The masks of the things of an answer in every picture of its video, each with the number of its thing.

    Things of one picture are followed together, forward and then backward; see
    :meth:`crabplus.segment.video.Tracker.follow`. Where they name no second, they are known in the picture that the
    model was shown: the middle one of its window.

    Raises:
        ValueError: a thing without a place. MediaError: a file that is no video, or cannot be read.
    """
    for time in dict.fromkeys(thing.time for thing in things_of(reply)):
        numbered = list(_at(reply, time))
        shown = _shown(reply)
        for _, masks in tracker.follow(shown.path, [thing for _, thing in numbered], _second(shown, time)):
            yield from zip((number for number, _ in numbered), masks, strict=True)


def things_of(reply: Reply) -> tuple[Object, ...]:
    """The things that an answer names."""
    return reply.answer.objects if isinstance(reply.answer, ObjectsAnswer) else ()


def picture_of(reply: Reply, time: float | None = None) -> NDArray[np.uint8]:
    """The picture (H, W, 3) that an answer is about, at its own resolution.

    An image as it is; of a video the picture at ``time``, or the middle one of its window.

    Raises:
        MediaError: the file cannot be read. ValueError: the answer is about no file with pictures.
    """
    shown = _shown(reply)
    if shown.kind == "image" and shown.start is None and time is None:
        return media.image(shown.path)
    if media.probe(shown.path).kind == "image":
        return media.image(shown.path)
    if time is None:
        return media.frames(shown.path, 1, shown.start, shown.end).images[0]
    return media.frames(shown.path, 1, max(time - _MOMENT / 2, 0.0), time + _MOMENT / 2).images[0]


def _look(reply: Reply) -> Masked:
    """The pictures of an answer, or why they cannot be read."""
    things, made = things_of(reply), Masked(reply, error=reply.error)
    try:
        pictures = {time: picture_of(reply, time) for time in dict.fromkeys(thing.time for thing in things)}
        check(list(pictures.values()), [[thing for _, thing in _at(reply, time)] for time in pictures])
    except (ValueError, OSError) as error:
        made.error = str(error)
        return made
    made.pictures = pictures
    return made


def _at(reply: Reply, time: float | None) -> Iterator[tuple[int, Object]]:
    """The things of one picture, each with its number in the answer."""
    return ((number, thing) for number, thing in enumerate(things_of(reply)) if thing.time == time)


def _shown(reply: Reply) -> Media:
    """The file with pictures that an answer is about."""
    shown = next((item for item in reply.media if item.kind in ("image", "video")), None)
    if shown is None:
        raise ValueError(f"{reply.id}: none of its files has pictures")
    return shown


def _second(shown: Media, time: float | None) -> float:
    """The second of the picture in which things are known."""
    if time is not None:
        return time
    found = media.frames(Path(shown.path), 1, shown.start, shown.end, (1, 1))
    return (found.start + found.end) / 2
