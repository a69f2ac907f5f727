"""Runs the cells of a suite: in this process or in several, which take them from one folder. No torch in this file.

A cell is claimed by a lock on a file, which the system frees when its process ends, however that is. What a cell has
reached lies in its folder, so whoever takes it next goes on from there.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from crabplus.analysis.suite import SuiteCell, status_of

__all__ = ["Event", "Progress", "run_cells"]

_PAUSE = 1.0  # seconds between two looks at cells that another process has


class Event(NamedTuple):
    """What a process tells of a cell: it ``begins``, ``works``, is ``done``, ``failed`` or ``ended`` elsewhere."""

    kind: str
    cell: SuiteCell
    words: str = ""


ENDS = ("done", "failed", "ended")
Tell = Callable[[Event], None]


class Progress:
    """Lines on how far a suite is.

    Args:
        total: number of cells; left: cost of those that have not ended; say: writes a line; ended: how many have.
    """

    def __init__(self, total: int, left: float, say: Callable[[str], None], ended: int = 0) -> None:
        self.total, self.left, self.say, self.ended = total, left, say, ended
        self._worked, self._began = 0.0, time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        last = event.kind in ENDS
        if last:
            self.ended += 1
            self.left -= event.cell.cost
            self._worked += event.cell.cost
        words = f"{event.cell.title}: {event.kind} {event.words}".rstrip()
        self.say(f"[{self.ended}/{self.total}] {words}{self._remaining() if last else ''}")

    def _remaining(self) -> str:
        if self.left <= 0 or not self._worked:
            return ""
        seconds = round((time.monotonic() - self._began) / self._worked * self.left)
        if seconds < 3600:
            return f"; about {max(1, round(seconds / 60))} min left"
        return f"; about {seconds // 3600}:{seconds // 60 % 60:02} h left"


def run_cells(cells: Sequence[SuiteCell], locks: Path, processes: int, tell: Tell) -> None:
    """Run all cells that are not done; one that fails is recorded and the others go on.

    Args:
        cells: in the order in which they are begun; locks: folder for the claims of processes.
        processes: how many work side by side; 1: this one.
    """
    since = time.time()
    left = [cell for cell in cells if status_of(cell) != "done"]
    locks.mkdir(parents=True, exist_ok=True)
    if processes == 1:
        _work(left, locks, since, tell)
    elif left:
        _Crew(left, locks, since, tell).run(min(processes, len(left)))


def _work(cells: Sequence[SuiteCell], locks: Path, since: float, tell: Tell) -> None:
    """Take cells until all have ended, also those of other processes: if one of these dies, its cell is taken over."""
    waiting = list(cells)
    bases: Any = None
    while waiting:
        for cell in list(waiting):
            with _claim(cell, locks) as mine:
                if not mine:
                    continue
                waiting.remove(cell)
                if (status := status_of(cell, since)) is not None:
                    tell(Event("ended", cell, f"elsewhere ({status})"))
                    continue
                if bases is None:
                    from crabplus.analysis.suite_cell import Bases

                    bases = Bases()
                _attempt(cell, bases, tell)
                break  # the longest first: others may have left one
        else:
            time.sleep(_PAUSE)


def _attempt(cell: SuiteCell, bases: Any, tell: Tell) -> None:
    """Run a cell; an error is recorded."""
    from crabplus.analysis.suite_cell import run_cell

    tell(Event("begins", cell))
    try:
        seconds = run_cell(cell, bases, lambda words: tell(Event("works", cell, words)))
    except Exception as error:  # noqa: BLE001 - whatever a cell meets, the others go on
        logging.getLogger("crabplus").debug("%s failed", cell.title, exc_info=True)
        _fail(cell, f"{type(error).__name__}: {error}", tell)
    else:
        told = ", ".join(f"{what} {spent:.0f} s" for what, spent in seconds.items())
        tell(Event("done", cell, f"({told})"))


def _fail(cell: SuiteCell, reason: str, tell: Tell) -> None:
    reason = " ".join(reason.split())
    cell.record("failed", reason, ended=time.time())
    tell(Event("failed", cell, f"({reason})"))


@contextmanager
def _claim(cell: SuiteCell, locks: Path) -> Iterator[bool]:
    """Whether this process has the cell now."""
    lock = FileLock(locks / f"{cell.title.replace('/', '_')}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


class _Crew:
    """Processes that work side by side; one that is killed is replaced, and its cell counts as failed."""

    def __init__(self, cells: Sequence[SuiteCell], locks: Path, since: float, tell: Tell) -> None:
        self.cells, self.locks, self.since, self.tell = cells, locks, since, tell
        self.at: dict[Any, SuiteCell | None] = {}
        self.pipes: dict[Connection, Any] = {}
        self.begun, self.ended = 0, set[str]()

    def run(self, processes: int) -> None:
        """Start them, pass on what they tell, and return when all have ended."""
        try:
            for _ in range(processes):
                self._start()
            while self.pipes:
                for pipe in wait(list(self.pipes)):
                    self._hear(pipe)
        finally:
            for process in self.at:
                process.terminate()
                process.join()
        for cell in self.cells:
            if cell.title not in self.ended:
                self.tell(Event("ended", cell, f"elsewhere ({status_of(cell, self.since)})"))

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_member, args=(self.cells, self.locks, self.since, theirs))
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self.at[process], self.pipes[ours] = None, process

    def _hear(self, pipe: Any) -> None:
        process = self.pipes[pipe]
        try:
            event: Event = pipe.recv()
        except (EOFError, OSError):
            del self.pipes[pipe]
            process.join()
            if process.exitcode:
                self._lost(process)
            return
        if event.kind == "ended":  # perhaps in a process of this crew, which tells it
            return
        self.begun += event.kind == "begins"
        self.at[process] = event.cell if event.kind not in ENDS else None
        self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        if event.kind in ENDS:
            self.ended.add(event.cell.title)
        self.tell(event)

    def _lost(self, process: Any) -> None:
        """A process ended in the middle: its cell has failed, unless another took it, and a new one goes on."""
        cell, code = self.at[process], process.exitcode
        if not self.begun:
            raise ChildProcessError(f"a process of the suite ended with exit code {code} before it began a cell")
        if cell is not None:
            with _claim(cell, self.locks) as mine:
                if mine and status_of(cell, self.since) is None:
                    _fail(cell, f"its process ended with exit code {code}; is there enough memory?", self._pass_on)
        self._start()


def _member(cells: Sequence[SuiteCell], locks: Path, since: float, pipe: Connection) -> None:
    """What a process of a crew does; it ends with the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the other's to handle
    parent = multiprocessing.parent_process()
    assert parent, "started by another process"
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    quiet()
    _work(cells, locks, since, pipe.send)


def _end_with(parent: Any) -> None:
    """End this process at once when the other ends, however it does; what a cell has reached lies in its folder."""
    parent.join()
    os._exit(1)


def quiet() -> None:
    """Keep what libraries say to themselves, and their bars, out of the lines on progress."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging as library

    library.disable_progress_bar()
