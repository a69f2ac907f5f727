"""Serves a model until the process is ended."""

from collections.abc import Callable
from typing import Any

import uvicorn

from crabplus.listening import address, ended_by_signals, listen
from crabplus.serve.app import Endpoint
from crabplus.serve.limits import Limits

__all__ = ["serve"]

_CONNECTIONS = 500


def serve(plus: Any, name: str, limits: Limits, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve a loaded model at ``host`` and ``port`` (0: one that is free) until SIGINT or SIGTERM.

    Args:
        plus: a :class:`crabplus.CrabPlus`; name: under which clients ask for it; say: is told the address.

    Raises:
        OSError: the address cannot be had.
    """
    with listen(host, port) as listening, ended_by_signals():
        endpoint = Endpoint(plus, name, limits)
        server = uvicorn.Server(uvicorn.Config(
            endpoint.app, log_level="warning", server_header=False, limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=10, timeout_graceful_shutdown=5, ws="none",
        ))  # fmt: skip
        say(address(host, listening))
        server.run(sockets=[listening])
