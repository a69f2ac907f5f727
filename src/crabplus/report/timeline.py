"""Events as bars over time, truth above prediction: where each bar lies, in shares of the clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from crabplus.report.card import Card, describe, seconds
from crabplus.schema import Event, EventsAnswer

__all__ = ["Bar", "Row", "Tick", "Timeline", "timeline"]


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
    """A mark on the time axis: where, in percent of the clip, and its second."""

    left: float
    words: str


@dataclass(frozen=True)
class Timeline:
    """Rows over ``length`` seconds; ``words`` says the same for those who cannot see it."""

    length: float
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    words: str


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
    return Timeline(length, tuple(rows), _ticks(length), words)


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
    ends: list[float] = []
    bars = []
    for event in sorted(_events(answer), key=lambda event: (event.start, event.end)):
        lane = next((lane for lane, end in enumerate(ends) if end <= event.start), len(ends))
        ends[lane : lane + 1] = [event.end]
        bars.append(_bar(event, lane, length))
    note = "nothing happens" if isinstance(answer, EventsAnswer) else "no answer"
    return Row(name, kind, tuple(bars), max(len(ends), 1), "" if bars else note)


def _bar(event: Event, lane: int, length: float) -> Bar:
    sense = "" if event.modality == "audio-visual" else f" ({event.modality})"
    words = f"{event.label}{sense}, {seconds(event.start)} to {seconds(event.end)} s"
    left, right = (round(100 * time / length, 3) for time in (event.start, event.end))
    return Bar(left, round(right - left, 3), lane, event.label + sense, words)


def _ticks(length: float) -> tuple[Tick, ...]:
    """At most about a dozen marks at whole steps."""
    step = next(step for step in (1, 2, 5, 10, 30, 60, 120, 300, 600, 3600) if length / step <= 12 or step == 3600)
    return tuple(Tick(round(100 * time / length, 3), str(time)) for time in range(0, int(length) + 1, step))
