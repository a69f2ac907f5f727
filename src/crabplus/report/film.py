"""A copy of one's own film or picture with what was said drawn over it."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

from crabplus.media import Decoder
from crabplus.media.marks import Boxed, Marks, Words
from crabplus.report.card import describe
from crabplus.report.letters import lettering
from crabplus.report.windows import file_of, length_of, part_asked, problem, window_at, windows_of
from crabplus.schema import EventsAnswer, Media, ObjectsAnswer, Reply
from crabplus.whole import draft_of

__all__ = ["annotate"]

_PATIENCE, _PER_SECOND = 300.0, 20.0
"""Seconds that a copy may take: in any case, and more for each second of film."""
_STILLS = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png"}
_NO_ANSWER = "no answer"


def annotate(reply: Reply, out: Path) -> None:
    """Write a copy of the file of a reply with the answer drawn over it, whole or not at all.

    A film is written as mp4 (H.264, its sound as it is where mp4 takes it, else as AAC): the same size, made even, the
    same pictures at the same times. Events are named in a band above while they last. What was said of a window, with
    the question if there was one, stands in a band below during the window; "no answer" where it failed. What does not
    fit into a third of the picture is cut with three dots.

    A box is drawn during the whole window in which its picture lies, because that is what the model was asked about;
    its lines are thick within half a second of the picture and thin beyond, where the thing may have moved on. Where
    several pictures of a window have boxes, each set gives way to the next halfway between them. A box without a time
    is drawn over the whole part that was asked about. A still picture gives a picture, jpg or png by the name of
    ``out``. Letters are those of DejaVu Sans or of a font of the system (:func:`.letters.lettering`).

    The file is read and the copy written in a worker with a time limit, twenty seconds for each second of film.

    Args:
        reply: of which the first file is copied. out: the copy, ``.mp4`` or ``.jpg``/``.png``; never the file itself.

    Raises:
        ValueError: sound alone, no file, an error instead of an answer, or a name that does not fit.
        MediaError: the file cannot be read to its end. OSError: the copy cannot be written.
    """
    file, out = file_of(reply), Path(out)
    form = _form(reply, file, out)
    assert file is not None
    with draft_of(out) as draft, Decoder(_PATIENCE + _PER_SECOND * length_of(reply)) as decoder:
        decoder.annotate(file.path, draft, _marks(reply), form)


def _form(reply: Reply, file: Media | None, out: Path) -> str:
    """The form of the copy.

    Raises:
        ValueError: there can be none.
    """
    if file is None:
        raise ValueError(f"{reply.id}: names no file to copy")
    if reply.error:
        raise ValueError(f"{file.path}: there is nothing to draw, as it failed: {reply.error}")
    if file.kind == "audio":
        raise ValueError(f"{file.path}: is sound alone, and only films and pictures can be drawn on")
    form = "mp4" if file.kind == "video" and out.suffix.lower() == ".mp4" else _STILLS.get(out.suffix.lower())
    if form is None or (form == "mp4") != (file.kind == "video"):
        wanted = ".mp4" if file.kind == "video" else ".jpg or .png"
        raise ValueError(f"{out}: a copy of {file.path} has to end in {wanted}")
    if out.exists() and out.samefile(file.path):
        raise ValueError(f"{out}: is the file itself, which the copy would replace; give the copy another name")
    return form


def _marks(reply: Reply) -> Marks:
    return Marks(tuple(_events(reply)), tuple(_words(reply)), tuple(_boxes(reply)))


def _events(reply: Reply) -> Iterator[Words]:
    for event in reply.answer.events if isinstance(reply.answer, EventsAnswer) else ():
        yield Words(*lettering(event.label), event.start, event.end)


def _words(reply: Reply) -> Iterator[Words]:
    """Answers that are words, and windows without an answer."""
    question = f"{reply.question} " if reply.question else ""
    for window in windows_of(reply):
        wrong = problem(window)
        if wrong or not isinstance(window.answer, EventsAnswer | ObjectsAnswer):
            said = _NO_ANSWER if wrong else describe(window.answer, reply)
            yield Words(*lettering(question + said), window.start, window.end)
    if part_asked(reply) is None and reply.answer is not None and not isinstance(reply.answer, ObjectsAnswer):
        yield Words(*lettering(question + describe(reply.answer, reply)), 0.0, inf)


def _boxes(reply: Reply) -> Iterator[Boxed]:
    times = sorted({box.time for box in reply.pixel_boxes if box.time is not None})
    for box in reply.pixel_boxes:
        start, end = _span(reply, box.time, times)
        name = Words(*lettering(box.label), start, end)
        yield Boxed(name, box.x1, box.y1, box.x2, box.y2, start if box.time is None else box.time)


def _span(reply: Reply, time: float | None, times: list[float]) -> tuple[float, float]:
    """When a box is drawn: in the window of its picture, and no longer than it is the nearest such picture."""
    window = window_at(reply, time)
    if time is None or window is None:
        return part_asked(reply) or (0.0, inf)
    place = times.index(time)
    first = (times[place - 1] + time) / 2 if place else -inf
    last = (time + times[place + 1]) / 2 if place + 1 < len(times) else inf
    return max(window.start, first), min(window.end, last)
