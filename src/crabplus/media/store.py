"""A bounded folder of small files that appear whole or not at all, for many processes at once; nothing is locked."""

import contextlib
import logging
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Store"]

_OURS = re.compile(r"[0-9a-f]{64}\.(safetensors|sha256)(\.[0-9a-f]{32}\.partial)?")
_STALE = 3600.0  # seconds after which a partial file has no writer any more
_LAG = 1.0  # seconds that the times of files may lie behind the clock
_SHARE = 64  # this part of the limit stays free, and of the room is written before the folder is looked through again

logger = logging.getLogger(__name__)


class Store:
    """Files by name, such as ``<64 hex digits>.safetensors``, spread over sub-folders of two digits.

    When the limit is reached, files that nobody has used since this object was made are removed, oldest use first. Then
    nothing more is taken in: to replace what is in use would help no epoch, because each reads everything once.

    Args:
        folder: made if need be. Only files that are named as above are ever counted or removed there.
        limit: bytes. Up to 64 processes that write at once keep it but for the files they are writing. A limit that is
            lower than what the folder holds takes effect with the next file.

    Raises:
        ValueError: a limit below 1.
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: str | Path, limit: int) -> None:
        if not limit >= 1:
            raise ValueError(f"limit: a positive number of bytes wanted, got {limit!r}")
        self.folder, self.limit = Path(folder).absolute(), limit
        self.folder.mkdir(parents=True, exist_ok=True)
        self._began = time.time() - _LAG
        self.reopen()

    def reopen(self) -> None:
        """Takes files in again after it stopped to; for a process that got this object from another."""
        self.taking = True
        self._unseen = 0  # bytes that may be written before the folder is looked through

    def read(self, name: str) -> bytes | None:
        """A file's content, and marks it as used; None where there is none that can be read."""
        path = self._place(name)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(path)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Takes a file in if there is room; a disk that is full or fails is logged and ends the taking in."""
        path = self._place(name)
        partial = path.with_name(f"{name}.{uuid.uuid4().hex}.partial")
        try:
            if not self._take(len(data)):
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(data)
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            if os.name == "nt" and path.exists():  # another process has the same file open
                return
            self.taking = False
            logger.warning("cannot write to the cache %s, goes on without it: %s", self.folder, error)

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        _remove([(0, os.fspath(self._place(name)))], 1)

    def files(self) -> Iterator[tuple[float, int, str]]:
        """Last use, size in bytes and path of every file; what killed writers left is removed."""
        now = time.time()
        for number in range(256):
            with contextlib.suppress(FileNotFoundError), os.scandir(self.folder / f"{number:02x}") as items:
                for item in filter(lambda item: _OURS.fullmatch(item.name), items):
                    with contextlib.suppress(FileNotFoundError):  # another process removes files too
                        state, partial = item.stat(), item.name.endswith(".partial")
                        if partial and now - state.st_mtime > _STALE:
                            os.unlink(item.path)
                        else:
                            yield now if partial else state.st_mtime, state.st_size, item.path

    def _place(self, name: str) -> Path:
        return self.folder / name[:2] / name

    def _take(self, size: int) -> bool:
        """Whether a file of ``size`` bytes may be written.

        The folder is looked through when a share of the room that was left then is written. So processes that write
        side by side do not fill it together, and the cost stays small against that of decoding.
        """
        if self.taking and size > self._unseen:
            files = sorted(self.files())
            room = self.limit - self.limit // _SHARE - sum(held for _, held, _ in files)
            unused = [(held, path) for used, held, path in files if used < self._began]
            if room < size <= room + sum(held for held, _ in unused):
                room += _remove(unused, size + self.limit // 16 - room)
            self.taking, self._unseen = room >= size, max(room // _SHARE, size)
            if not self.taking:
                remedy = "what is not in it is made each time; a larger limit would hold more"
                logger.warning("the cache %s is full (limit %d bytes): %s", self.folder, self.limit, remedy)
        self._unseen -= size
        return self.taking


def _remove(files: list[tuple[int, str]], wanted: int) -> int:
    """Removes files of these sizes, in this order, until ``wanted`` bytes are free; gives how many are."""
    freed = 0
    for size, path in files:
        if freed >= wanted:
            break
        with contextlib.suppress(OSError):  # open in another process, or gone already
            os.unlink(path)
            freed += size
    return freed
