"""A still picture of a few cards, for a README or a paper: what was shown, the truth, and what the model said."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from crabplus.report.card import Card, describe, verdict
from crabplus.report.colours import INK, LINE, SOFT, plain
from crabplus.report.overlay import overlay
from crabplus.report.timeline import Row, Timeline, timeline

__all__ = ["draw_cards"]

_COLOURS = {"truth": "#0b66c3", "said": "#bf4b06"}
_OVER = {"truth": "#5db0ff", "said": "#ff9447"}
_MARKS = {"right": "#14733f", "partly": "#7d5700", "wrong": "#b3261e"}

_WIDTH, _MARGIN, _GAP = 11.0, 0.25, 0.3
_HALF = (_WIDTH - 2 * _MARGIN - _GAP) / 2
_SQUARE = 2.1
_NAMES = 0.8
_AXIS = 6.4
_LANE = 0.3
"""In inches: page, margins, half a page; pictures beside a text; row names, time axis and lane of a timeline."""
_SPACING = 1.45 / 72
"""Inches from line to line per point of letter size."""


class _Place(NamedTuple):
    """A card on the page: left and top edge, width and height, in inches from the top left corner."""

    x: float
    y: float
    width: float
    height: float


class _Line(NamedTuple):
    """A line of text: what, how large, which colour and weight."""

    text: str
    size: float
    colour: str
    weight: str = "normal"
    style: str = "normal"


def draw_cards(
    path: str | Path, cards: Sequence[Card], pictures: Sequence[NDArray[np.uint8]], *, dpi: int = 150
) -> None:
    """Draw cards into a PNG: events across the page, other answers two in a row.

    Events are drawn as a strip of pictures over a timeline, truth above prediction; boxes over a picture; the rest in
    words. Of a video six frames are shown for events, four else, evenly chosen.

    Args:
        path: the PNG file.
        cards: what to draw.
        pictures: for each card (N, H, W, 3): frames of a video in order of time, or one picture.
        dpi: dots per inch; the page is 11 inches wide.

    Raises:
        ValueError: no card, or not as many stacks of pictures as cards.
    """
    if not cards or len(cards) != len(pictures):
        raise ValueError(f"pictures: one stack per card wanted, got {len(pictures)} for {len(cards)} cards")
    lanes = [timeline(card) for card in cards]
    places = _arrange(lanes)
    height = max(place.y + place.height for place in places) + _MARGIN
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    for card, lane, stack, place in zip(cards, lanes, pictures, places, strict=True):
        if lane:
            _draw_events(figure, place, card, lane, stack)
        else:
            _draw_pictures(figure, place, card, stack)
    figure.savefig(path, dpi=dpi, metadata={"Software": None})


def _arrange(lanes: Sequence[Timeline | None]) -> list[_Place]:
    """Events get a row of their own, other cards half a row each."""
    places: list[_Place] = []
    y = _MARGIN
    waiting = False
    for lane in lanes:
        if lane:
            y += (_SQUARE + _GAP) * waiting
            waiting = False
            height = _strip(6) + 0.1 + _LANE * sum(row.lanes for row in lane.rows) + 0.3
            places.append(_Place(_MARGIN, y, _WIDTH - 2 * _MARGIN, height))
            y += height + _GAP
        else:
            places.append(_Place(_MARGIN + (_HALF + _GAP) * waiting, y, _HALF, _SQUARE))
            y += (_SQUARE + _GAP) * waiting
            waiting = not waiting
    return places


def _strip(count: int) -> float:
    """Side of each of ``count`` square pictures over the time axis."""
    return (_AXIS - 0.06 * (count - 1)) / count


def _axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, y from the top."""
    page = figure.get_figheight()
    return figure.add_axes((x / _WIDTH, 1 - (y + height) / page, width / _WIDTH, height / page))


def _choose(stack: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    chosen: NDArray[np.uint8] = stack[np.linspace(0, len(stack) - 1, min(len(stack), most)).round().astype(int)]
    return chosen


def _draw_events(figure: Figure, place: _Place, card: Card, lanes: Timeline, stack: NDArray[np.uint8]) -> None:
    side, left = _strip(6), place.x + _NAMES
    for i, picture in enumerate(_choose(stack, 6)):
        _show(_axes(figure, left + i * (side + 0.06), place.y, side, side), picture)
    axes = _axes(figure, left, place.y + side + 0.1, _AXIS, place.height - side - 0.4)
    _draw_timeline(axes, lanes)
    _write(figure, left + _AXIS + _GAP, place, _lines(card, 36, place.height, answers=False))


def _draw_pictures(figure: Figure, place: _Place, card: Card, stack: NDArray[np.uint8]) -> None:
    shown = _choose(stack, 4)
    across = 1 if len(shown) == 1 else 2
    side = (_SQUARE - 0.06 * (across - 1)) / across
    for i, picture in enumerate(shown):
        row, column = divmod(i, across)
        axes = _axes(figure, place.x + column * (side + 0.06), place.y + row * (side + 0.06), side, side)
        _show(axes, picture)
        if len(shown) == 1:
            _draw_boxes(axes, card, picture)
    _write(figure, place.x + _SQUARE + 0.2, place, _lines(card, 34, place.height, answers=True))


def _show(axes: Axes, picture: NDArray[np.uint8]) -> None:
    axes.imshow(picture, interpolation="lanczos")
    axes.set_axis_off()


def _draw_boxes(axes: Axes, card: Card, picture: NDArray[np.uint8]) -> None:
    over = overlay(card, picture.shape[1], picture.shape[0])
    for frame in over.frames if over else ():
        for colour, width, style in (("#000000b0", 4.5, "-"), (_OVER[frame.kind], 2.2, _dash(frame.kind))):
            box = Rectangle((frame.x - 0.5, frame.y - 0.5), frame.width, frame.height, fill=False)
            box.set(edgecolor=colour, linewidth=width, linestyle=style)
            axes.add_patch(box)
    for spot in over.spots if over else ():
        axes.plot(spot.x, spot.y, "o", markersize=5, markerfacecolor=_OVER[spot.kind], markeredgecolor="black")


def _dash(kind: str) -> str:
    return "--" if kind == "truth" else "-"


def _draw_timeline(axes: Axes, lanes: Timeline) -> None:
    """Bars over seconds, rows from the top down, each as high as its lanes."""
    axes.set(xlim=(0, lanes.length), ylim=(sum(row.lanes for row in lanes.rows), 0), yticks=[])
    axes.set_xticks([tick.left * lanes.length / 100 for tick in lanes.ticks], [tick.words for tick in lanes.ticks])
    axes.tick_params(axis="x", labelsize=8, labelcolor=SOFT, length=0)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    top = 0
    for row in lanes.rows:
        _draw_row(axes, row, top, lanes.length)
        top += row.lanes


def _draw_row(axes: Axes, row: Row, top: int, length: float) -> None:
    colour, inset = _COLOURS[row.kind], 0.01 * length
    axes.text(-inset, top + row.lanes / 2, row.name, ha="right", va="center", color=colour, fontsize=9, weight="bold")
    for bar in row.bars:
        start, width = bar.left * length / 100, bar.width * length / 100
        box = axes.add_patch(Rectangle((start, top + bar.lane + 0.1), width, 0.8, color=colour))
        label = axes.text(start + inset, top + bar.lane + 0.5, bar.label, va="center", color="white", fontsize=8.5)
        label.set_clip_path(box)
    if row.note:
        axes.text(inset, top + row.lanes / 2, row.note, va="center", color=SOFT, fontsize=8.5)


def _lines(card: Card, width: int, height: float, answers: bool) -> list[_Line]:
    """Text of a card: lines of about ``width`` letters; the reasoning gets what is left of ``height`` inches."""
    sample, judged = card.sample, verdict(card)
    lines = [_Line(sample.task, 8.5, SOFT)]
    lines += [_Line(text, 11, INK, "bold") for text in _break(sample.question, int(width * 0.8), 3)]
    if answers:
        truth = "not known" if sample.answer is None else describe(sample.answer, sample)
        lines += [_Line(text, 9.5, _COLOURS["truth"]) for text in _break(f"Truth: {truth}", width, 2)]
        said = describe(card.said, sample)
        lines += [_Line(text, 9.5, _COLOURS["said"]) for text in _break(f"Predicted: {said}", width, 2)]
    if judged.mark in _MARKS:
        lines.append(_Line(judged.words, 9.5, _MARKS[judged.mark], "bold"))
    left = int((height / _SPACING - sum(line.size for line in lines)) // 8.5)
    reasoning = card.prediction.reasoning if card.prediction else None
    return lines + [_Line(text, 8.5, SOFT, style="italic") for text in _break(reasoning, int(width * 1.1), left)]


def _break(text: str | None, width: int, most: int) -> list[str]:
    """At most ``most`` lines."""
    lines = wrap(text or "", width, max_lines=most, placeholder=" …") if most > 0 else []
    return [plain(line) for line in lines]


def _write(figure: Figure, x: float, place: _Place, lines: Sequence[_Line]) -> None:
    """Write lines from the top of a place."""
    y = place.y
    for line in lines:
        figure.text(x / _WIDTH, 1 - y / figure.get_figheight(), line.text, va="top", fontsize=line.size,
                    color=line.colour, weight=line.weight, style=line.style)  # fmt: skip
        y += line.size * _SPACING
