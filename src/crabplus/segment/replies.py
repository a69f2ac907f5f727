"""Masks of the things that a reply about a user's own file names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus import media as files
from crabplus.schema import Media, Object, ObjectsAnswer, Reply
from crabplus.segment.mask import Mask

__all__ = ["masks_of", "picture_of"]

_MOMENT = 1e-3  # seconds around a time in which the picture on display then is looked for


def masks_of(reply: Reply, segmenter: Any) -> list[Mask]:
    """A mask for each thing of a reply, in its order, in the pixels of the picture that shows it.

    Args:
        reply: about a picture or a video; segmenter: a :class:`crabplus.segment.Segmenter`.

    Raises:
        ValueError: the answer has no things in it, or a thing has neither box nor points. MediaError: the picture
            cannot be read.
    """
    if not isinstance(reply.answer, ObjectsAnswer):
        raise ValueError(f"{reply.id}: masks need boxes or points, and the answer to {reply.task} has none")
    shown = next((media for media in reply.media if media.kind != "audio"), None)
    if shown is None:
        raise ValueError(f"{reply.id}: no picture belongs to the reply")
    things = reply.answer.objects
    times = list(dict.fromkeys(thing.time for thing in things))
    by_time: dict[float | None, list[Object]] = {time: [t for t in things if t.time == time] for time in times}
    made = {}
    for time, group in by_time.items():  # one picture at a time: a long video has many
        (scores,) = segmenter.segment([picture_of(shown, time)], [group])
        made[time] = iter(scores)
    return [Mask(thing.label, next(made[thing.time]), thing.time, thing.confidence) for thing in things]


def picture_of(media: Media, time: float | None) -> NDArray[np.uint8]:
    """The picture (H, W, 3) on display at a time, at its own size; without a time a still, or the middle of the window.

    Raises:
        MediaError: unreadable.
    """
    if time is not None:
        return files.frames(media.path, 1, max(time - _MOMENT, 0.0), time + _MOMENT).images[0]
    if media.kind == "image" and media.start is None:
        return files.image(media.path)
    return files.frames(media.path, 1, media.start, media.end).images[0]
