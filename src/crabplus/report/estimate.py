"""Tables of what a training run will take."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

KINDS = ("text", "target", "image", "video", "audio")
UNITS = {"GiB": 2**30, "MiB": 2**20}


def estimate_tables(made: Mapping[str, Any]) -> RenderableType:
    """Tokens, parameters, memory and time; ``made`` is ``crabplus.train.estimate.Estimate.as_dict()``."""
    shown = [_tokens(made), _parameters(made), _memory(made), *([_time(made)] if made["time"] else ())]
    return Group(*shown, *(Text(f"note: {note}") for note in made["notes"]))


def _tokens(made: Mapping[str, Any]) -> Group:
    table = _table("key", "samples", "draws", "mean", "95 %", "most", *KINDS)
    for key, row in made["keys"].items():
        of = row["tokens"]
        figures = (of["all"]["mean"], of["all"]["p95"], of["all"]["most"], *(of[kind]["mean"] for kind in KINDS))
        table.add_row(key, f"{row['samples']:,}", f"{row['draws']:,}", *(f"{value:,.0f}" for value in figures))
    all_of = made["tokens"]
    below = f"{all_of['step']:,.0f} tokens a step; {all_of['epoch']:,.0f} in an epoch of {all_of['steps']:,} steps"
    return _titled("Tokens of a sample; of each kind, the mean", table, below)


def _parameters(made: Mapping[str, Any]) -> Group:
    table = _table("part", "all", "trained", "adapted layers")
    for part, row in made["parameters"].items():
        table.add_row(part, _count(row["all"]), _count(row["trained"]), str(row["layers"]))
    return _titled(f"Parameters of {made['model']}", table)


def _memory(made: Mapping[str, Any]) -> Group:
    used = made["memory"]
    unit = "GiB" if used["total"] >= UNITS["GiB"] else "MiB"
    table = _table("what", unit)

    def add(what: str, size: float, style: str = "") -> None:
        table.add_row(what, f"{size / UNITS[unit]:,.1f}", style=style)

    for what in ("weights", "gradients", "optimiser", "activations", "total"):
        add(what, used[what])
        if what == "activations":
            for part, size in used["by_part"].items():
                add(f"  of which {part}", size, "dim")
    if made["time"] and made["time"]["peak_bytes"]:
        add("total, measured", made["time"]["peak_bytes"])
    among = f"on each of {made['processes']} processes, " if made["processes"] > 1 else ""
    below = f"{among}weights in {made['dtype']}, a micro-batch of the longest samples; no device context"
    return _titled("Memory at the peak of a step, by formula", table, below)


def _time(made: Mapping[str, Any]) -> Group:
    found = made["time"]
    table = _table("what", "measured")
    for what, value in (
        ("seconds per step", f"{found['seconds_per_step']:.3g}"),
        ("samples per second", f"{found['samples_per_second']:,.3g}"),
        ("tokens per second", f"{found['tokens_per_second']:,.0f}"),
        ("waiting for data", f"{found['waiting']:.0%}"),
        ("an epoch", _clock(found["hours_per_epoch"])),
        ("the whole run", _clock(found["hours"])),
    ):
        table.add_row(what, value)
    below = "hours:minutes:seconds, without evaluations and checkpoints"
    return _titled(f"Time, from {found['steps']} steps", table, below)


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column(first, style="bold")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _titled(title: str, table: Table, below: str = "") -> Group:
    return Group(Text(title, style="italic"), table, Text(f"{below}\n" if below else "", style="dim"))


def _count(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,}"


def _clock(hours: float) -> str:
    return str(timedelta(seconds=round(hours * 3600)))
