"""The grammar of answers: writes and reads the tags in which a model gives them.

=====================  ==============================================================================
a word, an option      ``<answer>left</answer>``
events                 ``<event>dog barking, (0 3)(7 10)</event>``
events of one sense    ``<audio>Speech, (0 4)</audio><visual>Dog, (2 10)</visual>``
things                 ``<obj>dog (31,40)(188,201) (60,80)(90,120)(150,99)</obj>``: name, box, points
is it there            ``<answer>true</answer>`` with its ``<obj>``, or ``<answer>false</answer>``
a description          ``<caption>A man hammers a nail.</caption>``
=====================  ==============================================================================

Reading is lenient in form (case, spaces, commas, ``[x1,y1,x2,y2]`` for boxes, ``[x,y]`` for points,
``<audio_event>`` for ``<audio>``, ``<range> 0,3 </range>`` behind an event, a missing closing tag) and strict in
meaning: what is not there is never made up.
Every reader takes any text, in time linear in its length, and gives what it found, or says why it found nothing.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from crabplus.schema import Box, Event, Modality, Object, Point

Canvas = tuple[int, int]

_NUMBER = r" ?(-?\d{1,7}(?:\.\d{1,7})?) ?"  # spaces have been drawn together, digits have an end: no long way back
_TIME = rf"{_NUMBER}(?:s(?:ec(?:ond)?s?)? ?)?"
_RANGE = re.compile(rf"[(\[]{_TIME}(?:[ ,;-]|to|until){_TIME}[)\]]", re.IGNORECASE)
_RANGE_TAG = re.compile(rf"< ?range ?> ?\(?{_TIME}(?:[ ,;-]|to|until){_TIME}\)? ?<", re.IGNORECASE)
_BARE_RANGE = re.compile(rf"(?<![\d.]){_TIME}(?:-|to|until){_TIME}(?![\d.])", re.IGNORECASE)
_BEHIND = re.compile(rf"< ?/ ?\w+ ?> ?,? ?((?:{_RANGE.pattern}[ ,]?)+)", re.IGNORECASE)
_PAIR = re.compile(rf"[(\[]{_NUMBER}[, ]{_NUMBER}[)\]]")
_CORNERS = re.compile(rf"{_PAIR.pattern} ?(?:,|-|to|and)? ?{_PAIR.pattern}")
_FOUR = re.compile(rf"[(\[]{_NUMBER}[, ]{_NUMBER}[, ]{_NUMBER}[, ]{_NUMBER}[)\]]")
_BOX = re.compile(rf"{_FOUR.pattern}|{_CORNERS.pattern}")
_LETTER = re.compile(r"[^\W\d_]")
_LEADS_TO_TIME = (" from", " at", " between", " during")
_TRUTH = re.compile(r"\W*(true|yes|false|no)\b", re.IGNORECASE)
_TAGS = "answer|event|audio|visual|obj|caption"
_WHOLE_TAG = re.compile(rf"<({_TAGS})>.*?</\1>")
_FIRST_TAG = re.compile(rf"< ?(?:{_TAGS}|audio_event|visual_event) ?>", re.IGNORECASE)
_ANY_TAG = re.compile(rf"< ?/? ?(?:{_TAGS}|audio_event|visual_event) ?>", re.IGNORECASE)
_NO_BOX = "no <obj> tag with a box in it"
_NOTHING = ("", "none", "nothing", "no event", "no events", "n/a")
_DECOR = ' *`"'  # what marks a word in other formats
_SIGNS = str.maketrans("（）［］，；：。！–—“”＜＞", '()[],;:.!--""<>')
_TOKEN = re.compile(r"<\|[^<>|]{1,40}\|>")


def tidy(text: str) -> str:
    """The text with every run of white space as one space, and with ``?`` for half a surrogate pair."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def loose(text: str) -> str:
    """Tidy text with plain brackets and commas for their full-width kin, without special tokens of a chat.

    Qwen's own tokens for a thing and its box become the tags that are used here.
    """
    text = tidy(text).translate(_SIGNS)
    if "<|box_start|>" in text:
        named = "<|object_ref_start|>" in text
        text = text.replace("<|object_ref_start|>", "<obj>").replace("<|box_end|>", "</obj>")
        text = text.replace("<|box_start|>", " " if named else "<obj>")
    return _TOKEN.sub("", text)


def without_tags(text: str) -> str:
    """Reasoning without the tags of answers, which would be read as one."""
    return tidy(_ANY_TAG.sub(" ", text))


def plain(label: str) -> str:
    """The one form in which labels are compared: lower case, words apart at ``_``, ``-`` and withinWords."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(parted.replace("_", " ").replace("-", " ").lower().split())


def split_reasoning(text: str) -> str | None:
    """What stands before the first tag; None where there is no tag, or nothing before it."""
    text = tidy(text)
    tag = _FIRST_TAG.search(text)
    return (text[: tag.start()].strip() or None) if tag else None


def _inside(tag: str, text: str) -> list[str]:
    """Contents of every ``<tag>...</tag>`` of tidy text; where the closing tag is missing, up to the next tag."""
    contents = re.split(rf"< ?(?:{tag}) ?>", text, flags=re.IGNORECASE)[1:]
    return [_ANY_TAG.split(content, maxsplit=1)[0].strip() for content in contents]


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
    words = [word.strip(_DECOR).rstrip(".! ").strip(_DECOR) for word in _inside("answer", loose(text))]
    words = [word for word in words if word]
    return (words[-1], "") if words else (None, "no <answer> tag with text in it")


def read_truth(text: str) -> tuple[bool | None, str]:
    """Whether the last answer tag says true or false and, where it says neither, the reason."""
    word, reason = read_answer(text)
    if word is None:
        return None, reason
    said = _TRUTH.match(word)
    return (said[1].lower() in ("true", "yes"), "") if said else (None, f"neither true nor false: {word:.40}")


def write_caption(caption: str) -> str:
    """``<caption>text</caption>``."""
    return f"<caption>{caption}</caption>"


def read_caption(text: str) -> tuple[str | None, str]:
    """The last caption tag that is not empty; the whole text where there is no such tag."""
    text = tidy(_TOKEN.sub("", text))
    captions = [caption for caption in _inside("caption", text) if caption]
    found = captions[-1] if captions else "" if _inside("caption", text) else text
    return (found, "") if found else (None, "empty text")


def write_events(events: Sequence[Event], tag: str = "event") -> str:
    """``<event>label, (start end)(start end)</event>`` for each label, as they come; else one empty tag."""
    ranges: dict[str, str] = {}
    for event in events:
        ranges[event.label] = ranges.get(event.label, "") + _range(event.start, event.end)
    return "".join(f"<{tag}>{label}, {spans}</{tag}>" for label, spans in ranges.items()) or f"<{tag}></{tag}>"


def _range(start: float, end: float) -> str:
    short = number(start) == number(end)  # an event shorter than a tenth of a second keeps its length
    return f"({start:g} {end:g})" if short else f"({number(start)} {number(end)})"


def read_events(text: str) -> tuple[list[Event], str]:
    """The events in event tags, or the reason why nothing could be read. A range that ends before its start is none.

    No events and no reason: the tags are there and empty, which says that nothing happens.
    """
    return _events(loose(text), "event", "audio-visual")


def write_sense_events(events: Sequence[Event]) -> str:
    """Heard events in ``<audio>`` tags, then seen ones in ``<visual>`` tags; what is both stands in both."""
    heard = [event for event in events if event.modality != "visual"]
    seen = [event for event in events if event.modality != "audio"]
    return write_events(heard, "audio") + write_events(seen, "visual")


def read_sense_events(text: str) -> tuple[list[Event], str]:
    """The events in audio and in visual tags, or the reason why nothing could be read; see :func:`read_events`."""
    text = loose(text)
    heard, no_sound = _events(text, "audio|audio_event", "audio")
    seen, no_sight = _events(text, "visual|visual_event", "visual")
    unread = no_sound and no_sight
    return [*heard, *seen], "no <audio> or <visual> tag with a label and a range (start end)" if unread else ""


def _events(text: str, tag: str, modality: Modality) -> tuple[list[Event], str]:
    blocks = re.split(rf"< ?(?:{tag}) ?>", text, flags=re.IGNORECASE)[1:]
    if not blocks:
        return [], f"no <{tag}> tag"
    events, empty = [], True
    for block in blocks:
        inside, ranged = _ranged(_FIRST_TAG.split(block, maxsplit=1)[0])
        empty = empty and plain(inside) in _NOTHING
        for label, start, end in ranged:
            if label and 0 <= float(start) < float(end):
                events.append(Event(label, float(start), float(end), modality))
    return events, "" if events or empty else f"no <{tag}> tag with a label and a time range (start end)"


def _ranged(block: str) -> tuple[str, list[tuple[str, str, str]]]:
    """What stands in an event tag, and its labels with their ranges.

    Ranges may be without brackets, or behind the tag: bare or in range tags of their own.
    """
    inside = _ANY_TAG.split(block, maxsplit=1)[0].strip()
    ranges = list(_RANGE.finditer(inside)) or list(_BARE_RANGE.finditer(inside))
    if not ranges:
        label, behind = _label(inside), _BEHIND.search(block)
        later = _RANGE_TAG.findall(block) or (_RANGE.findall(behind[1]) if behind else [])
        return inside, [(label, start, end) for start, end in later]
    found, label, before = [], "", 0
    for match in ranges:  # a further label between two ranges begins a further event
        label = _label(inside[before : match.start()]) or label
        found.append((label, match[1], match[2]))
        before = match.end()
    return inside, found


def _label(text: str) -> str:
    """A label without the signs around it; empty where there is no letter."""
    text = text.strip(_DECOR + ",:;")
    for word in _LEADS_TO_TIME:
        text = text[: -len(word)].rstrip(_DECOR + ",:;") if text.lower().endswith(word) else text
    text = text.removesuffix("(").rstrip(_DECOR + ",:;")
    return text if _LETTER.search(text) else ""


def to_units(box: Box, canvas: Canvas) -> tuple[int, int, int, int]:
    """A normalised box in whole units of the canvas, at least one unit wide and high."""
    (width, height), (x1, y1, x2, y2) = canvas, box
    left, top = min(round(x1 * width), width - 1), min(round(y1 * height), height - 1)
    return left, top, max(round(x2 * width), left + 1), max(round(y2 * height), top + 1)


def write_object(thing: Object, canvas: Canvas) -> str:
    """``<obj>label (x1,y1)(x2,y2) (x,y)...</obj>`` in units of the canvas: the box, then the points if there are any.

    Raises:
        ValueError: the object has no box.
    """
    if thing.box is None:
        raise ValueError(f"object {thing.label!r} has no box to write")
    x1, y1, x2, y2 = to_units(thing.box, canvas)
    points = "".join(f"({min(int(x * canvas[0]), canvas[0] - 1)},{min(int(y * canvas[1]), canvas[1] - 1)})"
                     for x, y in thing.points)  # fmt: skip
    return f"<obj>{thing.label} ({x1},{y1})({x2},{y2}){' ' if points else ''}{points}</obj>"


def read_objects(text: str, canvas: Canvas) -> tuple[list[Object], str]:
    """The objects in obj tags, or the reason why nothing could be read.

    No objects and no reason: the tags are there and empty, which says that there is nothing.
    What reaches over the edge of the canvas is cut off there; boxes and points that lie outside of it are none. Where
    there is no obj tag, boxes written ``[x1,y1,x2,y2]`` are read from the bare text, each with the points behind it.
    """
    text = loose(text)
    blocks = _inside("obj", text)
    if not blocks:
        starts = [match.start() for match in _FOUR.finditer(text) if match.group(0)[0] == "["]
        blocks = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    if not blocks:
        return [], _NO_BOX
    found, unusable = [], ""
    for label, corners, rest in (thing for block in blocks for thing in _things(block)):
        box = _box(corners, canvas)
        if box is None:
            unusable = f"box outside the canvas or without extent: {', '.join(map(number, corners))}"
        else:
            found.append(Object(label or "object", box, _points(rest, canvas)))
    said = found or all(plain(block) in _NOTHING for block in blocks)
    return found, "" if said else unusable or _NO_BOX


def read_object(text: str, canvas: Canvas) -> tuple[Object | None, str]:
    """The last object of the text and, where there is none, the reason."""
    found, reason = read_objects(text, canvas)
    return (found[-1], "") if found else (None, reason or _NO_BOX)


def _things(block: str) -> Iterator[tuple[str, list[float], str]]:
    """Label, box and what stands behind it of every thing in a block; words between two boxes begin a further thing."""
    begun: list[tuple[str, re.Match[str]]] = []
    before = 0
    for match in _BOX.finditer(block):
        between = block[before : match.start()]
        if not begun or _LETTER.search(between):
            begun.append((_label(_PAIR.sub(" ", between)), match))
        before = match.end()
    for (label, match), following in zip_longest(begun, begun[1:]):
        corners = [float(value) for value in match.groups() if value is not None]
        yield label, corners, block[match.end() : following[1].start() if following else len(block)]


def _points(text: str, canvas: Canvas) -> tuple[Point, ...]:
    """Points, each at the middle of its unit; those outside the canvas are left out."""
    width, height = canvas
    units = [(float(x), float(y)) for x, y in _PAIR.findall(text)]
    inside = [(int(x), int(y)) for x, y in units if 0 <= x < width and 0 <= y < height]
    return tuple(((x + 0.5) / width, (y + 0.5) / height) for x, y in inside)


def _box(values: list[float], canvas: Canvas) -> Box | None:
    x1, x2 = (min(max(value / canvas[0], 0.0), 1.0) for value in (values[0], values[2]))
    y1, y2 = (min(max(value / canvas[1], 0.0), 1.0) for value in (values[1], values[3]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
