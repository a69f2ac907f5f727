"""Tables on a terminal: scores, and what a build found."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from crabplus.schema import Score

ERRORS = 10  # so many unreadable files are named
COMMON = 4  # so many labels are named

__all__ = ["build_table", "data_table", "plan_table", "score_table"]


def score_table(scores: Mapping[str, Score], off: Mapping[str, Score] | None = None, title: str | None = None) -> Table:
    """Scores as a Rich table: one row per key, in order. "No answer" counts the unparsable, missing and failed.

    Notes of the keys stand below it.

    Args:
        scores: score of each key.
        off: scores of the same keys with the adapter off; without it there is no such column.
        title: line above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("key", style="bold")
    table.add_column("metric", overflow="fold")
    for name in ("score", "95 %", *(["adapter\noff"] if off else []), "best\nconstant", "n", "no\nanswer"):
        table.add_column(name, justify="right", style="bold" if name == "score" else "", no_wrap=True)
    for key, score in scores.items():
        table.add_row(*_row(key, score, off))
    notes = [f"{key}: {note}" for key, score in scores.items() for note in score.notes]
    table.caption, table.caption_justify = "\n".join(notes) or None, "left"
    return table


def _row(key: str, score: Score, off: Mapping[str, Score] | None) -> list[str]:
    without = [f"{off[key].score:.3f}" if key in off else "–"] if off else []
    low, high = score.ci95
    partial = "\npartial" if score.partial else ""
    return [
        key, score.metric.replace("_", " "), f"{score.score:.3f}{partial}", f"{low:.2f}–{high:.2f}", *without,
        f"{score.constant:.3f}", str(score.n), str(_unanswered(score)),
    ]  # fmt: skip


def _unanswered(score: Score) -> int:
    """Samples without a readable answer, for whatever reason."""
    return score.unparsable + score.missing + int(score.others.get("errors") or 0)


def build_table(made: Any, title: str | None = None) -> Table:
    """What a build found, a row for each split: against the official count, and what is wrong with the media.

    ``made`` is a :class:`crabplus.datasets.build.Built`. Notes, clips shared between splits and the first unreadable
    files stand below.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("split", style="bold")
    for name in ("official", "found", "media missing", "unreadable", "without sound", "written"):
        table.add_column(name, justify="right")
    for split, counts in made.splits.items():
        official = "not established" if counts.official is None else str(counts.official)
        numbers = counts.found, counts.missing, counts.unreadable, counts.silent, counts.written
        table.add_row(split, official, *map(str, numbers))
    shown = made.errors[:ERRORS] + ([f"and {len(made.errors) - ERRORS} more"] if made.errors[ERRORS:] else [])
    table.caption, table.caption_justify = "\n".join([*_once(made.notes), *made.shared, *shown]) or None, "left"
    return table


def _once(notes: Sequence[str]) -> list[str]:
    """Notes, each ``split: words``, with the splits of the same words together."""
    splits: dict[str, list[str]] = {}
    for split, _, words in (note.partition(": ") for note in notes):
        splits.setdefault(words, []).append(split)
    return [f"{', '.join(dict.fromkeys(names))}: {words}" for words, names in splits.items()]


def data_table(summaries: Sequence[Any], title: str | None = None) -> Table:
    """What a data folder holds, a row for each :class:`crabplus.datasets.summary.Summary`."""
    table = Table(title=title, title_justify="left")
    table.add_column("key", style="bold")
    table.add_column("split")
    for name in ("n", "answer", "sound", "reason", "hours", "labels"):
        table.add_column(name, justify="right")
    table.add_column("most frequent")
    for made in summaries:
        shares = [f"{count / max(made.samples, 1):.0%}" for count in (made.answered, made.sounding, made.reasoned)]
        hours = f"{made.seconds / 3600:.2f}" if made.timed else "?"
        common = ", ".join(f"{label} {count}" for label, count in list(made.labels.items())[:COMMON])
        table.add_row(made.key, made.split, str(made.samples), *shares, hours, str(len(made.labels)), common)
    return table


def plan_table(made: Mapping[str, Any], title: str | None = None) -> Table:
    """What a training run learns from, a row for each key; what is trained, and for how long, stands below.

    Args:
        made: from ``Plan.overview`` of :mod:`crabplus.train`; title: line above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("key", style="bold")
    for name in ("samples", "drawn in an epoch", "share", "tokens", "longest"):
        table.add_column(name, justify="right")
    table.add_column("lacking")
    for key, row in made["keys"].items():
        lacking = ", ".join(f"{count} without {sense}" for sense, count in row["lacking"].items())
        numbers = str(row["samples"]), str(row["draws"]), f"{row['share']:.1%}", str(row["tokens"]), str(row["longest"])
        table.add_row(key, *numbers, lacking)
    parts, layers = made["parts"]["parameters_by_part"], made["parts"]["layers"]
    trained = ", ".join(
        f"{part} {count:,}" + (f" in {layers[part]} layers" if part in layers else "") for part, count in parts.items()
    )
    table.caption, table.caption_justify = (
        (
            f"trained parameters: {trained}\n{made['steps']} steps of {made['batch']} samples on {made['processes']} "
            f"process{'es' if made['processes'] > 1 else ''}, {made['steps_per_epoch']} an epoch; into {made['out']}"
        ),
        "left",
    )
    return table
