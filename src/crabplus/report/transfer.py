"""What finished runs say about transfer between tasks: a page, a picture, and a table on a terminal."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crabplus.report.embed import png_uri
from crabplus.report.heat import SIGNS, change_words, draw_transfer, signed
from crabplus.report.page import PageTable, render
from crabplus.report.transfer_words import remarks, rules, share_words, verdict
from crabplus.whole import write_whole

__all__ = ["transfer_table", "write_transfer_page"]

_NONE = "–"
_OVERVIEW = (
    *("Trained together as", "Positive", "Share", "95 %", "Of those with room", "Clearly better", "Worse"),
    *("Clearly worse", "Ties", "At ceiling", "Relative change, median"),
)
_COLUMNS = ("Key", "Verdict", "Alone", "Together", "Change, 95 %", "Relative, 95 %", "Best constant")
_TRAINED = (
    *("Method", "", "Adapter", "Runs done", "Keys of a run", "Seeds", "Trained parameters", "Steps", "Batch", "Rate"),
    "Samples of a key",
)


def write_transfer_page(out: Path, made: Mapping[str, Any], command: str) -> tuple[Path, Path]:
    """Write ``transfer.png`` and ``transfer.html`` into a folder, each whole or not at all, and return both paths.

    Args:
        made: what ``transfer.json`` holds; all that is shown comes from it. command: that repeats the page.
    """
    picture = draw_transfer(made)
    page = render(
        "transfer.html.j2", title="Does training together help?", verdict=verdict(made), picture=png_uri(picture),
        overview=_overview(made), tables=[_details(made, method) for method in made["methods"]],
        trained=_trained(made), tasks=_tasks(made), missing=_missing(made), notes=remarks(made), rules=rules(made),
        command=command, made_with=_made_with(made),
        commands="\n".join(dict.fromkeys(run["command"] for run in made["runs"] if run["command"])),
    )  # fmt: skip
    write_whole(out / "transfer.png", picture)
    write_whole(out / "transfer.html", page.encode())
    return out / "transfer.png", out / "transfer.html"


def transfer_table(made: Mapping[str, Any]) -> RenderableType:
    """On a terminal: keys by methods, the counts below them, and what is missing."""
    table = Table()
    table.add_column("key", style="bold")
    table.add_column("alone", justify="right")
    for method in made["methods"]:
        table.add_column(Text(method), justify="right")
    found = {(cell["key"], cell["method"]): cell for cell in made["cells"]}
    for key in dict.fromkeys(cell["key"] for cell in made["cells"]):
        cells = [found.get((key, method)) for method in made["methods"]]
        alone = dict.fromkeys(f"{cell['single']:.3f}" for cell in cells if cell)
        table.add_row(Text(key), " / ".join(alone), *map(_brief, cells))
    table.add_section()
    for name, words in _COUNTS.items():
        table.add_row(name, "", *(words(counts) if counts["keys"] else _NONE for counts in made["methods"].values()))
    lines = [
        "* the 95 % interval of the change excludes 0; ^ at ceiling, not counted as positive",
        *(f"missing: {': '.join(filter(None, row))}" for row in _missing(made).rows),
        *(f"note: {note}" for note in remarks(made)),
    ]
    return Group(Text(verdict(made), style="bold"), table, *map(Text, lines))


_COUNTS = {
    "positive": lambda told: f"{told['positive']} of {told['keys']}",
    "share": lambda told: f"{share_words(told['share'])} ({_ends(told['share_ci95'], share_words)})",
    "clearly better": lambda told: str(len(told["positive_significant"])),
    "clearly worse": lambda told: str(len(told["negative_significant"])),
}


def _brief(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "missing"
    return f"{SIGNS[cell['outcome']]} {change_words(cell)}{'^' if cell['ceiling'] else ''}"


def _overview(made: Mapping[str, Any]) -> PageTable:
    rows = []
    for method, told in made["methods"].items():
        if not told["keys"]:
            rows.append([method, "nothing to compare", *[_NONE] * 9])
            continue
        share, room = told["share_of_could_improve"], told["could_improve"]
        rows.append([
            method, f"{told['positive']} of {told['keys']}", share_words(told["share"]),
            _ends(told["share_ci95"], share_words),
            _NONE if share is None else f"{share_words(share)} of {room}", str(len(told["positive_significant"])),
            str(len(told["negative"])), str(len(told["negative_significant"])), _names(told["ties"]),
            _names(told["ceiling"]),
            _NONE if told["median_relative"] is None else f"{_percent(told['median_relative'])}",
        ])  # fmt: skip
    words = (
        "Positive: the task scores higher when trained together. Clearly: the 95 % interval of the change excludes 0."
    )
    return PageTable("overview", "How many tasks gain", words, _OVERVIEW, rows, left=(8, 9))


def _details(made: Mapping[str, Any], method: str) -> PageTable:
    """A row for each key; what is the same for all of them stands above the table."""
    cells = [cell for cell in made["cells"] if cell["method"] == method]
    told = made["methods"][method]
    words = [f"{told['positive']} of {_counted(told['keys'], 'task')} better together"] if told["keys"] else []
    columns, rows = list(_COLUMNS), [_detail(cell) for cell in cells]
    for name, say, value in (
        ("Samples × seeds", "Samples × seeds of each key: {}", _asked),
        ("Learned from", "Samples of a key that were learned from, alone / together, with repeats: {}", _seen),
    ):
        values = [value(cell) for cell in cells]
        if len(set(values)) > 1:
            columns.append(name)
            rows = [[*row, one] for row, one in zip(rows, values, strict=True)]
        elif values and values[0]:
            words.append(say.format(values[0]))
    number = list(made["methods"]).index(method)
    return PageTable(f"method-{number}", f"Trained together: {method}", ". ".join(words), columns, rows, left=(1,))


def _asked(cell: Mapping[str, Any]) -> str:
    return f"{cell['n']:,} × {len(cell['seeds'])}"


def _seen(cell: Mapping[str, Any]) -> str:
    known = any(count is not None for count in cell["seen"])
    return " / ".join(_NONE if count is None else f"{count:,}" for count in cell["seen"]) if known else ""


def _detail(cell: Mapping[str, Any]) -> list[str]:
    relative = _NONE
    if cell["relative"] is not None:
        ends = [100 * end for end in cell["relative_ci95"] or ()]
        between = _ends(ends, lambda end: signed(end, ".1f")) if ends else "no interval"
        relative = f"{_percent(cell['relative'])} ({between})"
    change = f"{signed(cell['change'], '.3f')} ({_ends(cell['change_ci95'], lambda end: signed(end, '.3f'))})"
    return [
        cell["key"], _outcome(cell), f"{cell['single']:.3f}", f"{cell['multi']:.3f}", change, relative,
        f"{cell['constant']:.3f}",
    ]  # fmt: skip


def _outcome(cell: Mapping[str, Any]) -> str:
    """A verdict in words, for those who see no colours and no signs."""
    words = {"positive": "better", "negative": "worse", "tie": "tie"}[cell["outcome"]]
    clear = "clearly " if cell["significant"] else ""
    return f"{SIGNS[cell['outcome']]} {clear}{words}{', at ceiling: not counted' if cell['ceiling'] else ''}"


def _trained(made: Mapping[str, Any]) -> PageTable:
    rows = [
        [
            row["method"], "each key alone" if row["kind"] == "single-task" else "together", _some(row["adapters"]),
            f"{row['done']} of {row['runs']}", str(row["keys"]), _some(row["seeds"]), _some(row["parameters"]),
            _some(row["steps"]), _some(row["batches"]), _some(row["rates"]), _some(row["seen"]),
        ]
        for row in made["trained"]
    ]  # fmt: skip
    settings = made["settings"]
    models = dict.fromkeys(model for row in made["trained"] for model in row["models"])
    first = f"the first {settings['samples']:,} of each key of " if settings["samples"] else ""
    words = (
        f"Model {', '.join(models) or 'not known'}; asked about {first}split {settings['split']} of {settings['data']}"
    )
    return PageTable("trained", "What was run", words, _TRAINED, rows, left=(1, 2))


def _made_with(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """When the runs were made, and with which versions; each value once."""
    dates = sorted(run["created"][:10] for run in made["runs"] if run["created"])
    days = [("made", dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}")] if dates else []
    versions: dict[str, dict[str, None]] = {}
    for run in made["runs"]:
        for name, version in (run["versions"] or {}).items():
            versions.setdefault(name, {})[str(version)] = None
    return [*days, *((name, ", ".join(found)) for name, found in versions.items())]


def _tasks(made: Mapping[str, Any]) -> PageTable:
    """What each key asks for, and by what it is judged."""
    rows = {cell["key"]: [cell["key"], cell["asks"], cell["metric"].replace("_", " ")] for cell in made["cells"]}
    return PageTable("tasks", "The tasks", "", ("Key", "What is asked", "Metric"), list(rows.values()), left=(1, 2))


def _missing(made: Mapping[str, Any]) -> PageTable:
    """One row for all keys that lack the same for the same reason."""
    keys: dict[tuple[str, ...], list[str]] = {}
    for lack in made["missing"]:
        what = lack["method"], lack["kind"], f"seed {lack['seed']}", lack["why"], lack["folder"] or ""
        keys.setdefault(what, []).append(lack["key"] or "all keys")
    rows = [[", ".join(names), *what] for what, names in keys.items()]
    words = "What could not be compared, and why. It is in no count above."
    columns = ("Key", "Method", "Run", "Seed", "Why", "Folder")
    return PageTable("missing", "What is missing", words, columns, rows, left=(1, 2, 3, 4, 5))


def _ends(ends: Sequence[float], say: Callable[[float], str]) -> str:
    return " to ".join(map(say, ends))


def _percent(value: float) -> str:
    """A change in percent, with its sign."""
    return f"{signed(100 * value, '.1f')} %"


def _names(keys: Sequence[str]) -> str:
    return f"{len(keys)}: {', '.join(keys)}" if keys else "0"


def _some(values: Sequence[Any]) -> str:
    """A few values as they are, many by their ends."""
    words = [f"{value:,}" if isinstance(value, int) else str(value) for value in values]
    return _NONE if not words else ", ".join(words) if len(words) < 4 else f"{words[0]} to {words[-1]}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
