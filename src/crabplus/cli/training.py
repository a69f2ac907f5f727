"""Commands about training: train, estimate."""

from pathlib import Path
from typing import Annotated

import typer

from crabplus.cli.options import clear_errors, take_plugin, track


def train(
    config: Annotated[Path, typer.Argument(help="Settings (YAML), such as configs/tiny.yaml.")],
    changes: Annotated[list[str] | None, typer.Argument(help="Changes, such as out=runs/a adapter.r=16.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check everything, tell what is trained, and end.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what the run folder holds.")] = False,
) -> None:
    """Train an adapter, or a model, on a mixture of task keys. An interrupted run goes on with the same command."""
    with clear_errors():
        from accelerate import PartialState
        from rich.console import Console

        from crabplus.cli.progress import RichProgress
        from crabplus.config import load_config
        from crabplus.report.curves import write_curves
        from crabplus.report.table import plan_table
        from crabplus.train import check as plan_of
        from crabplus.train import train as run

        settings = load_config(config, changes or ())
        take_plugin(Path(settings.plugin) if settings.plugin else None)
        plan = plan_of(settings, track, fresh)
        first = PartialState().is_main_process
        if first:
            Console().print(plan_table(plan.overview()))
        if check:
            return
        bar = RichProgress()
        try:
            final = run(plan, fresh=fresh, callbacks=[bar])
        finally:
            bar.stop()
        if first:
            picture, page = write_curves(Path(settings.out))
            typer.echo(f"trained: {final}, {_which(final)}\nsummary: {page}\ncurves: {picture}")


def _which(final: Path) -> str:
    """After which step a folder was saved, and why."""
    import json

    from crabplus.train import STEP

    told = json.loads((final / STEP).read_text(encoding="utf-8"))
    best = told["mean_relative"]
    return f"after step {told['step']} of {told['of']}" + (f", the best ({best:.3f})" if best is not None else "")


def estimate(
    config: Annotated[Path, typer.Argument(help="Settings (YAML), such as configs/tiny.yaml.")],
    changes: Annotated[list[str] | None, typer.Argument(help="Changes, such as adapter.r=16.")] = None,
    steps: Annotated[int, typer.Option(min=0, help="Steps to measure; 0 needs no weights.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a training run will take: tokens, parameters, memory, time. Nothing is written into its folder."""
    with clear_errors():
        import json

        from accelerate import PartialState
        from rich.console import Console

        from crabplus.config import load_config
        from crabplus.report.estimate import estimate_tables
        from crabplus.train import check as plan_of
        from crabplus.train.estimate import estimate as estimate_of

        settings = load_config(config, changes or ())
        take_plugin(Path(settings.plugin) if settings.plugin else None)
        quiet = (lambda items, heading, total: items) if as_json else track
        made = estimate_of(plan_of(settings, quiet, save=False), steps).as_dict()
        if PartialState().is_main_process:
            if as_json:
                typer.echo(json.dumps(made, ensure_ascii=False))
            else:
                Console().print(estimate_tables(made))
