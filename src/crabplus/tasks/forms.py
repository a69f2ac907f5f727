r"""The grammar of answers once more, as regular expressions: what :mod:`crabplus.tasks.tags` writes, and nothing else.

Whatever they match is read as an answer. They keep to characters, sets, ``\d`` and its like, groups, lookahead and
quantifiers, and these are lazy: whoever completes a text finds the shortest rest first. Where a pack is spaced, a
space may stand behind ``>``, ``(`` and ``,``.
"""

import re
from collections.abc import Iterable
from functools import cache
from math import ceil

from crabplus.schema import Sample
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import Canvas, spaced

MOST = 32  # events, ranges or things in one answer
_HALF = "\ufffd"  # what half a character is decoded to
_BRACKETS = r"<>()\[\]（）［］＜＞"
_NAME = rf"[\d_'#&*+./{_HALF}-]{{0,8}}?[^\W\d_][^{_BRACKETS}]{{0,79}}?"  # the first word has a letter
_WORD = rf"[\w{_HALF}][^<>＜＞]{{0,79}}?"
_TENTH = r"(?:\.[1-9])??"


def whole(low: int, high: int) -> str:
    """The whole numbers from ``low`` to ``high``, without leading zeros; the shortest first."""
    runs = []
    while low <= high:
        size = 1  # of the largest block of tens, hundreds, ... that begins here
        while low and low % (10 * size) == 0 and low + 10 * size - 1 <= high:
            size *= 10
        first = low // size % 10
        last = min(9, first + (high - low + 1) // size - 1)
        digits = f"[{first}-{last}]" if last > first else str(first)
        runs.append(f"{low // (10 * size) or ''}{digits}" + r"\d" * (len(str(size)) - 1))
        low += (last - first + 1) * size
    return f"(?:{'|'.join(runs)})"


def one_of(texts: Iterable[str], pack: Pack) -> str:
    """One of these answers, tags included."""
    written = [form for text in texts for form in ((text, spaced(text)) if pack.spaced else (text,))]
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys(written)))})"


def word(pack: Pack) -> str:
    """``<answer>`` with any word or words in it."""
    return f"<answer>{_space(pack.spaced)}{_WORD}</answer>"


def caption(pack: Pack) -> str:
    """``<caption>`` with sentences in it."""
    return rf"<caption>{_space(pack.spaced)}[^<>\s][^<>]{{0,999}}?</caption>"


def events(tag: str, sample: Sample, pack: Pack, most: int = MOST) -> str:
    """Up to ``most`` events with their ranges, or one empty tag.

    Times are whole seconds or tenths, within what a model is shown at a time or, if that is more, within the media.
    """
    lengths = (media.end or media.duration or 0.0 for media in sample.media)
    space, span = _space(pack.spaced), _range(ceil(max(pack.longest, *lengths, 1.0)), pack.spaced)
    one = f"{space}<{tag}>{space}{_name(sample)}, (?:{span}){{1,{MOST}}}?</{tag}>"
    return f"(?:<{tag}></{tag}>|(?:{one}){{1,{most}}}?)"


def thing(sample: Sample, pack: Pack, points: int = 0) -> str:
    """``<obj>`` with a name, a box within the canvas and up to ``points`` points."""
    space, (width, height) = _space(pack.spaced), pack.canvas
    point = rf"\({space}{whole(0, width - 1)},{space}{whole(0, height - 1)}\)"
    behind = f"(?: (?:{point}){{1,{points}}}?)??" if points else ""
    return f"{space}<obj>{space}{_name(sample)} {_box(pack.canvas, pack.spaced)}{behind}</obj>"


def things(sample: Sample, pack: Pack, points: int) -> str:
    """One thing or several."""
    return f"(?:{thing(sample, pack, points)}){{1,{MOST}}}?"


def _name(sample: Sample) -> str:
    """A label: one of the sample's own where it has to be (``meta["closed"]``), else any."""
    own = sample.options if sample.meta.get("closed") else ()
    return f"(?:{'|'.join(map(re.escape, own))})" if own else _NAME


def _space(wanted: bool) -> str:
    return " ??" if wanted else ""


@cache
def _range(longest: int, with_space: bool) -> str:
    """``(start end)`` with start before end: for every second in which it may start, the ends that it may have."""
    starts = []
    for start in range(longest):
        later = f"{whole(start + 1, longest - 1)}{_TENTH}|{longest}" if start + 1 < longest else str(longest)
        within = "|".join(rf"\.{tenth} {start}\.{f'[{tenth + 1}-9]' if tenth < 8 else 9}" for tenth in range(1, 9))
        starts.append(rf"{start}(?:{_TENTH} (?:{later})| {start}\.[1-9]|{within})")
    return rf"\({_space(with_space)}(?:{'|'.join(starts)})\)"


@cache
def _box(canvas: Canvas, with_space: bool) -> str:
    """``(x1,y1)(x2,y2)``: two looks ahead see to it that x1 < x2 and that y1 < y2."""
    (width, height), space = canvas, _space(with_space)
    x1, y1, x2, y2 = whole(0, width - 1), whole(0, height - 1), whole(1, width), whole(1, height)
    wide = "|".join(rf"{x},{space}{y1}\)\({space}{whole(x + 1, width)}," for x in range(width))
    high = "|".join(rf"{y}\)\({space}{x2},{space}{whole(y + 1, height)}\)" for y in range(height))
    return (
        rf"(?=\({space}(?:{wide}))(?=\({space}{x1},{space}(?:{high}))"
        rf"\({space}{x1},{space}{y1}\)\({space}{x2},{space}{y2}\)"
    )
