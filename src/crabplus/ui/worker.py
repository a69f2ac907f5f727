"""A model in a process of its own, which can be ended: a question that takes too long harms only itself."""

import logging
import multiprocessing
import os
import shutil
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from crabplus.ui.limits import Refused

__all__ = ["Worker"]

_LOG = logging.getLogger(__name__)
_START = 1800.0  # seconds to load a model: weights may come from a slow disk

_END = 10.0  # seconds for it to end by itself

Answers = Any
"""What answers: the methods of an object whose arguments and results can be pickled."""


class Worker:
    """Calls methods of an object that lives in a child process; one at a time, from any thread.

    Args:
        make: makes the object, in the child; it must be picklable.
        limit: seconds that a call may take; one that takes longer ends the process, and a new one is started.
        folder: removed by the child where this process ends without :meth:`close`.
    """

    def __init__(self, make: Callable[[], Answers], limit: float, folder: Path) -> None:
        self.limit = limit
        self._make, self._folder = make, folder
        self._lock = threading.Lock()
        self._closed = self._ready = False
        self._spawn()

    def wait(self) -> None:
        """Return when the object is made.

        Raises:
            Refused: it could not be made; says why.
        """
        with self._lock:
            self._wait()

    def call(self, name: str, *arguments: Any) -> Any:
        """What a method of the object returns.

        Raises:
            Refused: by the method, or it took too long, or the process ended.
        """
        with self._lock:
            if self._closed:
                raise Refused("the server is being shut down")
            self._wait()
            try:
                self._pipe.send((name, arguments))
                if not self._pipe.poll(self.limit):
                    self._renew()
                    raise Refused(
                        f"this took longer than {self.limit:g} seconds and was ended; ask about a shorter part"
                    )
                return _read(self._pipe.recv())
            except (EOFError, OSError):
                self._renew()
                words = "the process of the model ended, perhaps for lack of memory; it is started again"
                raise Refused(words) from None

    def close(self) -> None:
        """End the process. A call that is under way is refused."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            self._pipe.close()  # the child ends when it sees that
            self._process.join(_END)
            self._lock.release()
        self._end()

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._make, other, self._folder), daemon=True)
        self._process.start()
        other.close()  # else its end would not be noticed
        self._ready = False

    def _wait(self) -> None:
        if self._ready:
            return
        try:
            if not self._pipe.poll(_START):
                raise EOFError
            _read(self._pipe.recv())
        except (EOFError, OSError):
            self._renew()
            raise Refused("the model could not be loaded; the log of the server says why") from None
        self._ready = True

    def _renew(self) -> None:
        self._end()
        if not self._closed:
            self._spawn()

    def _end(self) -> None:
        if self._process.pid is None:
            return
        if hasattr(os, "killpg"):  # with its own workers, which decode
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has ended, or has no group yet
                self._process.kill()
        else:
            self._process.kill()
        self._process.join()
        self._pipe.close()


def _read(reply: tuple[str, Any]) -> Any:
    kind, value = reply
    if kind != "done":
        raise Refused(value)
    return value


def _serve(make: Callable[[], Answers], pipe: Connection, folder: Path) -> None:
    """Runs in the child: answers calls until the other end closes."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for the parent, and one signal reaches all that this process starts
    made = _attempt(make)
    try:
        pipe.send(("done", None) if made[0] == "done" else made)
        while made[0] == "done":
            name, arguments = pipe.recv()
            pipe.send(_attempt(getattr(made[1], name), *arguments))
    except (EOFError, OSError):  # the parent is gone
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(call: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    try:
        return "done", call(*arguments)
    except Refused as error:
        return "refused", str(error)
    except Exception:  # a bug must not end the server; it is told in the log, and not to visitors
        _LOG.error("%s failed\n%s", getattr(call, "__name__", call), traceback.format_exc())
        return "failed", "something went wrong inside; the log of the server says what"
