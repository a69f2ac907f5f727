"""The grammar of answers: writes and reads the tags in which a model gives them.

Reading is lenient in form (case, spaces, commas, either notation of a box, a missing last tag) and strict in meaning:
what is not there is never made up. Every reader takes any text and gives what it found, or says why it found nothing.
"""

import re
from collections.abc import Sequence

from crabplus.schema import Box, Event, Object

Canvas = tuple[int, int]

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_RANGE = re.compile(rf"\({_NUMBER}[\s,;-]{_NUMBER}\)")
_CORNERS = re.compile(rf"\({_NUMBER}[,\s]{_NUMBER}\)\s*,?\s*\({_NUMBER}[,\s]{_NUMBER}\)")
_BRACKETS = re.compile(rf"\[{_NUMBER}[,\s]{_NUMBER}[,\s]{_NUMBER}[,\s]{_NUMBER}\]")
_WHOLE_TAG = re.compile(r"<(answer|event|obj)>.*?</\1>")
_FIRST_TAG = re.compile(r"<\s*(answer|event|obj)\s*>", re.IGNORECASE)


def split_reasoning(text: str) -> str | None:
    """What stands before the first tag, or None."""
    tag = _FIRST_TAG.search(text)
    return (text[: tag.start()] if tag else text).strip() or None


def _inside(tag: str, text: str) -> list[str]:
    """Contents of every ``<tag>...</tag>``; the closing tag may be missing at the end."""
    pattern = rf"<\s*{tag}\s*>(.*?)(?:<\s*/\s*{tag}\s*>|(?=<\s*{tag}\s*>)|$)"
    return [found.strip() for found in re.findall(pattern, text, re.IGNORECASE | re.DOTALL)]


def number(value: float) -> str:
    """A number without needless zeros, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def spaced(answer: str) -> str:
    """Words and numbers in tags behind a space: ``<event> dog, ( 3 8)</event>``; it reads the same."""
    return _WHOLE_TAG.sub(lambda tag: re.sub(r"(?<=[>(,])(?=\w)", " ", tag.group(0)), answer)


def write_answer(word: str) -> str:
    """``<answer>word</answer>``."""
    return f"<answer>{word}</answer>"


def read_answer(text: str) -> tuple[str | None, str]:
    """The word of the last answer tag and, where there is none, the reason."""
    words = [word.rstrip(".").strip() for word in _inside("answer", text)]
    words = [word for word in words if word]
    return (words[-1], "") if words else (None, "no <answer> tag with text in it")


def write_events(events: Sequence[Event]) -> str:
    """``<event>label, (start end)(start end)</event>`` for each label, in order of first appearance."""
    ranges: dict[str, str] = {}
    for event in events:
        ranges[event.label] = ranges.get(event.label, "") + f"({number(event.start)} {number(event.end)})"
    return "".join(f"<event>{label}, {spans}</event>" for label, spans in ranges.items())


def read_events(text: str) -> tuple[list[Event], str]:
    """The events in event tags and, where there are none, the reason. A range that ends before its start is none."""
    blocks = _inside("event", text)
    if not blocks:
        return [], "no <event> tag"
    events = []
    for block in blocks:
        first = _RANGE.search(block)
        label = block[: first.start()].strip().rstrip(",").strip() if first else ""
        for start, end in _RANGE.findall(block) if label else ():
            if 0 <= float(start) < float(end):
                events.append(Event(label, float(start), float(end)))
    return events, "" if events else "no <event> tag with a label and a time range (start end)"


def to_units(box: Box, canvas: Canvas) -> tuple[int, int, int, int]:
    """A normalised box in whole units of the canvas, at least one unit wide and high."""
    (width, height), (x1, y1, x2, y2) = canvas, box
    left, top = min(round(x1 * width), width - 1), min(round(y1 * height), height - 1)
    return left, top, max(round(x2 * width), left + 1), max(round(y2 * height), top + 1)


def write_object(thing: Object, canvas: Canvas) -> str:
    """``<obj>label (x1,y1)(x2,y2)</obj>`` in units of the canvas.

    Raises:
        ValueError: the object has no box.
    """
    if thing.box is None:
        raise ValueError(f"object {thing.label!r} has no box to write")
    x1, y1, x2, y2 = to_units(thing.box, canvas)
    return f"<obj>{thing.label} ({x1},{y1})({x2},{y2})</obj>"


def read_object(text: str, canvas: Canvas) -> tuple[Object | None, str]:
    """The object of the last obj tag and, where there is none, the reason. A box outside the canvas is none."""
    for block in reversed(_inside("obj", text)):
        found = _CORNERS.search(block) or _BRACKETS.search(block)
        if found:
            label = block[: found.start()].strip().rstrip(",:").strip()
            box = _box([float(value) for value in found.groups()], canvas)
            return (Object(label or "object", box), "") if box else (None, f"box outside the canvas: {found.group(0)}")
    return None, "no <obj> tag with a box in it"


def _box(values: list[float], canvas: Canvas) -> Box | None:
    x1, y1, x2, y2 = values[0] / canvas[0], values[1] / canvas[1], values[2] / canvas[0], values[3] / canvas[1]
    return (x1, y1, x2, y2) if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 else None
