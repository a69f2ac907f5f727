"""Pictures of what the routers of an adapter choose; each says which layers it shows, what is averaged, and n."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crabplus.report.colours import INK, LINE, SERIES, SOFT, plain
from crabplus.report.heatmaps import (
    LETTERS,
    MEAN,
    SMALL,
    FloatArray,
    Grid,
    array,
    groups,
    heat,
    height,
    mean,
    numbers,
    sheet,
    width,
)  # fmt: skip
from crabplus.report.routing_words import reading

__all__ = ["draw_routing"]


def draw_routing(made: Mapping[str, Any]) -> dict[str, bytes]:
    """PNG files by name, of the numbers in ``routing.json``; what was not measured has none.

    Args:
        made: the content of that file.
    """
    figures = {"kinds": _kinds(made), "heads": _heads(made), "keys": _keys(made), "use": _use(made)}
    if len(made["keys"]) > 1:
        figures["similarity"] = _similarity(made)
    if made["ablation"]["variants"]:
        figures["ablation"] = _ablation(made)
    return {f"{name}.png": _png(figure) for name, figure in figures.items()}


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    return file.getvalue()


def _over_keys(made: Mapping[str, Any]) -> FloatArray:
    """Mean weights (key, P, K, H)."""
    return np.stack([array(key["weights"]) for key in made["keys"].values()])


def _counted(made: Mapping[str, Any], kind: int | None = None) -> str:
    """Over what: samples, keys, tokens."""
    keys = made["keys"].values()
    tokens = sum(sum(key["tokens"]) if kind is None else key["tokens"][kind] for key in keys)
    return f"n = {sum(key['answered'] for key in keys)} samples of {len(keys)} keys, {tokens:,} tokens"


def _kinds(made: Mapping[str, Any]) -> Figure:
    """Layers by projections and heads, a panel for each kind of token with the layers that read such tokens."""
    grid, means = Grid(made), mean(_over_keys(made), 0)  # (P, K, H)
    maps = {kind: grid.lay(means[:, kind]) for kind in range(len(made["kinds"]))}
    read: dict[int, Any] = {kind: ~np.isnan(laid).all(1) for kind, laid in maps.items()}
    kinds = [kind for kind, rows in read.items() if rows.any()]
    figure, panels = sheet(
        "Router weights by layer, projection and kind of token",
        "Each cell: mean router weight of one head (its number below) in one adapted layer. Mean over the tokens of a "
        f"kind within each key, then over keys, each counting the same. {_counted(made)}. Evenly mixed heads have "
        f"{1 / grid.heads:.2f} each. Grey: no such layer.",
        width(len(grid.projections) * grid.heads), [height(int(read[kind].sum())) for kind in kinds],
    )  # fmt: skip
    for axes, kind in zip(panels, kinds, strict=True):
        rows = [name for name, there in zip(grid.rows, read[kind], strict=True) if there]
        heat(axes, maps[kind][read[kind]], rows, "YlGnBu", 0, 1)
        groups(axes, grid.projections, grid.heads)
        tokens = sum(key["tokens"][kind] for key in made["keys"].values())
        axes.set_xlabel(f"{made['kinds'][kind]} tokens, n = {tokens:,}", fontsize=LETTERS, weight="bold", color=INK)
    return figure


def _by_family(made: Mapping[str, Any], values: FloatArray) -> tuple[list[str], FloatArray]:
    """Rows of keys (key, N) sorted by family; a family of several keys has a row for their mean before them."""
    families: dict[str, list[int]] = {}
    for number, key in enumerate(made["keys"].values()):
        families.setdefault(key["family"], []).append(number)
    names, rows = list(made["keys"]), []
    told = []
    for family, members in families.items():
        if len(members) > 1:
            told.append(f"{_short(family)}{MEAN}")
            rows.append(mean(values[members], 0))
        for number in members:
            told.append(names[number])
            rows.append(values[number])
    return told, np.stack(rows)


def _short(family: str) -> str:
    return family.replace(" recognition", "").replace(" localisation", "").replace("question answering", "questions")


def _heads(made: Mapping[str, Any]) -> Figure:
    """Keys by kinds of token and heads, over all layers."""
    layers, heads = reading(made), made["heads"]
    means = mean(_over_keys(made)[:, layers], 1)  # (key, K, H)
    names, values = _by_family(made, means.reshape(len(means), -1))
    figure, (axes,) = sheet(
        "Mean weight of each head by key and kind of token",
        f"Mean over the tokens of a kind, then over {len(layers)} adapted layers of the language model, each counting "
        f"the same. {_counted(made)}. Heads are numbered within a layer: head 1 of one layer has nothing to do with "
        "head 1 of another, so such a mean hides much; the map by layer shows it.",
        width(values.shape[1], 0.4), [height(len(names))],
    )  # fmt: skip
    heat(axes, values, names, "YlGnBu", 0, max(2 / heads, np.nanmax(values)))
    numbers(axes, values, "{:.2f}")
    groups(axes, made["kinds"], heads)
    return figure


def _keys(made: Mapping[str, Any]) -> Figure:
    """Keys by layers and heads: how each differs from the mean of all."""
    grid, means = Grid(made), mean(_over_keys(made), 2)  # (key, P, H)
    order = sorted(range(len(grid.at)), key=lambda n: grid.at[n])
    apart = (means - mean(means, 0))[:, order]
    names, values = _by_family(made, apart.reshape(len(apart), -1))
    most = float(np.nanquantile(np.abs(values), 0.995)) or 1e-3
    figure, (axes,) = sheet(
        "How the routing of each key differs from that of all keys",
        "Each column is one head of one adapted layer, layer by layer and, within, "
        f"{', '.join(grid.projections)}. Router weight of the key less the mean over keys; mean over tokens of a kind, "
        f"then over kinds, each counting the same. {_counted(made)}. Red: the key uses the head more than others do.",
        width(values.shape[1], 0.03), [height(len(names))],
    )  # fmt: skip
    heat(axes, values, names, "RdBu_r", -most, most)
    axes.set_xticks([])
    _layers(axes, [grid.at[n][0] for n in order], grid)
    return figure


def _layers(axes: Axes, rows: Sequence[int], grid: Grid) -> None:
    """Names of layers under columns that are grouped by them, as many as there is room for, and lines between them."""
    groups_of = {row: [n for n, other in enumerate(rows) if other == row] for row in dict.fromkeys(rows)}
    figure = axes.get_figure(root=True)
    assert figure is not None
    inch = axes.get_position().width * figure.get_figwidth() / (len(rows) * grid.heads)
    free = -1.0
    for row, members in groups_of.items():
        middle = (members[0] + members[-1] + 1) * grid.heads / 2 - 0.5
        name, half = plain(grid.rows[row]), 0.035 * len(grid.rows[row])
        if middle * inch - half > free:
            axes.annotate(name, (middle, 0), (0, -4), xycoords=("data", "axes fraction"), textcoords="offset points",
                          ha="center", va="top", fontsize=SMALL, color=SOFT, annotation_clip=False)  # fmt: skip
            free = middle * inch + half
        if members[0]:
            axes.axvline(members[0] * grid.heads - 0.5, color=INK, linewidth=0.6)


def _use(made: Mapping[str, Any]) -> Figure:
    """What the choice hangs on, how sharp it is, and how often each head has the largest weight."""
    grid, use, heads = Grid(made), made["use"], made["heads"]
    tall = height(len(grid.rows))
    figure, (bits, sharp, largest) = sheet(
        "What routers react to, how sharp they are, and which heads are used",
        f"All tokens of all keys pooled. {_counted(made)}. Dead heads (x): {use['dead_rule']}; there "
        f"{'is' if len(use['dead']) == 1 else 'are'} {len(use['dead']) or 'none'}.",
        width(len(grid.projections) * heads), [tall] * 3,
    )  # fmt: skip
    _reactions(bits, grid, use["bits"], heads)
    entropy = grid.lay(array(use["entropy"])[:, None])
    heat(sharp, entropy, grid.rows, "YlGnBu_r", 0, 1)
    numbers(sharp, entropy, "{:.2f}")
    groups(sharp, grid.projections, 1, numbered=False)
    sharp.set_xlabel("mean entropy of a token's router weights: 0 one head alone, 1 all heads alike",
                     fontsize=LETTERS, color=INK)  # fmt: skip
    heat(largest, grid.lay(array(use["largest"])), grid.rows, "YlGnBu", 0, 1)
    groups(largest, grid.projections, heads)
    largest.set_xlabel("share of tokens for which a head has the largest weight", fontsize=LETTERS, color=INK)
    names = [place["layer"] for place in made["places"]]
    for dead in use["dead"]:
        row, column = grid.at[names.index(dead["layer"])]
        largest.plot(column * heads + dead["head"] - 1, row, "x", color="#b3261e", markersize=6)
    return figure


_REACTIONS = {
    "kind": "kind of token", "key": "key, beyond that", "token": "single token, beyond both", "undecided": "left open"
}  # fmt: skip


def _reactions(axes: Axes, grid: Grid, bits: Mapping[str, Any], heads: int) -> None:
    """Stacked bars of bits, one for each layer number: the mean over its projections."""
    rows = np.array([row for row, _ in grid.at])
    left = np.zeros(len(grid.rows))
    for (name, words), colour in zip(_REACTIONS.items(), (*SERIES[:3], LINE), strict=True):
        values = array(bits[name])
        wide = np.array([mean(values[rows == row], 0) for row in range(len(grid.rows))])
        axes.barh(range(len(grid.rows)), wide, left=left, height=0.75, color=colour, label=words)
        left = left + np.nan_to_num(wide)
    axes.set(xlim=(0, np.log2(heads)), ylim=(len(grid.rows) - 0.5, -0.5))
    axes.set_yticks(range(len(grid.rows)), grid.rows, fontsize=LETTERS, color=INK)
    axes.tick_params(axis="x", labelsize=SMALL, colors=SOFT)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"bits on which the choice of heads hangs, of at most {np.log2(heads):.2f}; mean over projections",
                    fontsize=LETTERS, color=INK)  # fmt: skip
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8, borderaxespad=0.1,
                handlelength=1.2)  # fmt: skip


def _similarity(made: Mapping[str, Any]) -> Figure:
    """Keys by keys, alike ones together."""
    told = made["similarity"]
    order = [told["keys"].index(key) for key in told["order"]]
    values = array(told["divergence"])[np.ix_(order, order)] * 1000
    figure, (axes,) = sheet(
        "How differently keys are routed",
        f"{told['measure'][0].upper()}{told['measure'][1:]}; in thousandths. {len(reading(made))} adapted layers. "
        f"{_counted(made)}. Two keys are told apart where their cell is clearly darker than both of their cells on the "
        "diagonal. Keys that are alike stand together (average linkage).",
        width(len(order), 0.42), [max(1.2, 0.32 * len(order))],
    )  # fmt: skip
    heat(axes, values, told["order"], "YlGnBu", 0, float(np.nanmax(values, initial=0.0)) or 1.0)
    numbers(axes, values, "{:.1f}")
    axes.set_xticks(range(len(order)), told["order"], fontsize=8, color=INK,
                    rotation=0 if len(order) < 9 else 45, ha="center" if len(order) < 9 else "right")  # fmt: skip
    for n in range(len(order)):
        axes.add_patch(Rectangle((n - 0.5, n - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.5))
    return figure


def _ablation(made: Mapping[str, Any]) -> Figure:
    """Keys by heads: what switching a head off does to the score."""
    told, heads = made["ablation"], made["heads"]
    changes = [key["changes"] for key in told["keys"].values()]
    values = np.array([[change["change"] for change in row] for row in changes])
    clear = np.array([[change["clear"] for change in row] for row in changes])
    names = [f"{key} ({of['score']:.2f})" for key, of in told["keys"].items()]
    counts, least = sorted({of["n"] for of in told["keys"].values()}), told["clear_from"]
    n = "–".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    how = "the routers leave it out and the others share its weight" if made["settings"]["renormalise"] else (
        "its B is zero, the weights of the others stay")  # fmt: skip
    figure, (axes,) = sheet(
        "What switching one head off does to the score of each key",
        f"Change of the main metric over the same samples (n = {n} "
        f"of each key); behind the key its score with all heads. A head is off in all layers named above the columns: "
        f"{how}. * and bold: the 95 % bootstrap interval of the paired difference is clear of 0"
        f"{'' if counts[0] >= least else f'; not told of fewer than {least} samples'}.",
        width(values.shape[1], 0.42), [height(len(names))],
    )  # fmt: skip
    heat(axes, values, names, "RdBu", -1, 1)
    numbers(axes, values, "{:+.2f}", clear)
    groups(axes, list(dict.fromkeys(variant["band"] for variant in told["variants"])), heads)
    axes.set_xlabel("head", fontsize=8, color=SOFT)
    return figure
