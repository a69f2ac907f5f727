"""An endpoint in a thread of this process, and what the tests send to it."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from crabplus.listening import listen
from crabplus.serve.app import Endpoint
from crabplus.serve.limits import Limits

SUBTYPES = {".jpg": "jpeg", ".mp4": "mp4", ".wav": "wav", ".png": "png"}


def data_url(kind: str, path: Path) -> str:
    return f"data:{kind}/{SUBTYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def part_of(kind: str, path: Path) -> dict[str, Any]:
    return {"type": f"{kind}_url", f"{kind}_url": {"url": data_url(kind, path)}}


class Served:
    """A running endpoint and where it is."""

    def __init__(self, endpoint: Endpoint, port: int) -> None:
        self.endpoint, self.port = endpoint, port
        self.url = f"http://127.0.0.1:{port}"

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when something has become true."""
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "waited for a minute"
            time.sleep(0.02)


@contextmanager
def running(plus: Any, limits: Limits) -> Iterator[Served]:
    with listen("127.0.0.1", 0) as listening:
        endpoint = Endpoint(plus, "tiny", limits)
        server = uvicorn.Server(uvicorn.Config(endpoint.app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        served = Served(endpoint, listening.getsockname()[1])
        served.wait_for(lambda: server.started)
        try:
            yield served
        finally:
            server.should_exit = True
            thread.join(30)
