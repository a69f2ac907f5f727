"""Sockets and signals of the servers."""

import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["address", "ended_by_signals", "is_loopback", "listen"]


def is_loopback(host: str) -> bool:
    """Whether a host is reached from this machine alone."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at ``host`` and ``port`` (0: one that is free).

    Raises:
        OSError: it cannot be had; says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        other = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host, an address of this machine"
        raise OSError(f"{host}:{port} cannot be had ({error.strerror or error}): name another {other}") from error
    with listening:
        yield listening


def address(host: str, listening: socket.socket) -> str:
    """Where a browser or a client finds a server."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the process in order, so that the folder is removed; uvicorn passes it on after it has closed."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
