"""Heat maps with a title, a line that says what is averaged over what, and one panel below the other."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from crabplus.report.colours import INK, SOFT, plain

MEAN = " (mean)"
"""Ends the name of a row that is the mean of rows below it."""
__all__ = [
    "LETTERS",
    "ROW",
    "SMALL",
    "FloatArray",
    "Grid",
    "array",
    "groups",
    "heat",
    "mean",
    "numbers",
    "sheet",
    "width",
]

_LEFT, _RIGHT, _TOP, _GAP, _LOW = 1.5, 0.9, 0.95, 0.75, 0.55
"""Inches: names of rows, colour bar, title with its note, between panels, below the last."""
_CELL, _WIDE, ROW = 0.17, 7.6, 0.24
"""Inches: least width of a cell, least width of a map, height of a row."""
SMALL, LETTERS = 7.0, 9.0  # points
_PER_INCH = 13.5  # letters of a note
_NONE = "#eceff2"
FloatArray = NDArray[np.float64]


def array(values: Any) -> FloatArray:
    """Nested lists with None as an array with gaps."""
    return np.array(values, dtype=float)


class Grid:
    """Where the adapted layers stand in a map: a row for each layer number, H columns for each projection."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        places, self.heads = made["places"], made["heads"]
        rows = list(dict.fromkeys((place["part"], place["number"]) for place in places))
        self.projections = list(dict.fromkeys(place["projection"] for place in places))
        self.at = [(rows.index((place["part"], place["number"])), self.projections.index(place["projection"]))
                   for place in places]  # fmt: skip
        one = len({part for part, _ in rows}) == 1
        self.rows = [f"{'layer' if one else part} {'' if number is None else number}".strip() for part, number in rows]

    def lay(self, values: FloatArray) -> FloatArray:
        """Values (P, N) as a map (rows, projections * N); N is the number of heads, or 1."""
        n = values.shape[1]
        laid = np.full((len(self.rows), len(self.projections) * n), np.nan)
        for (row, column), value in zip(self.at, values, strict=True):
            laid[row, column * n : (column + 1) * n] = value
        return laid


def mean(values: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """The mean of what is there; a gap where nothing is."""
    there = ~np.isnan(values)
    counts = there.sum(axis)
    found: FloatArray = np.where(there, values, 0.0).sum(axis) / np.where(counts > 0, counts, np.nan)
    return found


def sheet(title: str, note: str, wide: float, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure with panels of these heights (inches) one below the other, each ``wide`` inches wide."""
    across = _LEFT + wide + _RIGHT
    lines = fill(note, int(across * _PER_INCH))
    top = _TOP + 0.15 * (lines.count("\n") - 1)
    tall = top + sum(heights) + _GAP * (len(heights) - 1) + _LOW
    figure = Figure(figsize=(across, tall), facecolor="white")
    figure.text(0.12 / across, 1 - 0.12 / tall, plain(title), va="top", fontsize=13, weight="bold", color=INK)
    figure.text(0.12 / across, 1 - 0.4 / tall, plain(lines), va="top", fontsize=8.5, color=SOFT, linespacing=1.25)
    panels, y = [], top
    for height in heights:
        panels.append(figure.add_axes((_LEFT / across, 1 - (y + height) / tall, wide / across, height / tall)))
        y += height + _GAP
    return figure, panels


def heat(axes: Axes, values: FloatArray, rows: Sequence[str], colours: str, low: float, high: float) -> None:
    """A map with names of its rows; gaps are grey. Its colour bar stands to the right."""
    axes.set_facecolor(_NONE)
    picture = axes.imshow(values, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_yticks(range(len(rows)), [plain(row) for row in rows], fontsize=LETTERS, color=INK)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().endswith(MEAN) else "normal")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure, box = axes.get_figure(root=True), axes.get_position()
    assert figure is not None
    wide = figure.get_figwidth()
    bar = figure.add_axes((box.x1 + 0.12 / wide, box.y0, 0.12 / wide, box.height))
    figure.colorbar(picture, cax=bar)
    bar.tick_params(labelsize=SMALL, length=2, colors=SOFT)
    bar.spines[:].set_visible(False)


def numbers(axes: Axes, values: FloatArray, form: str, marks: NDArray[np.bool_] | None = None) -> None:
    """The value in each cell, dark on light and light on dark; bold where it is marked."""
    image = axes.get_images()[0]
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            shade = np.dot(image.to_rgba(np.array([[value]]))[0, 0, :3], (0.299, 0.587, 0.114))
            strong = marks is not None and marks[row, column]
            axes.text(column, row, form.format(value) + ("*" if strong else ""), ha="center", va="center",
                      fontsize=SMALL, color="white" if shade < 0.5 else INK,
                      weight="bold" if strong else "normal")  # fmt: skip


def groups(axes: Axes, names: Sequence[str], across: int, numbered: bool = True) -> None:
    """Groups of columns, ``across`` in each: numbers of heads below, names of the groups above, lines between."""
    columns, figure = len(names) * across, axes.get_figure(root=True)
    assert figure is not None
    if numbered and axes.get_position().width * figure.get_figwidth() / columns > 0.12:
        heads = [str(n % across + 1) for n in range(columns)]
        axes.set_xticks(range(columns), heads, fontsize=SMALL, color=SOFT)
    else:
        axes.set_xticks([])
    for number, name in enumerate(names):
        middle = (number + 0.5) * across - 0.5
        axes.annotate(plain(name), (middle, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                      ha="center", fontsize=8, color=INK, annotation_clip=False)  # fmt: skip
        if number:
            axes.axvline(number * across - 0.5, color="white", linewidth=2.5)


def height(rows: int) -> float:
    """How high a map of so many rows is, in inches."""
    return max(0.9, ROW * rows)


def width(columns: int, least: float = _CELL) -> float:
    """How wide a map of so many columns is, in inches; each is at least ``least`` wide."""
    return max(_WIDE, columns * least)
