"""What a page shows of one's own files: players and pictures, as many as the page has room for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from crabplus.media import MediaError, image
from crabplus.report.card import Card, moment
from crabplus.report.embed import file_uri, picture_uri
from crabplus.report.views import STRIP, Picture, Player, drawn, obstacle, stills
from crabplus.report.windows import file_of, length_of
from crabplus.schema import Media, ObjectsAnswer, Reply, Sample

__all__ = ["Room", "Shown", "boxes_shown", "card_of", "file_shown"]

_SMALL, _LARGE = 320, 960  # pixels of the longer side: of a picture that stands for a file, of one with boxes
_PICTURES = 12
"""Pictures with boxes that are shown of one answer."""
_INSTANT = 0.001  # seconds


@dataclass
class Room:
    """How many bytes of media a page may still take, and how large one file may be."""

    left: int
    file_limit: int

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes, which are taken then."""
        fits = size <= self.left
        self.left -= size if fits else 0
        return fits


@dataclass
class Shown:
    """What is shown of a file or an answer, and what has to be said about it."""

    players: list[Player] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def card_of(reply: Reply) -> Card:
    """A reply as a card without a true answer; its paths are relative to the current folder."""
    sample = Sample(
        reply.id, "own", reply.task, "own", media=reply.media, question=reply.question, options=reply.options
    )
    return Card(sample, reply, Path())


def file_shown(replies: Sequence[Reply], room: Room) -> Shown:
    """How a file is shown: a small one is played, of a larger video there are a few pictures.

    Args:
        replies: what was said of this file; those with boxes bring pictures of their own (:func:`boxes_shown`).
        room: bytes that are left; where they do not suffice, that is said.
    """
    shown = Shown()
    file = file_of(replies[0])
    if file is None:
        return shown
    if not Path(file.path).is_file():
        shown.remarks.append(f"{file.path} is not there, so that it cannot be shown")
    elif any(not reply.error for reply in replies):
        for media in {media.path: media for media in reversed(replies[0].media)}.values():
            if media.path == file.path or media.kind == "audio":
                _show(file if media.path == file.path else media, shown, room, any(map(_has_boxes, replies)))
    return shown


def _show(media: Media, shown: Shown, room: Room, boxes: bool) -> None:
    path = Path(media.path)
    hindrance = None
    if media.kind != "image":
        hindrance = obstacle(path, room.file_limit)
        if hindrance is None and not room.take(path.stat().st_size * 4 // 3):
            hindrance = "the page holds as much as it may; fewer files to a page leave room for it"
    if hindrance:
        shown.remarks.append(f"{path.name} cannot be played here: {hindrance}")
    elif media.kind != "image":
        shown.players.append(Player(media.kind, path.name, file_uri(path), None, media.start or 0.0, None))
    try:
        if media.kind == "video" and hindrance and not boxes:
            pictures = stills(path, media, STRIP, _fit(media.size, _SMALL))
            _add(shown, room, [Picture(path.name, picture_uri(still), *_size(still), None) for still in pictures])
        elif media.kind == "video" and not hindrance:
            poster = picture_uri(stills(path, media, 1, _fit(media.size, _SMALL))[0], quality=70)
            shown.players[-1] = replace(shown.players[-1], poster=poster)
        elif media.kind == "image" and not boxes:
            still = image(path, _fit(media.size, _LARGE))
            _add(shown, room, [Picture(path.name, picture_uri(still), *_size(still), None)])
    except MediaError as error:
        shown.remarks.append(f"{path.name} cannot be shown: {error.reason}")


def _has_boxes(reply: Reply) -> bool:
    return not reply.error and isinstance(reply.answer, ObjectsAnswer) and bool(reply.answer.objects)


def _size(still: np.ndarray) -> tuple[int, int]:
    return still.shape[1], still.shape[0]


def _fit(size: tuple[int, int] | None, most: int) -> tuple[int, int] | None:
    """Width and height with a longer side of at most ``most`` pixels."""
    if size is None or max(size) <= most:
        return size
    return max(1, round(size[0] * most / max(size))), max(1, round(size[1] * most / max(size)))


def _add(shown: Shown, room: Room, pictures: Sequence[Picture]) -> None:
    if room.take(sum(len(picture.uri) for picture in pictures)):
        shown.pictures += pictures
    else:
        shown.remarks.append("the page holds as many pictures as it may; fewer files to a page leave room for these")


def boxes_shown(reply: Reply, room: Room) -> Shown:
    """The pictures on which the objects of a reply lie, with their boxes; of many pictures a few over the whole file.

    Those of a video without the time of its picture are drawn on the middle picture of the part that was asked about.
    """
    shown = Shown()
    file = file_of(reply)
    if file is None or not _has_boxes(reply) or not Path(file.path).is_file():
        return shown
    assert isinstance(reply.answer, ObjectsAnswer)
    times = sorted({-1.0 if thing.time is None else thing.time for thing in reply.answer.objects})
    chosen = [times[place] for place in np.linspace(0, len(times) - 1, min(len(times), _PICTURES)).round().astype(int)]
    if len(chosen) < len(times):
        shown.remarks.append(f"{len(chosen)} of the {len(times)} pictures with boxes are shown")
    for time in chosen:
        try:
            _add(shown, room, [_boxed(reply, file, None if time < 0 else time)])
        except MediaError as error:
            shown.remarks.append(f"a picture with boxes cannot be shown: {error.reason}")
    return shown


def _boxed(reply: Reply, file: Media, time: float | None) -> Picture:
    """The picture at a time with the objects of that time."""
    assert isinstance(reply.answer, ObjectsAnswer)
    things = tuple(thing for thing in reply.answer.objects if thing.time == time)
    size = _fit(file.size, _LARGE)
    if file.kind == "image":
        still = image(file.path, size)
    else:
        instant = file if time is None else replace(file, start=time, end=time + _INSTANT)
        still = stills(Path(file.path), instant, 1, size)[0]
    names = ", ".join(dict.fromkeys(thing.label for thing in things))
    words = names if time is None else f"{moment(time, length_of(reply))}: {names}"
    return drawn(card_of(replace(reply, answer=replace(reply.answer, objects=things))), words, still)
