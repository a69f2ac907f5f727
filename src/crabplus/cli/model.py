"""The command that shows the shipped model at work: demo."""

from pathlib import Path
from typing import Annotated

import typer

from crabplus.cli.options import Out, Seed, track


def demo(
    out: Out = Path("demo"),
    samples: Annotated[int, typer.Option(min=1, help="Clips of each task key.")] = 12,
    seed: Seed = 0,
) -> None:
    """Make unseen clips, answer every key, and write report.html and scores.json."""
    from rich.console import Console

    from crabplus.demo import run_demo
    from crabplus.report.table import score_table

    made = run_demo(out, samples, seed, track)
    Console().print(score_table(made.scores, made.off, title="crabplus-tiny on unseen Tidepool clips"))
    typer.echo(f"report: {made.report}\nscores: {made.numbers}")
