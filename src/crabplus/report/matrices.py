"""Agreement between task keys as pictures that can be read in grey: minus signs and hatching say what colours say."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crabplus.report.colours import INK, LINE, SOFT, plain
from crabplus.report.heat import BETTER, WORSE

__all__ = ["draw_matrix", "draw_pieces", "draw_small", "draw_trust"]

_MAP = LinearSegmentedColormap.from_list("agreement", [WORSE, "#ffffff", BETTER])
_NONE = "#eceff2"
_HATCH = "#00000040"
_MARGIN = 0.15
_WIDTH, _FEW = 11.0, 6
"""In inches: the page; of so many keys a small matrix has numbers in it."""
Matrix = Sequence[Sequence[Any]]


def draw_matrix(made: Mapping[str, Any]) -> bytes:
    """The keys against each other as a PNG, like ones beside each other, with the suggested groups framed.

    Args:
        made: what ``conflict.json`` holds.
    """
    names, order = list(made["keys"]), _order(made)
    side = max(0.42, min(0.8, 6 / len(names)))
    left, top, foot = 0.35 + 0.085 * max(map(len, names)), 0.3 + 0.075 * max(map(len, names)), 0.85
    width = max(left + side * len(names) + 2 * _MARGIN, 6.2)
    figure = Figure(figsize=(width, top + side * len(names) + foot), facecolor="white")
    axes = _axes(figure, left + _MARGIN, top, side * len(names), side * len(names))
    whole, size = made["whole"], min(10.0, 15 * side)
    values = [
        [_shown(whole, row, column, one, other) for column, other in enumerate(order)] for row, one in enumerate(order)
    ]
    _grid(axes, values, _sorted(whole["clear"], order))
    _words(axes, [[_number(value) for value in row] for row in values], size)
    _outlines(axes, made["groups"])
    _ticks(axes, [names[number] for number in order], 10)
    _foot(figure, foot, (
        "below the diagonal: cosine as measured; above: without the noise of few batches",
        "on it: a key with itself, from two halves of its batches (1: no noise)",
        "frames: suggested groups; hatched: below zero in all halves, a clear conflict",
    ))  # fmt: skip
    return _png(figure)


def draw_small(views: Sequence[Mapping[str, Any]], made: Mapping[str, Any]) -> bytes:
    """A small matrix of cosines as measured for each view, in the order of the large one, as a PNG."""
    order, names = _order(made), list(made["keys"])
    few = len(names) <= _FEW
    across_page, largest = (5, 1.9) if few else (4, 2.4)
    left = 0.25 + 0.075 * max(map(len, names))
    rows, gap = ceil(len(views) / across_page), 0.62
    across = (_WIDTH - left - _MARGIN) / across_page
    side = min(largest, across - 0.2)
    figure = Figure(figsize=(_WIDTH, rows * (side + gap) + 0.3), facecolor="white")
    for place, view in enumerate(views):
        row, column = divmod(place, across_page)
        axes = _axes(figure, left + column * across, gap + row * (side + gap), side, side)
        values = _sorted(view["cosine"], order)
        for number, one in enumerate(order):
            values[number][number] = view["itself"][one]
        _grid(axes, values, _sorted(view["clear"], order))
        if few:
            _words(axes, [[_number(value) for value in row] for row in values], 7.5)
        axes.set_title(f"{plain(view['name'])}\n{_pairs_in(view)}", fontsize=8.5, color=INK, loc="left")
        _ticks(axes, [names[number] for number in order] if column == 0 else [], 7.5 if few else 7, top=False)
    return _png(figure)


def draw_pieces(made: Mapping[str, Any]) -> bytes:
    """Mean cosine over the pairs of keys for each piece (rows) of each layer, as a PNG; in a cell the conflicts."""
    pieces = made["pieces"]
    places = list(dict.fromkeys(piece["place"] for piece in pieces))
    rows = sorted({(piece["module"], piece["kind"]) for piece in pieces}, key=lambda name: _first(pieces, name))
    wide, high, top, foot = 0.42, 0.26, 1.3, 0.5
    left = 0.35 + 0.075 * max(len(" · ".join(name)) for name in rows)
    width = max(left + wide * len(places) + _MARGIN, 6.2)
    figure = Figure(figsize=(width, top + high * len(rows) + foot), facecolor="white")
    axes = _axes(figure, left, top, wide * len(places), high * len(rows))
    values: list[list[float | None]] = [[None] * len(places) for _ in rows]
    words = [[""] * len(places) for _ in rows]
    for piece in pieces:
        y, x = rows.index((piece["module"], piece["kind"])), places.index(piece["place"])
        values[y][x] = piece["mean"]
        words[y][x] = f"{100 * piece['conflicting']:.0f}" if piece["conflicting"] else ""
    _grid(axes, values, [[value is not None and value < 0 for value in row] for row in values])
    _words(axes, words, 7)
    axes.set_xticks([n + 0.5 for n in range(len(places))], [plain(name) for name in places], rotation=90)
    axes.set_yticks([n + 0.5 for n in range(len(rows))], [plain(" · ".join(name)) for name in rows])
    axes.tick_params(labelsize=8, labelcolor=INK, length=0, labeltop=True, labelbottom=False)
    _foot(figure, foot, (
        "blue: keys agree in the mean; orange, hatched: they conflict; grey: no gradient, or no such layer",
        "number: % of the pairs in conflict, where there are any",
    ))  # fmt: skip
    return _png(figure)


def draw_trust(compared: Sequence[Mapping[str, Any]]) -> bytes:
    """What was predicted against what was measured, a panel for each method, as a PNG."""
    across = min(len(compared), 3)
    rows = ceil(len(compared) / across)
    figure = Figure(figsize=(max(3.6 * across, 6.2), 3.7 * rows), facecolor="white", layout="constrained")
    for place, found in enumerate(compared):
        axes = figure.add_subplot(rows, across, place + 1)
        _points(axes, found["points"])
        rho = "no rank correlation" if found["rho"] is None else f"rank correlation {found['rho']:+.2f}"
        axes.set_title(f"{plain(found['method'])}: {rho}, n = {found['n']}", fontsize=9.5, loc="left", color=INK)
        axes.set_xlabel("predicted: mean cosine with the others", fontsize=8.5, color=SOFT)
        axes.set_ylabel("measured: relative change (%)", fontsize=8.5, color=SOFT)
    return _png(figure)


def _points(axes: Axes, points: Mapping[str, Mapping[str, Any]]) -> None:
    for line in (axes.axhline, axes.axvline):
        line(0, color=LINE, linewidth=1)
    for key, point in points.items():
        x, y = point["predicted"], point["measured"]
        if x is None or y is None:
            continue
        face = "white" if point["left_out"] else BETTER
        axes.plot(x, 100 * y, "o", markersize=6, markerfacecolor=face, markeredgecolor=BETTER)
        axes.annotate(plain(key), (x, 100 * y), (5, 4), textcoords="offset points", fontsize=8, color=INK)
    axes.margins(0.18)
    axes.tick_params(labelsize=8.5, labelcolor=SOFT, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)


def _shown(whole: Mapping[str, Any], row: int, column: int, one: int, other: int) -> float | None:
    if row == column:
        found: float | None = whole["itself"][one]
    else:
        found = whole["cosine" if column < row else "debiased"][one][other]
    return found


def _sorted(matrix: Matrix, order: Sequence[int]) -> list[list[Any]]:
    return [[matrix[one][other] for other in order] for one in order]


def _grid(axes: Axes, values: Matrix, hatched: Sequence[Sequence[bool]]) -> None:
    """Coloured cells from the top down, grey without a value; hatching is in patches of its own, for its lines."""
    table = np.ma.masked_invalid(np.array(values, dtype=float))
    axes.set_facecolor(_NONE)
    axes.pcolormesh(table, cmap=_MAP, vmin=-1, vmax=1, edgecolors="white", linewidth=0.8)
    boxes = [Rectangle((x, y), 1, 1) for y, x in np.argwhere(hatched)]
    axes.add_collection(PatchCollection(boxes, facecolor="none", edgecolor=_HATCH, linewidth=0, hatch="///"))
    axes.set(xlim=(0, table.shape[1]), ylim=(table.shape[0], 0))
    axes.spines[:].set_visible(False)


def _words(axes: Axes, words: Sequence[Sequence[str]], size: float) -> None:
    for y, row in enumerate(words):
        for x, text in enumerate(row):
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=size, color=INK)


def _outlines(axes: Axes, groups: Sequence[Sequence[str]]) -> None:
    start = 0
    for group in groups:
        size = len(group)
        axes.add_patch(Rectangle((start, start), size, size, fill=False, edgecolor=INK, linewidth=1.8, clip_on=False))
        start += size


def _ticks(axes: Axes, names: Sequence[str], size: float, top: bool = True) -> None:
    places, labels = [n + 0.5 for n in range(len(names))], [plain(name) for name in names]
    axes.set_yticks(places, labels)
    axes.set_xticks(places if top else [], labels if top else [], rotation=90)
    axes.tick_params(labelsize=size, labelcolor=INK, length=0, labeltop=top, labelbottom=False)


def _number(value: float | None) -> str:
    """Two digits, a true minus; a cosine needs no zero before the point."""
    if value is None:
        return "–"
    words = f"{abs(value):.2f}"
    words = words.removeprefix("0") if words.startswith("0.") else words
    return f"−{words}" if value < 0 and float(words) else words


def _pairs_in(view: Mapping[str, Any]) -> str:
    if view["mean"] is None:
        return "no gradient"
    return f"mean {_number(view['mean'])}, {view['conflicting']:.0%} conflict"


def _order(made: Mapping[str, Any]) -> list[int]:
    names = list(made["keys"])
    return [names.index(key) for group in made["groups"] for key in group]


def _first(pieces: Sequence[Mapping[str, Any]], name: tuple[str, str]) -> tuple[int, str]:
    """Modules in the order of the model, and in each A, the heads, the router."""
    module = next(n for n, piece in enumerate(pieces) if piece["module"] == name[0])
    return module, name[1]


def _axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, y from the top."""
    page = figure.get_figheight()
    across = figure.get_figwidth()
    return figure.add_axes((x / across, 1 - (y + height) / page, width / across, height / page))


def _foot(figure: Figure, foot: float, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        x, y = _MARGIN / figure.get_figwidth(), (foot - 0.14 - 0.19 * number) / figure.get_figheight()
        figure.text(x, y, line, fontsize=8, color=SOFT, va="top")


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
