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
from crabplus.whole import write_whole

__all__ = ["transfer_table", "verdict", "write_transfer_page"]

_NONE = "–"
_UNSEEN = f"{_NONE} / {_NONE}"
_OVERVIEW = (
    *("Trained together as", "Positive", "Share", "95 %", "Of those with room", "Clearly better", "Worse"),
    *("Clearly worse", "Ties", "At ceiling", "Relative change, median"),
)
_COLUMNS = (
    *("Key", "Verdict", "Alone", "Together", "Change, 95 %", "Relative, 95 %", "Best constant", "Metric"),
    *("n × seeds", "Learned from"),
)
_TRAINED = (
    *("Method", "", "Adapter", "Runs", "Done", "Keys of a run", "Seeds", "Trained parameters", "Steps"),
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
        trained=_trained(made), missing=_missing(made), notes=made["notes"], rules=_rules(made), command=command,
        commands="\n".join(dict.fromkeys(run["command"] for run in made["runs"] if run["command"])),
    )  # fmt: skip
    write_whole(out / "transfer.png", picture)
    write_whole(out / "transfer.html", page.encode())
    return out / "transfer.png", out / "transfer.html"


def verdict(made: Mapping[str, Any]) -> str:
    """The answer in one sentence, the best method first."""
    told = {method: counts for method, counts in made["methods"].items() if counts["keys"]}
    if not told:
        return "Nothing could be compared; what is missing stands below."
    ranked = sorted(told, key=lambda method: -told[method]["share"])
    words = [
        f"{told[method]['positive']} of {told[method]['keys']} tasks with {method} ({_share(told[method]['share'])})"
        for method in ranked
    ]
    few = "; not everything could be compared, see what is missing" if made["missing"] else ""
    told_of = _listed(words).replace(" %", "\u00a0%")  # which no line begins with
    return f"Compared with training each task alone, training together helps {told_of}{few}."


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
        *(f"missing: {' '.join(filter(None, row))}" for row in _missing(made).rows),
        *(f"note: {note}" for note in made["notes"]),
    ]
    return Group(Text(verdict(made), style="bold"), table, *map(Text, lines))


_COUNTS = {
    "positive": lambda told: f"{told['positive']} of {told['keys']}",
    "share": lambda told: f"{_share(told['share'])} ({_ends(told['share_ci95'], _share)})",
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
            method, f"{told['positive']} of {told['keys']}", _share(told["share"]), _ends(told["share_ci95"], _share),
            _NONE if share is None else f"{_share(share)} of {room}", str(len(told["positive_significant"])),
            str(len(told["negative"])), str(len(told["negative_significant"])), _names(told["ties"]),
            _names(told["ceiling"]),
            _NONE if told["median_relative"] is None else f"{_percent(told['median_relative'])}",
        ])  # fmt: skip
    words = (
        "Positive: the task scores higher when trained together. Clearly: the 95 % interval of the change excludes 0."
    )
    return PageTable("overview", "How many tasks gain", words, _OVERVIEW, rows)


def _details(made: Mapping[str, Any], method: str) -> PageTable:
    rows = [_detail(cell) for cell in made["cells"] if cell["method"] == method]
    told = made["methods"][method]
    words = f"{told['positive']} of {_counted(told['keys'], 'task')} better together" if told["keys"] else ""
    if any(cell[-1] != _UNSEEN for cell in rows):
        words += ". Learned from: samples of the key that were seen in training, alone / together, with repeats"
    number = list(made["methods"]).index(method)
    return PageTable(f"method-{number}", f"Trained together: {method}", words, _COLUMNS, rows, left=(1, 7))


def _detail(cell: Mapping[str, Any]) -> list[str]:
    relative = _NONE
    if cell["relative"] is not None:
        ends = [100 * end for end in cell["relative_ci95"] or ()]
        between = f" ({_ends(ends, lambda end: signed(end, '.1f'))})" if ends else ""
        relative = f"{_percent(cell['relative'])}{between}"
    change = f"{signed(cell['change'], '.3f')} ({_ends(cell['change_ci95'], lambda end: signed(end, '.3f'))})"
    return [
        cell["key"], _outcome(cell), f"{cell['single']:.3f}", f"{cell['multi']:.3f}", change, relative,
        f"{cell['constant']:.3f}", cell["metric"].replace("_", " "), f"{cell['n']} × {len(cell['seeds'])}",
        " / ".join(_NONE if count is None else f"{count:,}" for count in cell["seen"]),
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
            str(row["runs"]), str(row["done"]), str(row["keys"]), _some(row["seeds"]), _some(row["parameters"]),
            _some(row["steps"]), _some(row["seen"]),
        ]
        for row in made["trained"]
    ]  # fmt: skip
    settings = made["settings"]
    models = dict.fromkeys(model for row in made["trained"] for model in row["models"])
    words = f"Model {', '.join(models) or 'not known'}; asked about split {settings['split']} of {settings['data']}"
    return PageTable("trained", "What was run", words, _TRAINED, rows, left=(1, 2))


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


def _rules(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the numbers come about."""
    settings = made["settings"]
    seeds = max((len(cell["seeds"]) for cell in made["cells"]), default=0)
    drawn = "samples and seeds" if seeds > 1 else "samples alone, as there is one seed"
    return [
        (
            "Score",
            "the official metric of the key over all samples, mean over seeds. An answer that cannot be read is wrong "
            "and stays in the mean. Only seeds that both sides have are compared.",
        ),
        (
            "Alone",
            f"runs trained on one key, method or adapter {settings['baseline']}, with the same seed and reasoning as "
            "the run that was trained on several.",
        ),
        ("Change", "together minus alone. Relative: change divided by the score alone."),
        (
            "Zero alone",
            "where a task scores 0 alone there is no relative change: the change itself is given, and its sign counts "
            "as that of any other task.",
        ),
        (
            "Interval",
            f"95 %, percentile bootstrap over {drawn}: {settings['rounds']} draws with replacement (seed "
            f"{settings['seed']}), each the same for both sides. Few seeds make it a rough one, likely too "
            "narrow; with one seed nothing of what another would change is in it. Of twenty tasks that do not change, "
            "one would look clear by chance.",
        ),
        (
            "Share",
            "positive tasks divided by all tasks that could be compared. Its interval holds the shares of 95 % of "
            "these draws: these tasks with other samples and seeds, not other tasks. Draws scatter small changes about "
            "0, so it may lie below the share itself.",
        ),
        (
            "Tie",
            "the change is smaller than what one right answer of one run makes (highest score / samples / seeds): not "
            "positive, but in the denominator of the share.",
        ),
        (
            "Ceiling",
            f"alone the task scores {settings['ceiling']:g} or more: it is not counted as positive and stays in the "
            "denominator; the share of those with room leaves it out. A metric that may exceed 1 (CIDEr-D) is taken on "
            "the way from the best constant answer to what the true answers themselves score.",
        ),
        (
            "Missing",
            "failed or absent runs, and keys of which a run has not answered every sample, are in no count and are "
            "listed.",
        ),
    ]


def _ends(ends: Sequence[float], say: Callable[[float], str]) -> str:
    return " to ".join(map(say, ends))


def _percent(value: float) -> str:
    """A change in percent, with its sign."""
    return f"{signed(100 * value, '.1f')} %"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _names(keys: Sequence[str]) -> str:
    return f"{len(keys)}: {', '.join(keys)}" if keys else "0"


def _some(values: Sequence[Any]) -> str:
    """A few values as they are, many by their ends."""
    words = [f"{value:,}" if isinstance(value, int) else str(value) for value in values]
    return _NONE if not words else ", ".join(words) if len(words) < 4 else f"{words[0]} to {words[-1]}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
