"""Decoded pictures and sounds kept on disk, so that a file that is shown in every epoch is decoded once.

An entry is named by what went into it: the content of the original, what was asked for, and the versions of what
decoded it. Beside the entries lie records of the originals' content hashes, so that a warm read takes a stat of the
original and never opens it.
"""

import contextlib
import functools
import hashlib
import logging
import os
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.media.contents import Contents
from crabplus.media.decode import FilePath, default_decoder
from crabplus.media.entries import pack, unpack
from crabplus.media.records import Frames
from crabplus.media.store import Store

__all__ = ["CacheUsage", "MediaCache", "decoders"]

VERSION = 1  # to be raised when crabplus.media decodes the same file to other numbers
_OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheUsage:
    """What a cache holds, and what it was good for.

    Attributes:
        size: bytes of all its files; entries: decoded media among them.
        hits, misses: reads of this process that were answered from the cache, and those that were decoded.
    """

    size: int
    entries: int
    hits: int
    misses: int


class MediaCache:
    """Reads media files as :mod:`crabplus.media` does, bit for bit, and keeps what it decoded.

    Any number of processes may use one folder. The object travels by pickle and survives ``fork``. What cannot be kept,
    because the disk or the cache is full, is decoded each time, and the log says so once per process. A damaged entry
    is noticed, removed and made anew.

    Args:
        folder, limit: where it lies, and how many bytes it may take; see :class:`crabplus.media.store.Store`, also for
            what happens when the limit is reached.

    Raises:
        ValueError: a limit below 1.
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: FilePath, limit: int) -> None:
        self._store = Store(os.fsdecode(folder), limit)
        self._contents = Contents(self._store)
        self._process, self._hits, self._misses = os.getpid(), 0, 0

    def frames(
        self, path: FilePath, count: int, start: float | None = None, end: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Frames:  # fmt: skip
        """See :func:`crabplus.media.frames`; the errors are the same."""
        return self._get(path, "frames", count, start, end, size)

    def waveform(
        self, path: FilePath, start: float | None = None, end: float | None = None, rate: int = 16_000
    ) -> NDArray[np.float32]:
        """See :func:`crabplus.media.waveform`; the errors are the same."""
        return self._get(path, "waveform", start, end, rate)

    def image(self, path: FilePath, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """See :func:`crabplus.media.image`; the errors are the same."""
        return self._get(path, "image", size)

    def usage(self) -> CacheUsage:
        """Size, entries, hits and misses; looks through the whole folder."""
        self._follow()
        files = list(self._store.files())
        entries = sum(path.endswith(".safetensors") for _, _, path in files)
        return CacheUsage(sum(size for _, size, _ in files), entries, self._hits, self._misses)

    def _follow(self) -> None:
        """In another process than before, after a fork or a pickle, counts begin anew."""
        if self._process != os.getpid():
            self._process, self._hits, self._misses = os.getpid(), 0, 0
            self._store.reopen()

    def _get(self, path: FilePath, operation: str, *arguments: Any) -> Any:
        self._follow()
        where = os.path.abspath(os.fsdecode(path))
        content = self._contents.of(where)
        # The name's end belongs to the key because a name that belies its content is refused.
        wanted = (content, os.path.splitext(where)[1].lower(), operation, arguments, VERSION, decoders())
        key = hashlib.sha256(repr(wanted).encode("utf-8", "surrogatepass")).hexdigest()
        found = None if content is None else self._read(key)
        if found is not None:
            self._hits += 1
            return found
        self._misses += 1
        made = getattr(default_decoder(), operation)(path, *arguments)
        if content and self._store.taking and self._contents.of(where) == content:  # it may have changed meanwhile
            self._store.write(f"{key}.safetensors", pack(key, made))
        return made

    def _read(self, key: str) -> Any:
        """What an entry holds; None where there is none, or a damaged one, which is removed."""
        name = f"{key}.safetensors"
        data = self._store.read(name)
        try:
            return None if data is None else unpack(key, data)
        except ValueError as error:
            logger.warning("entry %s of the media cache is damaged (%s) and made anew", name, error)
            self._store.remove(name)
            return None


@functools.cache
def decoders() -> tuple[str, ...]:
    """The installed PyAV and OpenCV, whichever of its packages it is, with their versions; none is imported."""
    found = []
    for name in ("av", *_OPENCV):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return tuple(found)
