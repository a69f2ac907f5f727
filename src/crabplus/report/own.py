"""The page about one's own files: what was said of each, over its whole length, beside the file itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crabplus.report.card import Verdict, clock, describe, moment, seconds, verdict
from crabplus.report.own_media import Room, Shown, boxes_shown, card_of, file_shown
from crabplus.report.page import render
from crabplus.report.timeline import Timeline, file_timeline
from crabplus.report.views import Picture
from crabplus.report.windows import file_of, length_of, path_of, problem
from crabplus.schema import EventsAnswer, ObjectsAnswer, Reply, Window
from crabplus.whole import write_whole

__all__ = ["file_card", "write_replies"]

_SPELLED = 8
"""Events or things that are told one by one; more are counted, and told in a table."""
_KINDS = 12
"""Labels that are counted in words."""
_LINES = 1500
"""Lines of a table."""
_OPEN = 12
"""A table of so many lines is open from the start."""


@dataclass(frozen=True)
class _Line:
    """A line of a table: ``time`` is the second to which a click leads, ``bad`` marks what failed."""

    cells: tuple[str, ...]
    time: float | None = None
    bad: bool = False


@dataclass(frozen=True)
class _Table:
    """A table under its name, of which ``more`` lines are left out."""

    name: str
    columns: tuple[str, ...]
    lines: tuple[_Line, ...]
    more: int = 0
    texts: tuple[str, ...] = ("Answer", "Reasoning", "Event", "Thing")

    @property
    def open(self) -> bool:
        return len(self.lines) <= _OPEN


@dataclass(frozen=True)
class _Answer:
    """What was said of a file in answer to one question; texts are plain, the template escapes them."""

    reply: Reply
    verdict: Verdict
    said: str
    confidence: str | None
    problem: str | None
    pictures: tuple[Picture, ...]
    timeline: Timeline | None
    tables: tuple[_Table, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class FileCard:
    """A file: its path, what it is in words, what is shown of it, and the answers about it."""

    path: str
    about: str
    shown: Shown
    answers: tuple[_Answer, ...]


def write_replies(
    path: str | Path, replies: Sequence[Reply], title: str, notes: str | Sequence[str] = (), *,
    file_limit: int = 8 * 2**20, page_limit: int = 64 * 2**20,
) -> None:  # fmt: skip
    """Write one self-contained HTML page about one's own files.

    A summary stands on top, then a card for each file with all that was said of it: the file to play, or pictures of it
    where it is large; the answer in words with reasoning and confidence; events on a timeline over the whole file, with
    its windows below; boxes on their pictures; tables of events, boxes and windows, and errors in words. Texts are
    escaped, and the page forbids itself to load anything, as the report does (:func:`.html.write_report`).

    Args:
        path: the page; its folder is made if need be, and an old page is replaced only by a whole new one.
        replies: what was said; media paths are taken as they are. title: heading. notes: paragraphs under it.
        file_limit: larger files, in bytes, are not embedded. page_limit: bytes of all that is embedded, as it stands
            in the page; what comes after is left out, and its card says so.
    """
    room = Room(page_limit, file_limit)
    by_file: dict[str, list[Reply]] = {}
    for reply in replies:
        by_file.setdefault(path_of(reply), []).append(reply)
    files = [file_card(about, room) for about in by_file.values()]
    page = render(
        "own.html.j2", title=title, notes=[notes] if isinstance(notes, str) else list(notes), files=files,
        figures=_figures(list(by_file.values())),
    )  # fmt: skip
    write_whole(Path(path), page.encode())


def _figures(files: Sequence[Sequence[Reply]]) -> list[tuple[str, str]]:
    """The summary: names and values."""
    replies = [reply for about in files for reply in about]
    failed = sum(bool(reply.error) for reply in replies)
    answered = sum(not problem(reply) for reply in replies)
    counts = {"Files": len(files), "Questions": len(replies) if len(replies) != len(files) else 0}
    windows = sum(len(reply.windows) for reply in replies)
    bad = sum(bool(problem(window)) for reply in replies for window in reply.windows)
    return [
        *((name, f"{count:,}") for name, count in counts.items() if count),
        ("Length", clock(sum(length_of(about[0]) for about in files))),
        ("Answered", f"{answered:,}"),
        ("Unreadable", f"{len(replies) - answered - failed:,}"),
        ("Failed", f"{failed:,}"),
        *([("Windows", f"{windows:,}")] if windows else []),
        *([("Windows without answer", f"{bad:,}")] if bad else []),
    ]


def file_card(replies: Sequence[Reply], room: Room) -> FileCard:
    """What is shown of one file and all that was said of it."""
    return FileCard(
        path_of(replies[0]), _about(replies[0]), file_shown(replies, room),
        tuple(_answer(reply, room) for reply in replies),
    )  # fmt: skip


def _about(reply: Reply) -> str:
    """What a file is: kind, length, size, pictures per second; as far as known."""
    file = file_of(reply)
    if file is None:
        return ""
    length = length_of(reply)
    parts = [
        {"video": "video", "audio": "sound", "image": "picture"}[file.kind],
        moment(length, length) if length else "",
        f"{file.size[0]} × {file.size[1]} pixels" if file.size else "",
        f"{seconds(file.fps)} pictures per second" if file.fps and file.kind == "video" else "",
        f"asked about {moment(file.start or 0, length)} to {moment(file.end or length, length)}"
        if file.start or (file.end is not None and file.duration is not None and file.end < file.duration)
        else "",
    ]
    return ", ".join(filter(None, parts))


def _answer(reply: Reply, room: Room) -> _Answer:
    judged = verdict(card_of(reply))
    wrong = problem(reply)
    tables = [] if wrong else [_events(reply), _boxes(reply)]
    bad = sum(bool(problem(window)) for window in reply.windows)
    shown = boxes_shown(reply, room)
    remarks = [f"{bad} of {len(reply.windows)} windows have no answer"] if bad else []
    return _Answer(
        reply=reply,
        verdict=judged if judged.words else Verdict("right", "answered"),
        said="" if wrong else _said(reply),
        confidence=None if reply.confidence is None else f"{reply.confidence:.0%}",
        problem=wrong,
        pictures=tuple(shown.pictures),
        timeline=file_timeline(reply),
        tables=tuple(table for table in (*tables, _windows(reply)) if table and table.lines),
        remarks=(*remarks, *shown.remarks),
    )


def _said(reply: Reply) -> str:
    """The answer in words; many events or things are counted by label."""
    match reply.answer:
        case EventsAnswer(events=items) if len(items) > _SPELLED:
            return f"{len(items):,} events: {_counted([event.label for event in items])}"
        case ObjectsAnswer(objects=things) if len(things) > 1:
            pictures = len({thing.time for thing in things})
            where = f"in {pictures:,} pictures: " if pictures > 1 else ""
            return f"{where}{_counted([thing.label for thing in things])}"
        case answer:
            return describe(answer, reply)


def _counted(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    words = [f"{label} ({count:,} times)" if count > 1 else label for label, count in counts.most_common(_KINDS)]
    return ", ".join(words) + (f" and {len(counts) - _KINDS} others" if len(counts) > _KINDS else "")


def _events(reply: Reply) -> _Table | None:
    """The events of an answer that is not spelled out, or of which the confidence is known."""
    answer = reply.answer
    if not isinstance(answer, EventsAnswer):
        return None
    events = sorted(answer.events, key=lambda event: (event.start, event.end))
    if len(events) <= _SPELLED and all(event.confidence is None for event in events):
        return None
    length = length_of(reply)
    lines = [
        _Line(
            (moment(event.start, length), moment(event.end, length), _sure(event.confidence), _sense(event.modality),
             event.label), event.start,
        )
        for event in events[:_LINES]
    ]  # fmt: skip
    return _table("Events", ("From", "To", "Confidence", "Sense", "Event"), lines, len(events))


def _sense(modality: str) -> str:
    return {"audio": "heard", "visual": "seen", "audio-visual": "heard and seen"}[modality]


def _boxes(reply: Reply) -> _Table | None:
    if not isinstance(reply.answer, ObjectsAnswer) or not any(media.size for media in reply.media):
        return None
    length, boxes = length_of(reply), reply.pixel_boxes
    lines = [
        _Line(
            ("" if box.time is None else moment(box.time, length), _sure(box.confidence),
             f"{box.x1}, {box.y1} to {box.x2}, {box.y2}", box.label), box.time,
        )
        for box in boxes[:_LINES]
    ]  # fmt: skip
    return _table("Boxes", ("At", "Confidence", "Pixels", "Thing"), lines, len(boxes))


def _windows(reply: Reply) -> _Table | None:
    lines = [_window(reply, window) for window in reply.windows[:_LINES]]
    return _table("Windows", ("From", "To", "Confidence", "Answer", "Reasoning"), lines, len(reply.windows))


def _window(reply: Reply, window: Window) -> _Line:
    wrong, length = problem(window), length_of(reply)
    said = wrong or describe(window.answer, reply)
    times = moment(window.start, length), moment(window.end, length)
    return _Line((*times, _sure(window.confidence), said, window.reasoning or ""), window.start, bool(wrong))


def _table(name: str, columns: tuple[str, ...], lines: Sequence[_Line], total: int) -> _Table:
    """A table without the columns in which nothing stands."""
    kept = [place for place in range(len(columns)) if any(line.cells[place] for line in lines)]
    return _Table(
        f"{name} ({total:,})", tuple(columns[place] for place in kept),
        tuple(_Line(tuple(line.cells[place] for place in kept), line.time, line.bad) for line in lines),
        total - len(lines),
    )  # fmt: skip


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.0%}"
