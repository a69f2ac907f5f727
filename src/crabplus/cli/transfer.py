"""Commands about transfer between tasks, before and after training: transfer RUNS, and those of other files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crabplus.cli.options import Plugin, clear_errors, folder_for, take_plugin, track


class RunsGroup(TyperGroup):
    """Takes folders where the name of a command stands: ``transfer RUNS...`` is ``transfer report RUNS...``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See ``click.Group``."""
        named = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        return super().parse_args(ctx, args if named else ["report", *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See ``click.Group``; usage shows no name of a command where none was typed."""
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == "report" else name, command, rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """What ``report`` takes, then the other commands."""
        self.commands["report"].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


transfer_app = typer.Typer(
    cls=RunsGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="RUNS... | COMMAND [ARGS]...",
    help="Does training tasks together help them? A report from finished runs, or one of the commands below.",
)


@transfer_app.command("report", hidden=True)
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or folders in which runs lie at any depth.")],
    out: Annotated[Path, typer.Option(help="Folder for transfer.json, transfer.png, transfer.html.")] = Path(
        "transfer"
    ),
    data: Annotated[Path | None, typer.Option(help="Folder with the truth; default: what the runs name.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the truth; default: what the runs name, or test.")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Of each key, the first so many; default: what the runs say, or all.")
    ] = None,
    baseline: Annotated[str, typer.Option(help="Method, or kind of adapter, of the single-task runs.")] = "lora",
    ceiling: Annotated[float, typer.Option(min=0, max=1, help="From here on a task cannot improve.")] = 0.98,
    rounds: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of these draws.")] = 0,
    plugin: Plugin = None,
) -> None:
    """Compare what runs answered: each task trained alone against all of them trained together."""
    with clear_errors():
        take_plugin(plugin)
        import shlex
        import sys

        from rich.console import Console

        from crabplus.analysis.transfer import Settings, compare, write_transfer
        from crabplus.report.transfer import transfer_table, write_transfer_page

        truth = data.as_posix() if data else None
        settings = Settings(truth, split, samples, baseline, ceiling, rounds, seed)
        folder_for(out)
        made = compare(runs, settings, track)
        write_transfer(out / "transfer.json", made)
        picture, page = write_transfer_page(out, made, shlex.join(["crabplus", *sys.argv[1:]]))
    Console().print(transfer_table(made))
    typer.echo(f"report: {page}\npicture: {picture}\nnumbers: {out / 'transfer.json'}")


@transfer_app.command("predict")
def predict(
    config: Annotated[Path, typer.Argument(help="Settings of the training run (YAML), such as configs/tiny.yaml.")],
    changes: Annotated[list[str] | None, typer.Argument(help="Changes, such as data.keys=ave,avqa.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for conflict.json, conflict.png, conflict.html.")] = Path(
        "conflict"
    ),
    batches: Annotated[int, typer.Option(help="Batches of each key: an even number, the more the less noise.")] = 4,
    warmup: Annotated[
        int | None, typer.Option(min=0, help="Steps learned before; default: 50, and 0 with adapter.start.")
    ] = None,
    measured: Annotated[Path | None, typer.Option(help="transfer.json: how far was the prediction right?")] = None,
    memory: Annotated[float, typer.Option(min=0, help="GiB of gradients held at a time.")] = 8.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute the gradients anew.")] = False,
) -> None:
    """Tell before training which tasks pull the adapter the same way, and which against each other."""
    with clear_errors():
        import shlex
        import sys

        from rich.console import Console

        from crabplus.analysis.conflict import measure, write
        from crabplus.analysis.conflict import predict as run
        from crabplus.config import load_config
        from crabplus.report.conflict import conflict_table, write_conflict_page
        from crabplus.train import check

        folder_for(out)
        settings = load_config(config, changes or ()).model_copy(update={"evaluation": None})  # nothing is asked
        take_plugin(Path(settings.plugin) if settings.plugin else None)
        plan = check(settings, track, save=False)
        made = run(plan, out, batches, warmup, memory * 2**30, fresh, track)
        if measured:
            made = measure(made, measured)
            write(out, made)
        picture, page = write_conflict_page(out, made, shlex.join(["crabplus", *sys.argv[1:]]))
    Console().print(conflict_table(made))
    typer.echo(f"report: {page}\npicture: {picture}\nnumbers: {out / 'conflict.json'}")


@transfer_app.command("run")
def run(
    suite: Annotated[Path, typer.Argument(help="Settings of the suite (YAML), such as configs/suite/example.yaml.")],
    changes: Annotated[list[str] | None, typer.Argument(help="Changes, such as per_key=20 keys=ave,avqa.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the suite; default: out/ and its name.")] = None,
    shard: Annotated[str, typer.Option(help="Which part of how many, as 2/8, for several machines.")] = "1/1",
    processes: Annotated[int, typer.Option(min=1, help="Processes that work side by side.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="The smaller suite that the file describes.")] = False,
    report_after: Annotated[bool, typer.Option("--report", help="Write the report when all is done.")] = False,
) -> None:
    """Train and ask every cell of a suite. What is done is skipped, and what was interrupted goes on."""
    with clear_errors():
        from crabplus.analysis.suite import begin, cells_of, status_of
        from crabplus.analysis.suite_run import Progress, quiet, run_cells
        from crabplus.analysis.suite_settings import load_suite
        from crabplus.cli.options import shard_of

        settings = load_suite(suite, changes or (), quick)
        folder = folder_for(out or Path("out") / settings.suite)
        cells = cells_of(settings, folder, str(suite))
        take_plugin(Path(settings.base["plugin"]) if settings.base.get("plugin") else None)
        number, count = shard_of(shard)
        mine = cells[number - 1 :: count]
        waiting = [cell for cell in mine if status_of(cell) != "done"]
        if waiting:
            from crabplus.analysis.suite_check import check_suite

            quiet()
            check_suite(waiting, track)
        begin(settings, cells, folder)
        if unused := settings.methods.keys() - {*settings.single, *settings.multi, *settings.equal_steps}:
            typer.echo(f"no cell of {', '.join(sorted(unused))}: name it in single, multi or equal_steps to have some")
        typer.echo(f"{len(mine)} cells, of which {len(mine) - len(waiting)} are done; in {folder}")
        progress = Progress(len(mine), sum(cell.cost for cell in waiting), typer.echo, len(mine) - len(waiting))
        run_cells(waiting, folder / "locks", processes, progress)
        failed = [cell.title for cell in mine if status_of(cell) != "done"]
    typer.echo(f"report: crabplus transfer {folder} --out {folder / 'report'}")
    if report_after:
        report([folder / "runs"], folder / "report")
    if failed:
        typer.secho(f"failed: {', '.join(failed)}; mended, the same command tries these again", err=True, fg="red")
        raise typer.Exit(1)
