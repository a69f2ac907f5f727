"""Decoding in a worker process that is ended when a file hangs or crashes it.

A ``Decoder`` owns one worker, started when first needed and kept. The worker is a plain child process with pipes, not
one of ``multiprocessing``, because the daemonic workers of a DataLoader may not have children of that sort.
"""

import contextlib
import math
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from crabplus.media.errors import MediaError
from crabplus.media.marks import Marks
from crabplus.media.records import Frames, Probe
from crabplus.media.wire import receive, send

__all__ = ["Decoder", "default_decoder"]

FilePath = str | os.PathLike[str]

COMMAND = [sys.executable, "-P", "-m", "crabplus.media.worker"]  # -P: no module is taken from the current folder
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_INSTALLED = os.path.basename(_PACKAGE_ROOT) in ("site-packages", "dist-packages")  # the worker finds it by itself
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}  # glibc: what pictures took goes back to the system at once
_START_LIMIT = 120.0  # seconds for a worker to import its libraries


class _WorkerDied(Exception):
    """The worker ended while it worked; the argument is its exit code."""


class _Late(Exception):
    """The worker took longer than its limit and was ended."""


class _Worker:
    """One worker process. Not thread-safe: its Decoder holds a lock."""

    def __init__(self) -> None:
        paths = ("" if _INSTALLED else _PACKAGE_ROOT, os.environ.get("PYTHONPATH", ""))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**_ALLOCATOR, **os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        self.requests, self.replies = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self.end = weakref.finalize(self, _end, self.process)  # also at exit, so that none is left behind
        try:
            problem = self._guarded(_START_LIMIT, lambda: receive(self.replies))
        except (_Late, _WorkerDied) as error:
            command = " ".join(COMMAND[:4])
            raise RuntimeError(f"the decode worker did not start ({error}); try it by hand: {command}") from error
        if problem:
            self.end()
            raise ImportError(f"the decode worker cannot work: {problem}")

    def ask(self, request: tuple[Any, ...], limit: float) -> tuple[str, Any]:
        """The reply to a request.

        Raises:
            _Late, _WorkerDied: the worker is ended then.
        """

        def exchange() -> tuple[str, Any]:
            send(self.requests, request)
            return receive(self.replies)

        return self._guarded(limit, exchange)

    def _guarded(self, limit: float, exchange: Any) -> Any:
        late = threading.Event()
        timer = threading.Timer(limit, _expire, (self.process, late))
        timer.daemon = True
        timer.start()
        try:
            reply = exchange()
        except (OSError, EOFError) as error:
            self.end()
            raise (_Late(limit) if late.is_set() else _WorkerDied(_exit(self.process.returncode))) from error
        except BaseException:  # an interrupt leaves half a message in the pipe
            self.end()
            raise
        finally:
            timer.cancel()
        if late.is_set():  # the reply and the limit came together: the reply is good, the worker is not
            self.end()
        return reply

    def alive(self) -> bool:
        return self.end.alive and self.process.poll() is None

    def forget(self) -> None:
        """In a forked child: lets go of the parent's worker without touching it."""
        self.end.detach()
        self.process.returncode = 0
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.raw.close()  # type: ignore[union-attr]  # unbuffered: what the parent was writing is not written twice


def _expire(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    process.kill()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]


def _exit(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


class Decoder:
    """Reads media files through a worker process of its own; one file at a time, from any thread.

    Use it as a context manager, or let it go: its worker ends with it. It survives ``fork`` (the child gets a worker of
    its own) and travels by pickle (as its limit alone).

    Args:
        timeout: seconds that one call may take; a call that takes longer ends the worker and raises MediaError.
    """

    def __init__(self, timeout: float = 60.0) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout: a positive number of seconds wanted, got {timeout!r}")
        self.timeout = timeout
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        _decoders.add(self)

    def probe(self, path: FilePath) -> Probe:
        """See :func:`crabplus.media.probe`."""
        return self._call("probe", path)

    def frames(
        self, path: FilePath, count: int, start: float | None = None, end: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Frames:  # fmt: skip
        """See :func:`crabplus.media.frames`."""
        return self._call("frames", path, _positive("count", count), _second(start), _second(end), _size(size))

    def waveform(
        self, path: FilePath, start: float | None = None, end: float | None = None, rate: int = 16_000
    ) -> NDArray[np.float32]:
        """See :func:`crabplus.media.waveform`."""
        return self._call("waveform", path, _second(start), _second(end), _positive("rate", rate))

    def image(self, path: FilePath, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """See :func:`crabplus.media.image`."""
        return self._call("image", path, _size(size))

    def cuts(self, path: FilePath, start: float | None = None, end: float | None = None) -> list[float]:
        """See :func:`crabplus.media.cuts`."""
        return self._call("cuts", path, _second(start), _second(end))

    def annotate(self, path: FilePath, out: FilePath, marks: Marks, form: str = "mp4") -> None:
        """Writes a copy of a film or a picture with marks drawn over it.

        A film is written as H.264 in mp4: upright and with square pixels, of the same size (a pixel more where that is
        odd) and with every picture at its own time. Its sound is carried over as it is where mp4 takes it, else as AAC.
        Little of it is held at a time, however long it is.

        Args:
            path: the original. out: the copy; it is replaced while it is written. marks: what is drawn, and when.
            form: of the copy: ``mp4`` for a film, ``jpg`` or ``png`` for a picture.

        Raises:
            MediaError: the original cannot be read to its end, is sound alone, or of another kind than ``form``.
        """
        self._call("annotate", path, os.path.abspath(os.fsdecode(out)), marks, form)

    def close(self) -> None:
        """Ends the worker; a later call starts a new one."""
        with self._lock:
            if self._worker is not None:
                self._worker.end()
                self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["Decoder"], tuple[float]]:
        return type(self), (self.timeout,)

    def _call(self, name: str, path: FilePath, *arguments: Any) -> Any:
        where = os.path.abspath(os.fsdecode(path))
        with self._lock:
            try:
                kind, value = self._ask_twice((name, (where, *arguments), self.timeout))
            except _Late:
                remedy = "ask for a shorter window, give a Decoder a longer timeout, or leave the file out"
                raise MediaError(path, f"took longer than {self.timeout:g} s; {remedy}") from None
            except _WorkerDied as error:
                raise MediaError(path, f"crashed the decoder twice ({error}); leave the file out") from None
        if kind == "media":
            raise MediaError(path, value)
        if kind == "bug":
            raise RuntimeError(f"{os.fspath(path)}: error within crabplus.media\n{value}")
        return value

    def _ask_twice(self, request: tuple[Any, ...]) -> tuple[str, Any]:
        """Asks again after a crash: the worker may have been ended from outside, through no fault of the file."""
        try:
            return self._ready().ask(request, self.timeout)
        except _WorkerDied:
            return self._ready().ask(request, self.timeout)

    def _ready(self) -> _Worker:
        if self._worker is None or not self._worker.alive():
            if self._worker is not None:
                self._worker.end()
            self._worker = _Worker()
        return self._worker

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        if self._worker is not None:
            self._worker.forget()
            self._worker = None


def _positive(name: str, value: int) -> int:
    if int(value) != value or value < 1:
        raise ValueError(f"{name}: a whole number of at least 1 wanted, got {value!r}")
    return int(value)


def _second(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"start and end: finite seconds wanted, got {value!r}")
    return None if value is None else float(value)


def _size(value: tuple[int, int] | None) -> tuple[int, int] | None:
    if value is None:
        return None
    width, height = value
    return _positive("width", width), _positive("height", height)


_decoders: "weakref.WeakSet[Decoder]" = weakref.WeakSet()
_default: Decoder | None = None
_default_lock = threading.Lock()


def default_decoder() -> Decoder:
    """The decoder of this process that the functions of :mod:`crabplus.media` use; made when first asked for."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Decoder()
        return _default


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    for decoder in list(_decoders):
        decoder._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
