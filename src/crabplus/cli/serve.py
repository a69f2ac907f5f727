"""The command that serves an endpoint: serve."""

import os
from pathlib import Path
from typing import Annotated

import typer

from crabplus.cli.options import Adapter, Model, PackFile, clear_errors


def serve(
    model: Model = None,
    adapter: Adapter = None,
    pack: PackFile = None,
    name: Annotated[str | None, typer.Option(help="Name under which clients ask for it; default: the model's.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 8000,
    api_key: Annotated[str | None, typer.Option(help="That clients have to send; or CRABPLUS_API_KEY.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Files below it may be named by file: URLs.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Requests answered together.")] = 8,
    waiting: Annotated[int, typer.Option(min=1, help="Requests that may wait; more are told to come again.")] = 64,
    max_size: Annotated[float, typer.Option(min=0.001, help="MB of one request.")] = 64.0,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that one answer may take.")] = 300.0,
    device: Annotated[str | None, typer.Option(help="Such as cuda or cpu; default: an accelerator, if any.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
) -> None:
    """Serve an endpoint in the form of OpenAI's chat completions: text, images, sound and video in, text out."""
    with clear_errors(left="the server has ended"):
        from importlib.util import find_spec

        if not (find_spec("uvicorn") and find_spec("prometheus_client")):
            raise ValueError("serving needs a few packages more: pip install 'crabplus[serve]'")
        if folder is not None and not folder.is_dir():
            raise ValueError(f"--folder {folder}: no such folder")
        from crabplus.api import CrabPlus
        from crabplus.listening import is_loopback
        from crabplus.loading import base_for
        from crabplus.serve.limits import Limits
        from crabplus.serve.server import serve as run

        key = api_key or os.environ.get("CRABPLUS_API_KEY")
        if not key and not is_loopback(host):
            warning = f"anybody who reaches {host}:{port} can use this model: set --api-key"
            typer.secho(f"warning: {warning}", err=True, fg="yellow")
        limits = Limits(waiting, batch_size, round(max_size * 1e6), max(Limits.room, round(max_size * 1e7)),
                        answer=time_limit, folder=folder, keys=(key,) if key else ())  # fmt: skip
        settings = {"device": device, "dtype": dtype}
        chosen = {option: value for option, value in settings.items() if value is not None}
        model = base_for(model, adapter)
        plus = CrabPlus.from_pretrained(model, adapter, pack=pack, **chosen)
        run(plus, name or model, limits, host, port, lambda at: typer.echo(f"serving {at}/v1 (Ctrl-C ends it)"))
