"""Which content a file has, without reading it again as long as it stays as it is."""

import hashlib
import os
import re
import stat
import time

from crabplus.media.store import Store

__all__ = ["Contents"]

_SETTLED = 2.0  # seconds since a file was changed: within them it may change again and keep its time


class Contents:
    """Content hashes of files, of which a store keeps records; it may keep other files as well."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, path: str) -> str | None:
        """The content hash of a file, remembered while its time, size and inode stay; None: it cannot be read."""
        try:
            state = os.stat(path)
            if not stat.S_ISREG(state.st_mode):
                return None
            seen = f"{state.st_mtime_ns} {state.st_size} {state.st_ino}"
            record = hashlib.sha256(os.fsencode(path)).hexdigest() + ".sha256"
            known = re.fullmatch(rb"(.+) ([0-9a-f]{64})", self._store.read(record) or b"")
            if known and known[1].decode() == seen:
                return known[2].decode()
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None  # the decoder says what is wrong with it
        if time.time() - state.st_mtime > _SETTLED:
            self._store.write(record, f"{seen} {content}".encode())
        return content
