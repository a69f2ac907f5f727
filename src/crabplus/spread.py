"""The functions of a local run in the processes of a Ray cluster, so that what a run writes is the same, byte for byte.

Ray starts the processes, hands them work, and starts one anew that was killed; what it was doing is then done again. It
is imported when there is something to do, and needs the extra ``ray``.
"""

import asyncio
import inspect
import os
import platform
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from crabplus import __version__

__all__ = ["SpreadError", "Workers", "check"]

AUTO = "auto"
"""The Ray that runs on this machine; a new one, for this command alone, where none does."""
RETRIES = 10
"""How often work is given out again whose process was killed; while that starts anew, one or two are used up."""
AHEAD = 2
"""Items that are handed to a worker at a time, so that it need not wait for the next one."""

SECONDS = 10.0
"""How long a cluster may take to answer at all."""


class SpreadError(ValueError):
    """A cluster that a run cannot use; the message says why and what to do."""


def check(address: str) -> None:
    """Raise a :class:`SpreadError` if Ray is not installed, or this is no address."""
    if not find_spec("ray"):
        raise SpreadError('--ray needs Ray, which is not installed: pip install "crabplus[ray]"')
    if address != AUTO and ":" not in address:
        raise SpreadError(f"--ray: the address of a cluster wanted, such as 10.0.0.1:6379, or auto; got {address!r}")


class Workers:
    """Workers of a cluster, each of which makes a function once; they start as they are needed.

    Inside ``with`` whatever Ray prints goes to standard error. Behind it the workers are ended; the cluster goes on, if
    it was there before.

    Args:
        address: :data:`AUTO`, or ``host:port`` of a cluster.
        make: gives the function of a worker, which may be a coroutine function; it travels by pickle.
        needs: folders that every node has to see under the same name, as it has to see the current one.
        gpu: a worker has a GPU, if the cluster has any; else it has ``cpus`` CPUs.
        at_once: calls that a worker answers at a time, in threads.

    Raises:
        SpreadError: Ray is not installed; when work is given: there is no such cluster, a node does not see a folder or
            has another crabplus, or what is to be done ended its process time after time.
    """

    def __init__(self, address: str, make: Callable[[], Callable[..., Any]], needs: Iterable[Path] = (), *,
                 gpu: bool = False, cpus: int = 1, at_once: int = 1) -> None:  # fmt: skip
        check(address)
        self.address, self.gpu, self.cpus, self.at_once = address, gpu, cpus, at_once
        self.worker = make, os.getcwd(), tuple(map(str, needs)), __version__
        self.actors, self.load, self.most, self.exit = list[Any](), Counter[int](), 0, ExitStack()
        self.ray: Any = None

    def __enter__(self) -> "Workers":
        self.exit.enter_context(redirect_stdout(sys.stderr))
        return self

    def __exit__(self, *error: object) -> None:
        for actor in self.actors:
            self.ray.kill(actor)
        self.exit.close()

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """What the function gives for each item, as soon as it is there: not in the order of the items."""
        running: dict[Any, int] = {}
        for item in items:
            while self.most and len(running) >= AHEAD * self.most:
                yield self._done(running)
            running.update([self._send(item)])
        while running:
            yield self._done(running)

    async def __call__(self, *arguments: Any) -> Any:
        """What the function gives for one call."""
        result, number = self._send(*arguments)
        try:
            with _as_here():
                return await result
        finally:
            self.load[number] -= 1

    def _done(self, running: dict[Any, int]) -> Any:
        (result,), _ = self.ray.wait(list(running), num_returns=1)
        self.load[running.pop(result)] -= 1
        with _as_here():
            return self.ray.get(result)

    def _send(self, *arguments: Any) -> tuple[Any, int]:
        """Give work to a worker that has none, else to a new one, else to that with the least: result, and number."""
        self.ray = self.ray or self._connect()
        number = min(range(len(self.actors)), key=self.load.__getitem__, default=0)
        if self.load[number] and len(self.actors) < self.most:
            number = len(self.actors)
        if number == len(self.actors):
            self.actors.append(self.new(*self.worker))
        self.load[number] += 1
        return self.actors[number].call.remote(*arguments), number

    def _connect(self) -> Any:
        """Come into the cluster, and find out how many workers it has room for."""
        import ray

        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
            new = {"include_dashboard": False} if self.address == AUTO else {"address": _answers(self.address)}
            try:
                ray.init(log_to_driver=False, logging_level="ERROR", **new)
            except Exception as error:  # of a start that takes too long it is no subclass
                raise SpreadError(f"--ray {self.address}: no cluster that can be used: {error}") from error
            self.exit.callback(ray.shutdown)
        has = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in has)) if self.gpu else 0
        cpus = min(self.cpus, int(max(node.get("CPU", 0) for node in has)))  # of one node: a worker lives on one
        self.most = gpus or max(1, sum(int(node.get("CPU", 0) // max(cpus, 1)) for node in has))
        place = {"num_gpus": 1} if gpus else {"num_cpus": cpus, "num_gpus": 0}
        options = {**place, "max_restarts": -1, "max_task_retries": RETRIES, "max_concurrency": self.at_once}
        self.new = ray.remote(**options)(_Worker).remote
        return ray


def _answers(address: str) -> str:
    """The address, if something listens there: Ray would wait for it for minutes, and say nothing."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except (OSError, ValueError) as error:
        raise SpreadError(f"--ray {address}: no cluster listens there: {error}") from error
    return address


class _Worker:
    """One process of the cluster. It makes its function in the first call, so that an error of that is told, too."""

    def __init__(
        self, make: Callable[[], Callable[..., Any]], folder: str, needs: tuple[str, ...], version: str
    ) -> None:
        self.make, self.folder, self.needs, self.version, self.lock = make, folder, needs, version, Lock()
        self.function: Any = None

    def call(self, *arguments: Any) -> Any:
        """What the function gives; one that is not done at once is waited for."""
        with self.lock:
            if self.function is None:
                self._enter()
                self.function = self.make()
        made = self.function(*arguments)
        return asyncio.run(made) if inspect.iscoroutine(made) else made

    def _enter(self) -> None:
        """Go where the command was started, so that paths mean the same, and so do errors that name them."""
        for path in (self.folder, *self.needs):
            if not os.path.isdir(os.path.join(self.folder, path)):
                raise SpreadError(f"{path} is not seen by {platform.node()}: --ray needs folders that all nodes share")
        if self.version != __version__:
            raise SpreadError(f"{platform.node()} has crabplus {__version__}, and the command is of {self.version}")
        os.chdir(self.folder)


@contextmanager
def _as_here() -> Iterator[None]:
    """Errors of the function as a local run has them."""
    from ray.exceptions import RayError, RayTaskError

    try:
        yield
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise SpreadError(f"the work could not be done in {RETRIES + 1} attempts: {error}") from error
