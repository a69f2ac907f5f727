"""Answers as a table of comma-separated values, a row for each event, box, label or text."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from crabplus.report.card import describe
from crabplus.report.windows import path_of, problem, window_at
from crabplus.schema import Event, EventsAnswer, Object, ObjectsAnswer, PixelBox, Reply, TextAnswer, Window
from crabplus.whole import write_whole

__all__ = ["COLUMNS", "write_csv"]

COLUMNS = (
    "file", "task", "question", "label", "start", "end", "modality", "x1", "y1", "x2", "y2", "time", "confidence",
    "text", "reasoning", "error",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = dict[str, Any]


def write_csv(path: str | Path, replies: Iterable[Reply]) -> None:
    """Write replies as one table, UTF-8, with the columns :data:`COLUMNS`, whole or not at all.

    - Events and objects have a row each, out of the answer about the whole file. ``start``, ``end`` and ``time`` (of
      the picture) are seconds; ``x1`` to ``y2`` are pixels of the original picture, the second corner just outside.
    - A label, an option or a text has one row without times, which is about the whole file, and in a file that was
      asked by windows one more row for each window, with its ``start`` and ``end``. Options are labels.
    - Where nothing happens or nothing is found, one row says so under ``text``. A file that failed or whose answer
      cannot be read has a row with the ``error``, and so has each such window.
    - ``confidence`` is that of the event or box, or where that is not known that of the whole answer; so is
      ``reasoning``, or else it is that of the window in which the event begins or the picture lies.

    A spreadsheet takes a cell that begins with =, +, -, @, a tab or a line break for a formula, and a text that a
    model read off a film could make use of that. Such texts get an apostrophe in front, by which spreadsheets know
    plain text; whoever needs the texts to the letter reads the lines of JSON.

    Args:
        path: the file. replies: what was said of each file, in the order of the rows.

    Raises:
        ValueError: a reply with boxes, but without the size of its picture.
    """
    text = StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, restval="")
    table.writeheader()
    for reply in replies:
        table.writerows({name: _cell(value) for name, value in row.items()} for row in _rows(reply))
    write_whole(Path(path), text.getvalue().encode())


def _cell(value: Any) -> str | int:
    """A value as it is written: numbers to four digits, texts that spreadsheets take for no formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _rows(reply: Reply) -> Iterator[Row]:
    """The rows of a reply: of its answer, then of its windows as far as these say something else."""
    head: Row = {"file": path_of(reply), "task": reply.task, "question": reply.question}
    wrong = problem(reply)
    if wrong:
        yield head | {"confidence": reply.confidence, "reasoning": reply.reasoning, "error": wrong}
    else:
        yield from (head | row for row in _answer_rows(reply))
    for window in reply.windows:
        yield from (head | row for row in _window_rows(reply, window))


def _answer_rows(reply: Reply) -> Iterator[Row]:
    about: Row = {"confidence": reply.confidence, "reasoning": reply.reasoning}
    match reply.answer:
        case EventsAnswer(events=events) if events:
            yield from (about | _event(reply, event) for event in events)
        case ObjectsAnswer(objects=objects) if objects:
            boxes = iter(reply.pixel_boxes)
            yield from (about | _object(reply, thing, next(boxes) if thing.box else None) for thing in objects)
        case answer:
            yield about | _words(reply, answer)


def _event(reply: Reply, event: Event) -> Row:
    row = {"label": event.label, "start": event.start, "end": event.end, "modality": event.modality}
    return row | _known(reply, event.confidence, event.start)


def _object(reply: Reply, thing: Object, box: PixelBox | None) -> Row:
    corners = {name: getattr(box, name) for name in ("x1", "y1", "x2", "y2")} if box else {}
    return {"label": thing.label, "time": thing.time, **corners, **_known(reply, thing.confidence, thing.time)}


def _known(reply: Reply, confidence: float | None, time: float | None) -> Row:
    """What is known of a single event or box, and better than what is known of the whole answer."""
    window = window_at(reply, time) if reply.reasoning is None else None
    row = {"confidence": confidence, "reasoning": window.reasoning if window else None}
    return {name: value for name, value in row.items() if value is not None}


def _words(reply: Reply, answer: Any) -> Row:
    """A label or an option as such; all else as a text."""
    plain = isinstance(answer, TextAnswer | EventsAnswer | ObjectsAnswer)
    return {"text" if plain else "label": describe(answer, reply)}


def _window_rows(reply: Reply, window: Window) -> Iterator[Row]:
    row: Row = {"start": window.start, "end": window.end, "confidence": window.confidence,
                "reasoning": window.reasoning}  # fmt: skip
    wrong = problem(window)
    if wrong:
        yield row | {"error": wrong}
    elif not isinstance(window.answer, EventsAnswer | ObjectsAnswer):
        yield row | _words(reply, window.answer)
