"""Task keys by methods as a picture that can be read in grey, too: signs and hatching say what colours say."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crabplus.report.colours import INK, LINE, SOFT, plain

__all__ = ["SIGNS", "change_words", "draw_transfer"]

SIGNS = {"positive": "▲", "negative": "▼", "tie": "="}
WORSE, BETTER = "#d9822b", "#5b97d6"
FULL_TINT = 0.5
"""A relative change of so much has the strongest colour."""
_NAMES, _CELL, _ROW, _HEAD, _FOOT, _MARGIN = 1.3, 2.1, 0.46, 1.0, 1.2, 0.15
"""In inches: row names, a cell across and down, above and below the cells, around all."""
_MAP = LinearSegmentedColormap.from_list("transfer", [WORSE, "#ffffff", BETTER])


def change_words(cell: Mapping[str, Any]) -> str:
    """The relative change; of a baseline of zero, the change itself. A star says that chance alone does not make it."""
    star = "*" if cell["significant"] else ""
    if cell["relative"] is None:
        return f"{signed(cell['change'], '.3f')}{star}"
    return f"{signed(100 * cell['relative'], '.1f')} %{star}"


def signed(value: float, form: str) -> str:
    """A number with its sign, a true minus; nothing before zero."""
    words = format(abs(value), form)
    return words if not float(words) else f"{'+' if value > 0 else '−'}{words}"


def draw_transfer(made: Mapping[str, Any]) -> bytes:
    """The heat map as a PNG.

    Args:
        made: what ``transfer.json`` holds.
    """
    methods = list(made["methods"])
    keys = list(dict.fromkeys(cell["key"] for cell in made["cells"]))
    found = {(cell["key"], cell["method"]): cell for cell in made["cells"]}
    rows = len(keys) + 1  # the last one counts
    width, height = _NAMES + _CELL * max(len(methods), 2), _HEAD + _ROW * rows + _FOOT
    figure = Figure(figsize=(width + 2 * _MARGIN, height), facecolor="white")
    place = (_NAMES + _MARGIN, _FOOT, _CELL * len(methods), _ROW * rows)
    page = (figure.get_figwidth(), height) * 2
    axes = figure.add_axes(tuple(inches / whole for inches, whole in zip(place, page, strict=True)))  # type: ignore[arg-type]
    axes.set(xlim=(0, len(methods)), ylim=(rows, 0))
    for row, key in enumerate(keys):
        for column, method in enumerate(methods):
            _draw_cell(axes, column, row, found.get((key, method)))
    for column, method in enumerate(methods):
        _draw_count(axes, column, len(keys), made["methods"][method])
    _frame(axes, methods, keys)
    _title(figure)
    _legend(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def _draw_cell(axes: Axes, column: int, row: int, cell: Mapping[str, Any] | None) -> None:
    box = Rectangle((column, row), 1, 1, facecolor=_colour(cell), edgecolor="white", linewidth=2)
    axes.add_patch(box)
    middle = column + 0.5
    if cell is None:
        axes.text(middle, row + 0.5, "missing", ha="center", va="center", fontsize=8.5, color=SOFT, style="italic")
        return
    if cell["outcome"] == "negative":  # hatched in its own patch, whose edge colour is that of the lines
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, hatch="///", edgecolor="#00000030", linewidth=0))
    words = f"{SIGNS[cell['outcome']]} {change_words(cell)}"
    weight = "bold" if cell["significant"] else "normal"
    axes.text(middle, row + 0.34, words, ha="center", va="center", fontsize=10, color=INK, weight=weight)
    under = f"{cell['single']:.3f} → {cell['multi']:.3f}{'  at ceiling' if cell['ceiling'] else ''}"
    axes.text(middle, row + 0.72, under, ha="center", va="center", fontsize=7.5, color=INK)


def _colour(cell: Mapping[str, Any] | None) -> Any:
    """By relative change; of a baseline of zero, the strongest of its side."""
    if cell is None:
        return "#eceff2"
    if cell["outcome"] == "tie":
        return "#ffffff"
    change = cell["relative"] if cell["relative"] is not None else FULL_TINT * (1 if cell["change"] > 0 else -1)
    return _MAP(0.5 + 0.5 * max(-1.0, min(1.0, change / FULL_TINT)))


def _draw_count(axes: Axes, column: int, row: int, told: Mapping[str, Any]) -> None:
    words, under = "nothing to compare", ""
    if told["keys"]:
        low, high = (100 * end for end in told["share_ci95"])
        words = f"{told['positive']} of {told['keys']} positive"
        under = f"{100 * told['share']:.0f} % ({low:.0f} to {high:.0f} %)"
    axes.text(column + 0.5, row + 0.36, words, ha="center", va="center", fontsize=9.5, color=INK, weight="bold")
    axes.text(column + 0.5, row + 0.74, under, ha="center", va="center", fontsize=7.5, color=INK)


def _frame(axes: Axes, methods: Sequence[str], keys: Sequence[str]) -> None:
    axes.set_xticks([column + 0.5 for column in range(len(methods))], [_folded(name) for name in methods])
    axes.set_yticks([row + 0.5 for row in range(len(keys))], [plain(key) for key in keys])
    axes.tick_params(labelsize=10, labelcolor=INK, length=0, labeltop=True, labelbottom=False)
    axes.axhline(len(keys), color=LINE, linewidth=1)
    axes.spines[:].set_visible(False)


def _folded(name: str) -> str:
    """A method over two lines where it is long."""
    first, _, rest = plain(name).partition(" ")
    return f"{first}\n{rest}" if rest and len(name) > 16 else plain(name)


def _title(figure: Figure) -> None:
    """What it shows, and what columns are."""
    for words, below, size, colour in (
        ("Trained together instead of alone", 0.12, 12, INK),
        ("change of each task's score; a column for each method of training together", 0.36, 8, SOFT),
    ):
        x, y = _MARGIN / figure.get_figwidth(), 1 - below / figure.get_figheight()
        figure.text(x, y, words, fontsize=size, color=colour, va="top", weight="bold" if size > 10 else "normal")


def _legend(figure: Figure) -> None:
    lines = (
        "small: score alone → together, by the official metric of each task",
        f"{SIGNS['positive']} better together, {SIGNS['negative']} and hatched: worse, {SIGNS['tie']} tie;",
        "% of the score when trained alone (no %: points, as that is 0)",
        "bold, *: the 95 % interval of the change excludes 0",
        "at ceiling: alone it is (nearly) perfect, not counted as positive",
    )
    for number, line in enumerate(lines):
        x, y = _MARGIN / figure.get_figwidth(), (_FOOT - 0.16 - 0.19 * number) / figure.get_figheight()
        figure.text(x, y, line, fontsize=8, color=SOFT, va="top")
