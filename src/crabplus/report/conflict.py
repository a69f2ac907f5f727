"""Which task keys pull the adapter the same way: a page, a picture, and a table on a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from crabplus.report.embed import png_uri
from crabplus.report.heat import signed
from crabplus.report.matrices import draw_matrix, draw_pieces, draw_small, draw_trust
from crabplus.report.page import PageTable, render
from crabplus.whole import write_whole

__all__ = ["conflict_table", "verdict", "write_conflict_page"]

_NONE = "–"
_GIB = 2**30
_RULES = (
    ("gradient", "Of a key's training loss (mean over the tokens of its answers) at one adapter that all keys share; "
     "the mean over its batches, taken by the trainer itself with an optimiser that moves nothing."),
    ("cosine", "Of two keys' gradients: 1 is the same direction, 0 nothing in common, below 0 a conflict: a step for "
     "one raises the loss of the other. A clear conflict is below zero in each of the four comparisons of halves."),
    ("with itself", "Cosine of a key's gradients from two halves of its batches. Below 1 is noise, which pulls "
     "every measured cosine towards 0. A key below 0.1 is too noisy: it is neither predicted nor placed."),
    ("without noise", "The inner product of two keys by the square root of each key's inner product of its two halves: "
     "noise of different batches does not add up there. It can come out above 1."),
    ("predicted", "Mean of a key's cosines, without noise, with all others that are not too noisy."),
    ("pull", "In one step on all keys together, weighed by their shares of the target tokens: by how many times its "
     "own part of the step the others change what the step takes off its loss. At −1 they undo it."),
    ("groups", "Hierarchical clustering (average linkage) on 1 − cosine without noise. Groups whose mean cosine is "
     "below 0 are never joined, nothing is parted that agrees by 0.8; in between the best mean silhouette counts if "
     "it reaches 0.25."),
)  # fmt: skip
_MIND = (
    "This is one point of training, and the first order: what a small plain gradient step does there. At the start "
    "keys often agree because all of them have the form of answers to learn; look again at a later adapter "
    "(adapter.start, or more --warmup) before judging that there is no conflict.",
    "Training goes on by Adam, which scales each number for itself, and a lower loss is not yet a higher score.",
    "I-LoRA's router can lead keys that conflict to different heads: a conflict is a reason to look, not a forecast of "
    "harm.",
)


def write_conflict_page(out: Path, made: Mapping[str, Any], command: str) -> tuple[Path, Path]:
    """Write ``conflict.png`` and ``conflict.html`` into a folder, each whole or not at all, and return both paths.

    Args:
        made: what ``conflict.json`` holds; all that is shown comes from it. command: that repeats the page.
    """
    picture = draw_matrix(made)
    views = [
        ("kinds", "By part of the adapter", "All layers together. On the diagonal a key with itself."),
        ("projections", "By adapted module", "All layers and parts together."),
        ("layers", "By layer", "All parts of a layer together."),
    ]
    page = render(
        "conflict.html.j2", title="Which tasks pull together?", verdict=verdict(made), picture=png_uri(picture),
        facts=_facts(made), keys=_keys(made), grouping=_grouping(made), pieces=png_uri(draw_pieces(made)),
        views=[(name, title, words, png_uri(draw_small(made[name], made))) for name, title, words in views],
        trust=_trust(made), mind=_MIND, rules=_RULES, command=command, config=_config(made["settings"]["config"]),
        versions=[(name, str(value)) for name, value in made["versions"].items()],
    )  # fmt: skip
    write_whole(out / "conflict.png", picture)
    write_whole(out / "conflict.html", page.encode())
    return out / "conflict.png", out / "conflict.html"


def verdict(made: Mapping[str, Any]) -> str:
    """What was found, in plain words."""
    whole, warmup = made["whole"], made["settings"]["warmup"]
    pairs = whole["pairs"]
    start = made["settings"]["config"]["adapter"]["start"]
    where = f"after {warmup} steps on all keys" if warmup else f"at {start}" if start else "at its very start"
    if not pairs:
        return f"No key has a gradient {where}."
    clash = round(whole["conflicting"] * pairs)
    clear = round(whole["clearly"] * pairs)
    mean = signed(whole["mean"], ".2f")
    words = f"{clash} of {pairs} pairs of keys conflict {where} ({clear} clearly); the mean cosine is {mean}."
    groups = made["groups"]
    if len(groups) == 1:
        return f"{words} No grouping is suggested: the keys form one group."
    return f"{words} Suggested groups: {'; '.join(', '.join(group) for group in groups)}."


def conflict_table(made: Mapping[str, Any]) -> Table:
    """On a terminal: a row for each key, the groups and how far to trust it below."""
    table = Table(title=verdict(made), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("key", style="bold")
    table.add_column("group", justify="right")
    for name in ("itself", "predicted", "pull"):
        table.add_column(name, justify="right")
    table.add_column("most with")
    table.add_column("least with")
    for key in (key for group in made["groups"] for key in group):
        row = made["keys"][key]
        best, worst = _extremes(made, key)
        numbers = _figure(row["itself"]), _sign(row["predicted"]), _sign(row["pull"])
        table.add_row(key, str(row["group"]), *numbers, best, worst)
    lines = [f"{key} is too noisy (more --batches)" for key, row in made["keys"].items() if row["noisy"]]
    for found in (made["measured"] or {}).get("predicted", ()):
        lines.append(f"{found['method']}: {found['words']}")
    table.caption, table.caption_justify = "\n".join(lines) or None, "left"
    return table


def _extremes(made: Mapping[str, Any], key: str) -> tuple[str, str]:
    """The key that agrees most, and the one that agrees least, with their cosines as measured."""
    names = list(made["keys"])
    row = made["whole"]["cosine"][names.index(key)]
    known = [(value, name) for value, name in zip(row, names, strict=True) if value is not None and name != key]
    if not known:
        return _NONE, _NONE
    return tuple(f"{name} {_sign(value)}" for value, name in (max(known), min(known)))  # type: ignore[return-value]


def _facts(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings = made["settings"]
    config = settings["config"]
    adapter = config["adapter"]
    passes = f"{settings['passes']} pass{'es' if settings['passes'] > 1 else ''}"
    told = {
        "model": config["model"],
        "adapter": f"learned before: {adapter['start']}" if adapter["start"] else adapter["kind"],
        "rank, heads": "" if adapter["start"] else f"{adapter['r']}, {adapter['heads']}",
        "trained parameters": f"{settings['parameters']:,}",
        "data": f"{config['data']['folder']}, {config['data']['split']}",
        "reasoning": config["data"]["reasoning"],
        "warm-up": f"{settings['warmup']} steps",
        "batches of each key": f"{settings['batches']}, each of {settings['batch']} samples",
        "gradients held": f"{settings['kept_bytes'] / _GIB:.2f} GiB, {passes}",
        "machine": made["machine"], "made": made["created"],
    }  # fmt: skip
    return [(name, str(value)) for name, value in told.items() if value]


def _keys(made: Mapping[str, Any]) -> PageTable:
    columns = ("Key", "Family", "Group", "Samples", "Loss here", "With itself", "Predicted", "Pull of the others",
               "Share of target tokens", "Agrees most with", "Least with")  # fmt: skip
    rows = []
    for key in (key for group in made["groups"] for key in group):
        row = made["keys"][key]
        itself = f"{_figure(row['itself'])}{' too noisy' if row['noisy'] else ''}"
        rows.append([
            key, row["family"], str(row["group"]), f"{made['settings']['samples'][key]:,}", _figure(row["loss"]),
            itself, _sign(row["predicted"]), _sign(row["pull"]), f"{row['weight']:.1%}", *_extremes(made, key),
        ])  # fmt: skip
    words = "Predicted: mean cosine with the others, without noise; the higher, the more help."
    return PageTable("keys", "Key by key", words, columns, rows, (), (1, 9, 10))


def _grouping(made: Mapping[str, Any]) -> PageTable:
    told, groups, names = made["grouping"], made["groups"], list(made["keys"])
    matrix = made["whole"]["debiased"]
    rows = []
    for number, group in enumerate(groups, 1):
        inside = [names.index(key) for key in group]
        outside = [n for n in range(len(names)) if n not in inside]
        within = [matrix[i][j] for i in inside for j in inside if i < j]
        beyond = [matrix[i][j] for i in inside for j in outside]
        rows.append([str(number), ", ".join(group), _mean(within), _mean(beyond)])
    tried = ", ".join(f"{count}: {value:.2f}" for count, value in told["silhouettes"].items())
    words = (
        f"Conflicts ask for at least {told['least']}. The number above with the best mean silhouette is taken if it "
        f"reaches {told['structure']}{f' ({tried})' if tried else ''}; what agrees by {told['together']} is not parted."
    )
    columns = ("Group", "Keys", "Mean cosine within", "Mean cosine with the others")
    return PageTable("grouping", "Suggested groups", words, columns, rows, (), (1,))


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _sign(sum(known) / len(known)) if known else _NONE


def _trust(made: Mapping[str, Any]) -> dict[str, Any] | None:
    """The comparison with what was measured, if there is one."""
    found = made["measured"]
    if not found:
        return None
    rows = [
        [each["method"], words, str(each["n"]), _sign(each["rho"]), _span(each["ci95"]), _figure(each["p"])]
        for name, words in (("predicted", "mean cosine"), ("pull", "pull of the others"))
        for each in found[name]
    ]
    out = [
        [key, each["method"], _sign(point["predicted"]), _percent(point["measured"]), point["left_out"]]
        for each in found["predicted"]
        for key, point in each["points"].items()
        if point["left_out"]
    ]
    columns = ("Method", "Foretold by", "n", "Rank correlation", "95 %", "p by permutation")
    return {
        "file": found["file"], "words": [(each["method"], each["words"]) for each in found["predicted"]],
        "picture": png_uri(draw_trust(found["predicted"])),
        "table": PageTable("correlation", "Rank correlation", "Spearman's.", columns, rows, (), (1,)),
        "left_out": PageTable("left-out", "Keys that do not count", "Hollow in the picture.",
                              ("Key", "Method", "Predicted", "Measured", "Why"), out, (), (1, 4)),
    }  # fmt: skip


def _config(settings: Any, name: str = "") -> list[str]:
    """Settings as they can stand behind a command, those that are not set left out."""
    if isinstance(settings, Mapping) and settings:
        return [line for key, value in settings.items() for line in _config(value, f"{name}.{key}".strip("."))]
    return [] if settings is None or settings == {} else [f"{name}={settings}"]


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _sign(value: float | None) -> str:
    return _NONE if value is None else signed(value, ".2f")


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{signed(100 * value, '.1f')} %"


def _span(ends: Sequence[float] | None) -> str:
    return _NONE if ends is None else f"{signed(ends[0], '.2f')} to {signed(ends[1], '.2f')}"
