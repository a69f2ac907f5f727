"""``crabplus packs``: where wordings come from."""

from pathlib import Path
from typing import Annotated

import typer

from crabplus.cli.options import clear_errors, one_of

packs_app = typer.Typer(no_args_is_help=True, help="Wordings of the task keys.")


@packs_app.callback()
def _group() -> None:
    """So that one command is a command of a group, too."""


@packs_app.command("import-upstream")
def import_upstream(
    checkout: Annotated[Path, typer.Argument(help="Folder of your checkout of GeWu-Lab/Crab_Plus.")],
    out: Annotated[Path, typer.Option(help="Pack to write (YAML).")] = Path("as-published.yaml"),
    split: Annotated[str, typer.Option(help="Whose wording: train or test.")] = "train",
    media: Annotated[str, typer.Option(help="whole, or published: its rules for media, too.")] = "whole",
) -> None:
    """Take the wording of the published model from a checkout, which is parsed and never run."""
    with clear_errors(left="nothing was written"):
        import yaml

        from crabplus.tasks import TASKS
        from crabplus.tasks.upstream import REVISION, pack_of, read_upstream
        from crabplus.whole import write_lines

        one_of(split, "train", "test")
        one_of(media, "whole", "published")
        found = read_upstream(checkout)
        pack = pack_of(found, split, media)
        content = yaml.safe_dump(pack.model_dump(mode="json", exclude_defaults=True), sort_keys=False, width=110)
        told = f"revision {found.revision}" if found.revision else "a checkout that does not tell its revision"
        write_lines(out, [f"# From GeWu-Lab/Crab_Plus, {told},", f"# file {found.digest}", *content.splitlines()])
    for key in TASKS:
        problem = found.problems["train"].get(key) or found.problems["test"].get(key)
        only = [name for name in ("train", "test") if key in found.found[name]]
        same = "otherwise in the test" if key in found.differing() else "alike in training and test"
        typer.echo(f"{key}: {problem or (same if len(only) == 2 else f'{only[0]} only' if only else 'no loader')}")
    if found.revision != REVISION:
        typer.echo(f"{told}; known is {REVISION}. What is told above was understood all the same.", err=True)
    typer.echo(f"{len(pack.keys)} of {len(TASKS)} keys in {out}")
    if missing := [key for key in TASKS if key not in pack.keys]:
        typer.secho(f"without a wording: {', '.join(missing)}", err=True, fg="red")
        raise typer.Exit(1)
