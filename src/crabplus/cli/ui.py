"""The command that serves the web page: ui."""

from typing import Annotated

import typer

from crabplus.cli.options import Adapter, Model, PackFile, clear_errors


def ui(
    model: Model = None,
    adapter: Adapter = None,
    pack: PackFile = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 7860,
    max_size: Annotated[float, typer.Option(min=0.001, help="MB of an uploaded file.")] = 200.0,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds of a file that may be asked about.")] = 600.0,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that one answer may take.")] = 300.0,
    segmenter: Annotated[str, typer.Option(help="What makes masks: grabcut, or a SAM2 model.")] = "grabcut",
    device: Annotated[str | None, typer.Option(help="Such as cuda or cpu; default: an accelerator, if any.")] = None,
) -> None:
    """Serve a web page: drop a file, choose a task, see the answer. Only this machine reaches it, unless told so."""
    with clear_errors():
        from importlib.util import find_spec

        if not find_spec("gradio"):
            raise ValueError("the page needs gradio: pip install 'crabplus[ui]'")
        from crabplus.loading import base_for
        from crabplus.ui.answers import Settings
        from crabplus.ui.limits import Limits, Refused
        from crabplus.ui.server import is_loopback, serve

        limits = Limits(size=round(max_size * 1e6), seconds=max_seconds, answer=time_limit,
                        room=max(Limits.room, round(max_size * 1e7)))  # fmt: skip
        settings = Settings(base_for(model, adapter), adapter, str(pack) if pack else None, device, segmenter)
        if not is_loopback(host):
            warning = f"anybody who reaches {host}:{port} can use this page: it asks for no password"
            typer.secho(f"warning: {warning}", err=True, fg="yellow")
        try:
            serve(settings, limits, host, port, lambda address: typer.echo(f"page: {address} (Ctrl-C ends it)"))
        except Refused as refused:
            raise ValueError(str(refused)) from refused
        except KeyboardInterrupt:
            typer.echo("ended")
