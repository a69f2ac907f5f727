"""Serves the page until it is ended."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from crabplus.listening import address, ended_by_signals, is_loopback, listen
from crabplus.ui.answers import About, Settings, load
from crabplus.ui.folder import Folder
from crabplus.ui.guard import App, Guard
from crabplus.ui.limits import Limits
from crabplus.ui.worker import Worker

__all__ = ["application", "is_loopback", "serve", "uploads"]

_SWEEP = 15.0  # seconds from one look for old files to the next
_CONNECTIONS = 200
_GRADIO = {
    "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False", "GRADIO_RUN_HISTORY": "False",
}  # fmt: skip


def serve(settings: Settings, limits: Limits, host: str, port: int, say: Callable[[str], None]) -> None:
    """Load the model and serve the page at ``host`` and ``port`` (0: one that is free) until SIGINT or SIGTERM.

    Args:
        say: is told the address once the page can be asked for.

    Raises:
        OSError: the address cannot be had. Refused: the model cannot be loaded.
    """
    with listen(host, port) as listening, ended_by_signals(), uploads() as folder:
        worker = Worker(partial(load, settings, limits), limits.answer, folder.root)
        try:
            import gradio  # noqa: F401  # takes seconds, as the model does in the other process
            import uvicorn

            worker.wait()
            app = application(worker, worker.call("about"), folder, limits, host)
            server = uvicorn.Server(uvicorn.Config(
                app, log_level="warning", server_header=False, limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=10, timeout_graceful_shutdown=2, ws="none",
            ))  # fmt: skip
            say(address(host, listening))
            server.run(sockets=[listening])
        finally:
            worker.close()


def application(worker: Worker, about: About, folder: Folder, limits: Limits, host: str) -> App:
    """The guarded page as an ASGI application. The folder must be that of :func:`uploads`."""
    import gradio as gr
    from fastapi import FastAPI

    from crabplus.ui.page import HEAD, build

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(folder, limits))
        yield
        sweeping.cancel()

    page = build(worker, about, folder, limits)
    outer = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Default(font=fonts, font_mono=["ui-monospace", "monospace"])
    gr.mount_gradio_app(
        outer, page, "/", server_name=host, footer_links=[], run_history=False, allowed_paths=[], show_error=False,
        max_file_size=limits.size, ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, theme=theme,
        head=HEAD,
    )  # fmt: skip
    page.has_launched = True  # gradio checks the paths of files only then
    names = {"127.0.0.1", "localhost", "[::1]", host.lower(), f"[{host}]"}
    return Guard(outer, folder, limits, frozenset(names) if is_loopback(host) else None)


async def _sweep(folder: Folder, limits: Limits) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        await asyncio.to_thread(folder.sweep, limits.keep)


@contextmanager
def uploads() -> Iterator[Folder]:
    """A folder for uploads, in which gradio and other libraries work too; removed at the end."""
    folder = Folder()
    changed = {**_GRADIO, "GRADIO_TEMP_DIR": str(folder.path), "TMPDIR": str(folder.work),
               "MPLCONFIGDIR": str(folder.work / "matplotlib")}  # fmt: skip
    before = {name: os.environ.get(name) for name in changed}
    temporary = tempfile.tempdir
    os.environ.update(changed)
    tempfile.tempdir = str(folder.work)
    try:
        yield folder
    finally:
        tempfile.tempdir = temporary
        folder.close()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
