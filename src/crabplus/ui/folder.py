"""The one folder in which files of visitors lie."""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from crabplus.ui.limits import Refused

__all__ = ["Folder"]

_HALF = 60.0  # seconds: an upload into which nothing is written for so long was broken off
_UNCLAIMED = 600.0  # seconds that an upload lies here which no question names


class Folder:
    """A new folder below the temporary one, for nobody else to read; :meth:`close` removes it.

    The server writes an upload as ``tmp...`` and moves it to ``HASH/NAME`` when it is whole. Who uploads a file that is
    there shares it; it goes when the last of them has left.

    Attributes:
        root: the whole of it, without symbolic links; path: what was uploaded; work: what libraries put down.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="crabplus-ui-")).resolve()
        self.path, self.work = self.root / "uploads", self.root / "work"
        self.path.mkdir()
        self.work.mkdir()
        self._held: dict[str, dict[Path, int]] = {}  # by visitor: files with their inode
        self._present: set[str] = set()
        self._left: dict[Path, int] = {}
        self._coming = 0
        self._lock = Lock()

    def check(self, path: object) -> Path:
        """The file that a request names, if it was uploaded.

        Raises:
            Refused: anything else, such as a path that leads elsewhere, a link, or a file that was deleted.
        """
        if not isinstance(path, str) or "\0" in path:
            raise Refused("this is no file that was uploaded here")
        given = Path(path)
        try:
            real = given.resolve(strict=True)
            plain = stat.S_ISREG(given.lstat().st_mode) and stat.S_ISREG(real.stat().st_mode)
        except (OSError, RuntimeError):
            raise Refused("the file is not here, or not any more: please drop it again") from None
        # HASH/NAME: nothing lies deeper, and what lies higher is not whole
        if not plain or real != given.absolute() or real.parent.parent != self.path:
            raise Refused("this is no file that was uploaded here")
        return real

    def used(self) -> int:
        """Bytes that were uploaded and lie here."""
        return sum(found.st_size for _, found in self._files())

    def enter(self, visitor: str) -> None:
        """A visitor has the page open."""
        with self._lock:
            self._present.add(visitor)

    def leave(self, visitor: str) -> None:
        """A visitor has closed the page."""
        with self._lock:
            self._present.discard(visitor)
        self.release(visitor)

    def hold(self, visitor: str, paths: Iterable[Path], also: bool = False) -> None:
        """A visitor needs these files, and no longer those that were held before, unless they are needed ``also``."""
        with self._lock:
            before = self._held.pop(visitor, {})
            found = {path: path.stat().st_ino for path in paths if path.exists()}
            self._held[visitor] = {**before, **found} if also else found
            self._drop({} if also else before)

    def answered(self, visitor: str) -> None:
        """A question was answered: who asked it without the page needs the files no longer."""
        with self._lock:
            present = visitor in self._present
        if not present:
            self.release(visitor)

    def release(self, visitor: str) -> None:
        """A visitor needs no files any more."""
        with self._lock:
            self._drop(self._held.pop(visitor, {}))

    @contextmanager
    def coming_in(self) -> Iterator[None]:
        """An upload is coming in. Files that were left meanwhile go after the last: it may be one of them anew."""
        with self._lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1
                self._clear()

    def _drop(self, files: dict[Path, int]) -> None:
        self._left.update(files)
        self._clear()

    def _clear(self) -> None:
        """Delete files that were left and that nobody holds, and halves of uploads; while none is coming in."""
        if self._coming:
            return
        needed = {path for held in self._held.values() for path in held}
        for path, inode in self._left.items():
            with suppress(OSError):
                if path not in needed and path.stat().st_ino == inode:  # else it was uploaded anew by somebody
                    _remove(path)
        self._left.clear()
        for path in self.path.iterdir():
            if path.is_file():
                with suppress(OSError):
                    path.unlink()

    def sweep(self, keep: float) -> None:
        """Delete what is older than ``keep`` seconds, what nobody has asked about, and uploads that were broken off."""
        now = time.time()
        with self._lock:
            held = {path for files in self._held.values() for path in files}
        for path, found in self._files():
            oldest = _HALF if path.parent == self.path else keep if path in held else min(keep, _UNCLAIMED)
            if now - found.st_mtime > oldest:
                with suppress(OSError):
                    _remove(path)

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):  # it may be gone by now
                    yield path, path.lstat()


def _remove(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()  # an error while another file is in it
