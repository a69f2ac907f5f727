"""Events as bars over time: where each bar lies, in shares of the clip, truth above prediction or label by label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from crabplus.report.card import CLOCK, Card, clock, describe, stretch
from crabplus.report.windows import length_of, problem
from crabplus.schema import Event, EventsAnswer, Reply, Window

__all__ = ["Bar", "Piece", "Row", "Tick", "Timeline", "file_timeline", "ticks_of", "timeline"]

_ROWS = 20
"""Labels that have a row of their own over a file."""
_LEAST = 0.3
"""Percent of a file: a bar is at least so wide, and bars that lie closer are drawn as one where there are many."""
_MANY = 400
_SAID = 100
"""Letters of what was said of a window that are shown over its piece."""
_NAME = 40
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)


@dataclass(frozen=True)
class Bar:
    """An event: its left edge and width in percent of the clip, and the lane (from 0) that keeps it off others."""

    left: float
    width: float
    lane: int
    label: str
    words: str


@dataclass(frozen=True)
class Row:
    """The events of truth or prediction; ``note`` is said where there is none."""

    name: str
    kind: str
    bars: tuple[Bar, ...]
    lanes: int
    note: str


@dataclass(frozen=True)
class Tick:
    """A mark on the time axis: where, in percent of the clip, and its second, or its time beyond ten minutes."""

    left: float
    words: str


@dataclass(frozen=True)
class Piece:
    """A window: its left edge and width in percent, ``answered``, ``empty`` or ``failed``, and what was said of it."""

    left: float
    width: float
    kind: str
    words: str


@dataclass(frozen=True)
class Timeline:
    """Rows over ``length`` seconds; ``words`` says the same for those who cannot see it.

    ``strip`` shows the windows of a long file below the rows; ``bar`` is how high a bar is, in pixels.
    """

    length: float
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    words: str
    strip: tuple[Piece, ...] = ()
    bar: int = 22


def timeline(card: Card) -> Timeline | None:
    """The timeline of a card whose true or predicted answer is events, else None."""
    truth, said = card.sample.answer, card.said
    if not isinstance(truth, EventsAnswer) and not isinstance(said, EventsAnswer):
        return None
    length = _length(card, [*_events(truth), *_events(said)])
    rows, words = [_row("Truth", "truth", truth, length)], f"Truth: {describe(truth, card.sample)}."
    if card.asked:
        rows.append(_row("Predicted", "said", said, length))
        words += f" Predicted: {describe(said, card.sample)}."
    return Timeline(length, tuple(rows), ticks_of(length), words)


def _events(answer: object) -> tuple[Event, ...]:
    return answer.events if isinstance(answer, EventsAnswer) else ()


def _length(card: Card, events: Sequence[Event]) -> float:
    """Seconds shown: the window or length of the clip, and long enough for every event; 10 where nothing tells."""
    last = max((event.end for event in events), default=0.0)
    for media in card.media("video", "audio"):
        if media.end is not None:
            return max(media.end - (media.start or 0.0), last)
        if media.duration is not None:
            return max(media.duration - (media.start or 0.0), last)
    return max(10.0, float(ceil(last)))


def _row(name: str, kind: str, answer: object, length: float) -> Row:
    note = "nothing happens" if isinstance(answer, EventsAnswer) else "no answer"
    return _laid_out(name, kind, _events(answer), length, note)


def _laid_out(name: str, kind: str, events: Sequence[Event], length: float, note: str = "") -> Row:
    """Events as bars, each in the first lane that is free; ``note`` is said where there is none."""
    ends: list[float] = []
    bars = []
    for event in sorted(events, key=lambda event: (event.start, event.end)):
        lane = next((lane for lane, end in enumerate(ends) if end <= event.start), len(ends))
        ends[lane : lane + 1] = [event.end]
        bars.append(_bar(event, lane, length))
    return Row(name, kind, tuple(bars), max(len(ends), 1), "" if bars else note)


def _bar(event: Event, lane: int, length: float) -> Bar:
    name = _named(event)
    left, right = (round(100 * time / length, 3) for time in (event.start, event.end))
    return Bar(left, round(right - left, 3), lane, name, f"{name}, {_plain(event.start, event.end)}")


def _named(event: Event) -> str:
    return event.label if event.modality == "audio-visual" else f"{event.label} ({event.modality})"


def _plain(start: float, end: float) -> str:
    return stretch(start, end).replace("\u00a0", " ")


def ticks_of(length: float) -> tuple[Tick, ...]:
    """At most a dozen marks at whole steps, and half as many of the longer words beyond ten minutes."""
    most, words = (6, clock) if length > CLOCK else (12, str)
    step = next((step for step in _STEPS if length / step <= most), 3600 * ceil(length / most / 3600))
    return tuple(Tick(round(100 * time / length, 3), words(time)) for time in range(0, int(length) + 1, step))


def file_timeline(reply: Reply) -> Timeline | None:
    """The events of a reply over its whole file, a row for each label, and its windows; None for other answers.

    The most frequent labels have rows of their own, and all others share one. Times are on the clock of the file.
    """
    if reply.error or not isinstance(reply.answer, EventsAnswer):
        return None
    events = reply.answer.events
    length = max(length_of(reply), *(event.end for event in events), 0.0) or 10.0
    groups: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.start):
        groups.setdefault(_named(event), []).append(event)
    own = sorted(groups, key=lambda name: len(groups[name]), reverse=True)[:_ROWS]
    rows = [_file_row(_cut(name, _NAME), groups[name], length, len(events)) for name in groups if name in own]
    others = [event for name, found in groups.items() if name not in own for event in found]
    if others:
        rows.append(_file_row(f"{len(groups) - len(own)} other labels", others, length, len(events)))
    rows = rows or [_row("Events", "said", reply.answer, length)]
    words = f"Events: {_cut(describe(reply.answer, reply), 2000)}."
    return Timeline(length, tuple(rows), ticks_of(length), words, _strip(reply, length), 12)


def _file_row(name: str, events: Sequence[Event], length: float, total: int) -> Row:
    row = _laid_out(name, "said", events, length)
    bars = [replace(bar, label="", width=max(bar.width, _LEAST), left=min(bar.left, 100 - _LEAST)) for bar in row.bars]
    if total <= _MANY:
        return replace(row, bars=tuple(bars))
    return replace(row, bars=tuple(_joined([replace(bar, lane=0) for bar in bars])), lanes=1)


def _joined(bars: Sequence[Bar]) -> list[Bar]:
    """Bars of one lane of which those that the eye would not part are one; it says how many more there are."""
    joined: list[Bar] = []
    more = 0
    for bar in bars:
        if joined and bar.left < joined[-1].left + joined[-1].width + _LEAST:
            more, before = more + 1, joined.pop()
            width = max(bar.left + bar.width - before.left, before.width)
            first = before.words.removesuffix(f", and {more - 1} more")
            bar = replace(before, width=round(width, 3), words=f"{first}, and {more} more")
        else:
            more = 0
        joined.append(bar)
    return joined


def _strip(reply: Reply, length: float) -> tuple[Piece, ...]:
    return tuple(_piece(reply, window, length) for window in reply.windows)


def _piece(reply: Reply, window: Window, length: float) -> Piece:
    wrong = problem(window)
    empty = isinstance(window.answer, EventsAnswer) and not window.answer.events
    said = _cut(wrong or describe(window.answer, reply).replace("\u00a0", " "), _SAID)
    left, right = (round(100 * time / length, 3) for time in (window.start, window.end))
    kind = "failed" if wrong else "empty" if empty else "answered"
    return Piece(left, round(right - left, 3), kind, f"{_plain(window.start, window.end)}: {said}")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
