"""Media longer than a model is shown at a time: overlapping windows of a sample, and one answer joined from theirs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    ObjectsAnswer,
    Reply,
    Sample,
    TextAnswer,
    Window,
)
from crabplus.tasks.tags import plain

__all__ = ["join", "merge_events", "on_the_clock", "plan", "span_of", "split"]

SLACK = 0.5  # seconds that media may be longer than a window without a second one: containers round
LEAST = 0.3  # share of a window's length that is left of it, at least, where it ends at a cut
SHORTEST = 1.0  # seconds of a window, at least
TOUCH = 0.25  # seconds between two events of one label that are still one event

Claim = tuple[Event, tuple[float, float]]
"""An event and the window in which it was seen."""


def plan(
    start: float, end: float, length: float, overlap: float, cuts: Sequence[float] = ()
) -> list[tuple[float, float]]:
    """Windows of at most ``length`` seconds over [start, end).

    A window ends at the last cut within its length, if there is one that leaves enough of it, and the next one begins
    there: so few windows show two scenes. Else the next one begins ``overlap`` seconds before this one ends. What is
    hardly longer than one window is one, cut at its length.

    Raises:
        ValueError: a length that is not positive, or an overlap that is not between 0 and half of it.
    """
    if not length > 0 or not 0 <= overlap <= length / 2:
        raise ValueError(f"windows of {length:g} s, {overlap:g} s in common: 0 <= in common <= half a window wanted")
    if end - start <= length + SLACK:
        return [(start, min(end, start + length))]
    cuts = sorted(cut for cut in cuts if start < cut <= end - SHORTEST)
    least = max(LEAST * length, min(SHORTEST, length))
    found: list[tuple[float, float]] = []
    begin, scene, covered = start, start, start
    while end - begin > length:
        late = [cut for cut in cuts if begin < cut <= covered]  # the scene that begins here was not seen whole
        begin = scene = late[-1] if late else begin
        near = [cut for cut in cuts if begin + least <= cut <= begin + length + 0.05]
        if near:
            found.append((begin, min(near[-1], begin + length)))
            begin = scene = covered = near[-1]
        elif end - begin > length:
            found.append((begin, round(begin + length, 6)))
            covered = round(begin + length, 6)
            begin = round(covered - overlap, 6)  # sums of seconds are not exact
    if found and end - found[-1][1] <= min(SLACK, length / 4):
        return found
    return [*found, (max(scene, end - length), end)]


def span_of(sample: Sample) -> tuple[float, float] | None:
    """The seconds [start, end) of a sample's media; None for a still picture without sound."""
    timed = next((item for item in sample.media if item.kind != "image" or item.start is not None), None)
    return (timed.start or 0.0, timed.end or timed.duration or 0.0) if timed else None


def split(sample: Sample, windows: Sequence[tuple[float, float]]) -> list[Sample]:
    """The same question about each window of the media; times are on their own clock.

    Of several windows, each has the name of the sample with its seconds behind a ``#``. Without any, as for a still
    picture, it is the sample itself.
    """
    several = len(windows) > 1
    return [
        replace(sample, id=f"{sample.id}#{low:g}-{high:g}" if several else sample.id,
                media=tuple(_cut(item, low, high) for item in sample.media))
        for low, high in windows
    ] or [sample]  # fmt: skip


def _cut(item: Media, low: float, high: float) -> Media:
    """The window of one of the media; a still picture has none, and a sound may end before."""
    if item.kind == "image" and item.start is None:
        return item
    ends_before = item.duration is not None and low < item.duration < high
    return replace(item, start=low, end=item.duration if ends_before else high)


def on_the_clock(answer: Answer | None, start: float, end: float) -> Answer | None:
    """An answer about the window [start, end) with its times on the clock of the file.

    Events are cut off where the window ends, and one that lies behind that end is none. Things get the middle of the
    window as their time, which is the picture that was shown.
    """
    if isinstance(answer, EventsAnswer):
        moved = (
            replace(event, start=_rounded(event.start + start), end=_rounded(min(event.end + start, end)))
            for event in answer.events
            if event.start + start < end
        )
        return EventsAnswer(tuple(moved))
    if isinstance(answer, ObjectsAnswer):
        return replace(
            answer, objects=tuple(replace(thing, time=_rounded((start + end) / 2)) for thing in answer.objects)
        )
    return answer


def _rounded(time: float) -> float:
    """To the millisecond: sums of seconds are not exact."""
    return round(time, 3)


def join(sample: Sample, windows: Sequence[Window], settings: dict[str, Any]) -> Reply:
    """One answer out of those of the windows.

    Events are merged (:func:`merge_events`), things are listed with their times, sentences stand one after the other,
    and of words, labels and options the one counts for which most speaks: the sum of seconds times confidence.
    Its confidence is that of the surest window that gave the answer, else the mean over all seconds.
    A reply is an error if all windows are; without any answer it says the reason of the first.
    """
    said = [window for window in windows if window.answer is not None]
    told: dict[str, Any] = {
        "id": sample.id, "task": sample.task, "settings": settings, "media": sample.media,
        "question": sample.question, "options": sample.options, "windows": tuple(windows),
    }  # fmt: skip
    if not said:
        errors = [window.error for window in windows if window.error]
        if len(errors) == len(windows):
            return Reply(**told, error=errors[0])
        return Reply(**told, reason=next(window.reason for window in windows if window.reason))
    answer, best = _joined(said)
    spoken = {"reasoning": best.reasoning, "confidence": best.confidence} if best else {"confidence": _mean(said)}
    return Reply(**told, **spoken, answer=answer)


def _joined(said: Sequence[Window]) -> tuple[Answer, Window | None]:
    """The answer, and the window that speaks for it where one does."""
    first = said[0].answer
    if isinstance(first, EventsAnswer):
        claims = [(e, (w.start, w.end)) for w in said if isinstance(w.answer, EventsAnswer) for e in w.answer.events]
        return EventsAnswer(tuple(merge_events(claims, [(w.start, w.end) for w in said]))), None
    if isinstance(first, ObjectsAnswer):
        found = [window.answer for window in said if isinstance(window.answer, ObjectsAnswer)]
        things = tuple(thing for answer in found for thing in answer.objects)
        return ObjectsAnswer(things, any(answer.present for answer in found)), None
    if isinstance(first, TextAnswer) and " " in first.text.strip():
        texts = dict.fromkeys(w.answer.text.strip() for w in said if isinstance(w.answer, TextAnswer))
        return TextAnswer(" ".join(texts)), None
    return _vote(said)


def _vote(said: Sequence[Window]) -> tuple[Answer, Window]:
    """The answer for which most speaks, and the surest window that gave it."""
    weights: dict[Any, float] = defaultdict(float)
    for window in said:
        weights[_same(window.answer)] += (window.end - window.start) * _sure(window.confidence)
    most = max(weights, key=weights.__getitem__)
    best = max((w for w in said if _same(w.answer) == most), key=lambda w: _sure(w.confidence))
    assert best.answer is not None
    return best.answer, best


def _mean(said: Sequence[Window]) -> float | None:
    """The mean confidence over the seconds of these windows; None where one has none."""
    rows = [(window.end - window.start, window.confidence) for window in said if window.confidence is not None]
    if len(rows) < len(said):
        return None
    return round(sum(length * sure for length, sure in rows) / sum(length for length, _ in rows), 3)


def _same(answer: Answer | None) -> Any:
    """What two answers have in common that say the same."""
    match answer:
        case LabelAnswer(label=words) | TextAnswer(text=words):
            return plain(words)
        case ChoiceAnswer(index=index):
            return index
    return answer


def _sure(confidence: float | None) -> float:
    return 1.0 if confidence is None else confidence


def merge_events(claims: Iterable[Claim], windows: Sequence[tuple[float, float]]) -> list[Event]:
    """Events of a whole file out of those that overlapping windows saw of it, by start.

    Events of one label and modality that overlap, or follow each other within :data:`TOUCH` seconds, are one. Its start
    is the mean, by confidence, of the starts that windows saw, without those at the edge of a window, which may have
    cut it off; its end likewise. Its confidence is the mean over the windows that hold at least half of it: of those
    that did not see it, 0. Without any confidence it has none.
    """
    groups: dict[tuple[str, str], list[list[Claim]]] = defaultdict(list)
    for claim in sorted(claims, key=lambda claim: (claim[0].start, claim[0].end)):
        event = claim[0]
        rows = groups[plain(event.label), event.modality]
        if rows and event.start <= max(other.end for other, _ in rows[-1]) + TOUCH:
            rows[-1].append(claim)
        else:
            rows.append([claim])
    merged = [_merged(group, windows) for rows in groups.values() for group in rows]
    return sorted(merged, key=lambda event: (event.start, event.end, event.label))


def _merged(group: Sequence[Claim], windows: Sequence[tuple[float, float]]) -> Event:
    first, last = min(event.start for event, _ in group), max(event.end for event, _ in group)
    start = _edge([(event, event.start) for event, window in group if event.start > window[0] + TOUCH], first)
    end = _edge([(event, event.end) for event, window in group if event.end < window[1] - TOUCH], last)
    start, end = (start, end) if start < end else (first, last)
    known = all(event.confidence is not None for event, _ in group)
    best = max(group, key=lambda claim: _sure(claim[0].confidence))[0]
    start, end = _rounded(start), _rounded(end)
    return replace(best, start=start, end=end, confidence=_support(group, windows, start, end) if known else None)


def _edge(seen: Sequence[tuple[Event, float]], otherwise: float) -> float:
    """The mean, by confidence, of the times at which windows saw an event begin or end."""
    weights = [max(_sure(event.confidence), 1e-6) for event, _ in seen]
    return sum(w * time for w, (_, time) in zip(weights, seen, strict=True)) / sum(weights) if seen else otherwise


def _support(group: Sequence[Claim], windows: Sequence[tuple[float, float]], start: float, end: float) -> float:
    best: dict[tuple[float, float], float] = {}
    for event, window in group:
        best[window] = max(best.get(window, 0.0), _sure(event.confidence))
    there = [w for w in windows if min(w[1], end) - max(w[0], start) >= (end - start) / 2]
    asked = there or list(best)
    return round(sum(best.get(window, 0.0) for window in asked) / len(asked), 3)
