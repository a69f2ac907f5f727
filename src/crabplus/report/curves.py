"""The closing summary of a training run: its log as curves, and one page with what was trained on what."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from crabplus.report.colours import INK, LINE, SERIES, SOFT, plain
from crabplus.report.log import MEAN, Series, evaluations, losses, read_log, short
from crabplus.report.summary import summary_page
from crabplus.whole import write_whole

__all__ = ["read_log", "write_curves"]

FloatArray = NDArray[np.float64]
Points = Sequence[tuple[int, float]]

_WIDTH, _LEFT, _GAP, _HEAD = 11.0, 0.75, 0.75, 0.45
_WIDE, _HALF = 7.6, 4.1
_LEGEND = 0.19
"""In inches: page, its left edge, space between rows and above the first; a panel beside a legend and one beside
another panel; a line of a legend."""
_MANY = 60
"""From so many points on a curve is smoothed."""
_RATIO = 5.0
"""Values whose largest is so many times the smallest are drawn on a logarithmic axis."""
_FROM_ZERO = {"score", "learning rate", "samples per second", "tokens per second", "waiting (%)"}
"""Units of axes that begin at zero."""


def write_curves(run: Path) -> tuple[Path, Path]:
    """Write ``curves.png`` and ``summary.html`` into a run folder, each whole or not at all, and return both paths.

    The log has to be there; what ``run.json`` and ``config.yaml`` do not tell is left out of the page. Texts of the
    files are escaped, and the page needs nothing beside it.

    Raises:
        ValueError: a log without numbers, or a damaged ``run.json``; names the file.
        OSError: there is no log, or a file cannot be read or written.
    """
    run = Path(run)
    series = read_log(run / "log.jsonl")
    picture = _draw(series)
    config = run / "config.yaml"
    page = summary_page(
        run.resolve().name, series, picture, _about(run / "run.json"),
        config.read_text(encoding="utf-8", errors="replace") if config.exists() else "",
    )  # fmt: skip
    write_whole(run / "curves.png", picture)
    write_whole(run / "summary.html", page.encode())
    return run / "curves.png", run / "summary.html"


def _about(path: Path) -> dict[str, Any]:
    """What the run says about itself; nothing where the file is missing."""
    if not path.exists():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; remove it, and the page is written without it") from error
    if not isinstance(about, dict):
        raise ValueError(f"{path} is damaged: an object wanted; remove it, and the page is written without it")
    return about


class _Curve(NamedTuple):
    """A curve of a panel: what the legend says, its points, and how it is drawn."""

    label: str
    points: Points
    colour: str
    width: float = 1.6
    style: Any = "-"
    marker: str = ""
    smooth: bool = True

    @property
    def drawn(self) -> FloatArray:
        """Its values as they are drawn."""
        values = np.array([value for _, value in self.points])
        return _smooth(values) if self.smooth else values


class _Panel(NamedTuple):
    """A panel: curves with a legend beside it, or curves of two axes with one at each side (``right``)."""

    title: str
    curves: Sequence[_Curve]
    unit: str = ""
    right: Sequence[_Curve] = ()
    right_unit: str = ""

    @property
    def height(self) -> float:
        """Inches; high enough for the legend."""
        return max(2.5, 0.1 + _LEGEND * len(self.curves))


def _draw(series: Series) -> bytes:
    """The panels that have data, as a PNG: wide ones with a legend beside them, then small ones in pairs."""
    wide = [panel for panel in (_loss(series), _keys(series), _scores(series)) if panel.curves]
    small = [panel for panel in (_rate(series), _speed(series)) if panel.curves or panel.right]
    height = _HEAD + sum(panel.height + _GAP for panel in wide) + (1.9 + _GAP if small else 0)
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    top = _HEAD
    for panel in wide:
        _draw_wide(_axes(figure, _LEFT, top, _WIDE, panel.height), panel)
        top += panel.height + _GAP
    for place, panel in enumerate(small):
        _draw_small(_axes(figure, _LEFT + place * (_HALF + 1.3), top, _HALF, 1.9), panel)
    last = max(step for points in series.values() for step, _ in points)
    for axes in figure.axes:
        axes.set_xlim(0, 1.02 * last or 1)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def _loss(series: Series) -> _Panel:
    families = {name: points for name, points in losses(series).items() if name.startswith("loss_family/")}
    curves = [_Curve("all", series["loss"], INK, 2.4)] if "loss" in series else []
    return _Panel("Loss, and loss of each family" if families else "Loss", curves + _many(families), "loss")


def _keys(series: Series) -> _Panel:
    keys = {name: points for name, points in losses(series).items() if name.startswith("loss_key/")}
    return _Panel("Loss of each key", _many(keys, _colours(series)), "loss")


def _scores(series: Series) -> _Panel:
    scores = evaluations(series)
    mean = scores.pop(MEAN, None)
    curves = [_Curve("mean relative", mean, INK, 3.2, marker="o")] if mean else []
    return _Panel("Evaluation: score of each key", curves + _many(scores, _colours(series), "o"), "score")


def _rate(series: Series) -> _Panel:
    return _Panel(
        "Learning rate and gradient norm",
        [curve._replace(smooth=False) for curve in _one(series, "learning_rate", SERIES[0])], "learning rate",
        _one(series, "grad_norm", SERIES[1]), "gradient norm",
    )  # fmt: skip


def _speed(series: Series) -> _Panel:
    speed = "samples_per_second" if "samples_per_second" in series else "tokens_per_second"
    waiting = [curve._replace(points=[(step, 100 * share) for step, share in curve.points])
               for curve in _one(series, "waiting", SERIES[1])]  # fmt: skip
    unit = speed.replace("_per_", " per ")
    return _Panel("Speed, and waiting for data", _one(series, speed, SERIES[0]), unit, waiting, "waiting (%)")


def _one(series: Series, name: str, colour: str) -> list[_Curve]:
    return [_Curve(name, series[name], colour)] if name in series else []


def _colours(series: Series) -> dict[str, int]:
    """A number for each key, the same in every panel."""
    names = [name for found in (losses(series), evaluations(series)) for name in found]
    return {key: i for i, key in enumerate(dict.fromkeys(map(short, filter(_is_key, names))))}


def _is_key(name: str) -> bool:
    return name.startswith(("loss_key/", "eval_")) and name != MEAN


def _many(series: Mapping[str, Any], colours: Mapping[str, int] | None = None, marker: str = "") -> list[_Curve]:
    """A curve each, those that end highest first, as they lie beside the legend; every other ten are dashed."""
    numbers = colours or {short(name): i for i, name in enumerate(series)}
    curves = []
    for name, points in series.items():
        number = numbers[short(name)]
        style = (0, (5, 1.5)) if number // 10 % 2 else "-"
        curves.append(_Curve(short(name), points, SERIES[number % len(SERIES)], 1.4, style, marker))
    return sorted(curves, key=_depth)


def _depth(curve: _Curve) -> float:
    """How low a curve ends; what is no number lies on top."""
    last = float(curve.drawn[-1])
    return -last if isfinite(last) else -inf


def _smooth(values: FloatArray) -> FloatArray:
    """Mean of each value and those before it, over a 25th of all; few values stay, and what is no number stays none."""
    if len(values) < _MANY:
        return values
    window = max(5, len(values) // 25)
    finite = np.isfinite(values)
    sums, counts = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.where(finite, values, 0.0), finite))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    means = (sums[ends] - sums[starts]) / np.maximum(counts[ends] - counts[starts], 1)
    return np.where(finite, means, np.nan)


def _axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, y from the top."""
    page = figure.get_figheight()
    axes = figure.add_axes((x / _WIDTH, 1 - (y + height) / page, width / _WIDTH, height / page))
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, labelcolor=SOFT, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step", fontsize=8.5, color=SOFT)
    return axes


def _draw_wide(axes: Axes, panel: _Panel) -> None:
    """Curves with a legend beside them that gives the value at which each ends."""
    axes.set_title(panel.title, loc="left", fontsize=11, weight="bold", color=INK)
    lines = _plot(axes, panel.curves, panel.unit)
    labels = [f"{curve.drawn[-1]:.3f}  {plain(_cut(curve.label))}" for curve in panel.curves]
    legend = axes.legend(
        lines, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8.5, labelcolor=INK,
        borderaxespad=0, labelspacing=0.3, handlelength=2.4,
    )  # fmt: skip
    for text, curve in zip(legend.get_texts(), panel.curves, strict=True):
        text.set_fontweight("bold" if curve.width > 2 else "normal")


def _draw_small(axes: Axes, panel: _Panel) -> None:
    """One curve by the left axis and one by the right, each axis in the colour of its curve."""
    axes.set_title(panel.title, loc="left", fontsize=11, weight="bold", color=INK)
    sides = [(axes, panel.curves, panel.unit)]
    if panel.right and panel.curves:
        other = axes.twinx()
        other.spines[:].set_visible(False)
        other.tick_params(labelsize=8.5, length=0)
        sides.append((other, panel.right, panel.right_unit))
    elif panel.right:
        sides = [(axes, panel.right, panel.right_unit)]
    for side, curves, unit in sides:
        _plot(side, curves, unit)
        side.yaxis.label.set_color(curves[0].colour)
        side.tick_params(axis="y", labelcolor=curves[0].colour)


def _plot(axes: Axes, curves: Sequence[_Curve], unit: str) -> list[Line2D]:
    """The curves, the first on top; behind a smoothed one its values as they are, faint."""
    lines = []
    for rank, curve in enumerate(reversed(curves)):
        steps, values = np.array(curve.points, dtype=float).T
        if curve.smooth and len(values) >= _MANY:
            axes.plot(steps, values, color=curve.colour, linewidth=0.6, alpha=1.5 / (4 + len(curves)), zorder=1)
        lines += axes.plot(
            steps, curve.drawn, color=curve.colour, linewidth=curve.width, linestyle=curve.style, zorder=2 + rank,
            marker=curve.marker or ("o" if len(values) == 1 else ""), markersize=2 + 1.4 * curve.width,
        )  # fmt: skip
    axes.set_ylabel(unit, fontsize=8.5, color=SOFT)
    _scale(axes, np.concatenate([curve.drawn for curve in curves]), unit in _FROM_ZERO)
    return lines[::-1]


def _scale(axes: Axes, values: FloatArray, zero: bool) -> None:
    """From zero where that is meant; logarithmic where positive values differ by far; else as they come."""
    values = values[np.isfinite(values)]
    if zero:
        axes.set_ylim(values.min(initial=0), 1.08 * values.max(initial=0) or 1)
    elif len(values) and values.min() > 0 and values.max() / values.min() > _RATIO:
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")
        axes.set_ylim(values.min() / 1.15, values.max() * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _cut(label: str) -> str:
    """On one line, short enough to stand beside a panel."""
    label = " ".join(label.split())
    return label if len(label) <= 20 else f"{label[:19]}…"
