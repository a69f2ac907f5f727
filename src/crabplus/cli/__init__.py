"""The ``crabplus`` command. Everything heavy is imported inside the commands, so that ``--help`` answers at once."""

import logging
import warnings
from typing import Annotated

import typer

from crabplus import __version__
from crabplus.cli import data, model, models, own, packs, predict, routing, segment, serve, training, transfer, ui
from crabplus.cli.options import RayCommand

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # laying help out with Rich takes a third of a second
    help="One audio-visual language model for many tasks: what is heard and seen, when, and where.",
)  # fmt: skip
for _command in (
    model.demo, own.ask, training.train, training.estimate, predict.predict, predict.evaluate, segment.segment,
    routing.routing, data.annotate, data.export, ui.ui, serve.serve, models.compose,
):  # fmt: skip
    app.command(cls=RayCommand if "ray" in _command.__annotations__ else None)(_command)
app.add_typer(data.build_app, name="build")
data.ls_app.command("models")(models.ls_models)
app.add_typer(data.ls_app, name="ls")
app.add_typer(packs.packs_app, name="packs")
app.add_typer(transfer.transfer_app, name="transfer")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"crabplus {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the console script."""
    # it is imported by PEFT where it is installed, and then tells of kernels that nothing here uses
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # of transformers to itself: nothing that a user of these commands could change
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    app()
