"""What the commands share: options, clear errors, progress."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Out = Annotated[Path, typer.Option(help="Folder to write to.")]
Seed = Annotated[int, typer.Option(help="Another seed makes other clips.")]
Keys = Annotated[str, typer.Option(help="Task keys, with commas between them.")]
Model = Annotated[
    str | None,
    typer.Option(help="'tiny' for the shipped model, a folder, or a hub name; default: that of the adapter, or tiny."),
]
Adapter = Annotated[str | None, typer.Option(help="Folder of an adapter; 'none' for the bare base.")]
Data = Annotated[Path, typer.Option(help="AV-UIE v2 folder.")]
Split = Annotated[str, typer.Option(help="Split of the data.")]
PackFile = Annotated[
    Path | None, typer.Option("--pack", help="Wording pack (YAML); default: that of adapter or model.")
]
Plugin = Annotated[
    Path | None, typer.Option(help="Python file with a dataset, a task or a family of models of your own.")
]
Ray = Annotated[
    str | None,
    typer.Option(metavar="[ADDRESS]", help="Let a Ray cluster do it: its host:port; none, or auto: this machine's."),
]


class RayCommand(TyperCommand):
    """A command with ``--ray``, behind which no address need stand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See ``click.Command``."""
        if "--ray" in args:
            place = args.index("--ray") + 1
            if args[place : place + 1] == [] or args[place].startswith("-"):
                args = [*args[:place], "auto", *args[place:]]
        return super().parse_args(ctx, args)


class clear_errors:
    """Ends the command with the message of an error that a user can mend, in place of a traceback.

    Args:
        left: what an interruption leaves.
    """

    def __init__(self, left: str = "what was done is kept, and the same command goes on") -> None:
        self.left = left

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, KeyboardInterrupt):
            typer.secho(f"interrupted; {self.left}", err=True, fg="yellow")
            raise typer.Exit(130) from None
        if isinstance(error, ValueError | KeyError | OSError):
            typer.secho(f"error: {_told(error)}", err=True, fg="red")
            raise typer.Exit(2) from None


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error.args[0] if isinstance(error, KeyError) else error)


def clock(text: str) -> float:
    """Seconds, given as such or as a clock shows them: ``90``, ``1:30``, ``0:01:30.5``."""
    parts = text.split(":")
    if not (1 <= len(parts) <= 3 and all(part.replace(".", "", 1).isdecimal() for part in parts)):
        raise typer.BadParameter(f"seconds, or h:mm:ss, wanted, got {text!r}")
    return sum(float(part) * 60**place for place, part in enumerate(reversed(parts)))


def names_in(keys: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(dict.fromkeys(key.strip() for key in keys.split(",") if key.strip()))


def keys_in(keys: str) -> tuple[str, ...]:
    """Task keys with commas between them; an unknown one names the nearest."""
    from crabplus.tasks import get_task

    return tuple(get_task(key).key for key in names_in(keys))


def folder_for(out: Path) -> Path:
    """A folder to write to, told before work begins if it cannot be one."""
    if out.is_file():
        raise ValueError(f"--out: {out} is a file; name a folder")
    return out


def take_plugin(plugin: Path | None) -> None:
    """Take the datasets and families of models of a Python file, if one is named."""
    if plugin:
        from crabplus import datasets, models
        from crabplus.plugins import load

        module = load(plugin)
        if not [*datasets.take(module), *models.take(module)]:
            raise ValueError(
                f"{plugin}: no subclass of crabplus.datasets.Dataset with a key in it, and no MODEL_TYPES of a family"
            )


def workers_at(
    ray: str | None, make: Callable[[], Any], needs: Sequence[Path], plugin: Path | None = None, **options: Any
) -> Any:
    """The workers of a cluster, to be used in ``with``; None if none is named.

    Args:
        make: gives the function of a worker, where the plug-in was taken; the rest: see ``crabplus.spread.Workers``.
    """
    if ray is None:
        return nullcontext()
    from crabplus.spread import Workers

    return Workers(ray, partial(_with_plugin, plugin, make), needs, **options)


@contextmanager
def processes(count: int, function: Callable[[Any], Any]) -> Iterator[Callable[[Iterable[Any]], Iterator[Any]]]:
    """Has a function done for each item, in order, by so many processes; Ctrl-C drops what has not begun."""
    if count == 1:
        yield partial(map, function)
        return
    ignored = signal.SIGINT, signal.SIG_IGN  # this process alone obeys it
    pool = ProcessPoolExecutor(count, get_context("spawn"), signal.signal, ignored)
    try:
        yield partial(pool.map, function)
    finally:
        pool.shutdown(cancel_futures=True)


def _with_plugin(plugin: Path | None, make: Callable[[], Any]) -> Any:
    take_plugin(plugin)
    return make()


def halves(text: str, sign: str, form: str) -> tuple[str, str]:
    """What stands before and behind a sign; ``form`` says how it should look."""
    left, found, right = text.partition(sign)
    if not (left and found and right):
        raise ValueError(f"{form} wanted, got {text!r}")
    return left, right


def one_of(text: str, *known: str) -> Any:
    """The text, if it is one of those known."""
    if text not in known:
        raise ValueError(f"one of {', '.join(known)} wanted, got {text!r}")
    return text


def part_of(shard: str, total: int) -> range:
    """The numbers, of ``total`` things, that belong to a part: ``2/8`` is the second of eight."""
    number, count = shard_of(shard)
    return range(total * (number - 1) // count, total * number // count)


def shard_of(text: str) -> tuple[int, int]:
    """Which part of how many: ``2/8`` is the second of eight."""
    number, count = halves(text, "/", "--shard 2/8")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard: a part such as 2/8 wanted, from 1/8 to 8/8, got {text!r}")
    return int(number), int(count)


def track(items: Iterable[Any], heading: str, total: int, done: int = 0) -> Iterator[Any]:
    """The items, with a bar of their progress on standard error if that is a terminal.

    Args:
        heading: what is done; total: number of items, of which ``done`` were there before.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(heading, total=total, completed=done)
        for item in items:
            progress.advance(task)  # before: whoever takes the last one does not come back
            yield item
