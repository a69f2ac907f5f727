"""Media files looked at once: whether each is there, what it is, and the hash of its content.

What was found is kept in a journal, a line of JSON for each file, so that an interrupted run goes on where it was, and
a second run looks only at files that have changed.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crabplus.media import Decoder, MediaError
from crabplus.whole import write_lines

Track = Callable[[Iterable[Any], str, int], Iterator[Any]]
"""Wraps an iteration of known length to show its progress."""
Spread = Callable[[Iterable[Any]], Iterator[Any]]
"""Has a function done for each item, elsewhere; gives what comes of it in any order."""
AHEAD = 64  # files handed to the workers at a time, so that an interrupt is obeyed at once


@dataclass(frozen=True)
class Entry:
    """One file, by its path as the samples name it.

    ``bytes`` is None where there is no such file, ``error`` says why one could not be read; else ``kind``, seconds,
    pictures per second, size in pixels and whether there is sound, and the BLAKE2 hash of the content.
    """

    path: str
    bytes: int | None = None
    changed: int | None = None
    error: str | None = None
    kind: str | None = None
    duration: float | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None
    sound: bool = False
    hash: str | None = None


def look(
    root: Path, paths: Sequence[str], journal: Path, workers: int, track: Track, spread: Spread | None = None
) -> dict[str, Entry]:
    """An entry for each path, which is relative to ``root``; ``journal`` holds them all in the end, in order.

    With ``spread`` not threads of this process look, but a :class:`Looker` elsewhere.
    """
    known = {entry.path: entry for entry in _read(journal)}
    entries = {path: known[path] for path in paths if path in known and _unchanged(root, known[path])}
    todo = [path for path in paths if path not in entries]
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("a", encoding="utf-8") as file, _Lookers(root, workers) as lookers:
        for entry in track((spread or lookers.entries)(todo), "looking at media", len(todo)):
            entries[entry.path] = entry
            file.write(f"{_line(entry)}\n")
            file.flush()
    write_lines(journal, (_line(entries[path]) for path in sorted(entries)))
    return entries


def _line(entry: Entry) -> str:
    return json.dumps({name: value for name, value in asdict(entry).items() if value is not None})


def _read(journal: Path) -> Iterator[Entry]:
    """What a journal holds; a line that was being written when a run was ended is passed over."""
    if journal.is_file():
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                made = json.loads(line)
                yield Entry(**{**made, "size": tuple(made["size"]) if made.get("size") else None})
            except (ValueError, TypeError, KeyError):
                continue


def _unchanged(root: Path, entry: Entry) -> bool:
    """Whether the file is as it was; one that was missing or could not be read is looked at again."""
    try:
        found = (root / entry.path).stat()
    except OSError:
        return False
    return entry.error is None and (entry.bytes, entry.changed) == (found.st_size, found.st_mtime_ns)


class Looker:
    """Looks at one file after the other; ``root`` is the folder of their paths."""

    def __init__(self, root: Path) -> None:
        self.root, self.decoder = root, Decoder()

    def __call__(self, path: str) -> Entry:
        """What a file is; what is wrong with it is in the entry, too."""
        file = self.root / path
        try:
            found = file.stat()
        except OSError:
            return Entry(path)
        size, changed = found.st_size, found.st_mtime_ns
        try:
            probe = self.decoder.probe(file)
        except MediaError as error:
            return Entry(path, size, changed, error=str(error).replace(str(file), path))
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        return Entry(
            path, size, changed, kind=probe.kind, duration=probe.duration, fps=probe.fps, size=probe.size,
            sound=probe.has_sound, hash=digest,
        )  # fmt: skip


class _Lookers:
    """Threads with a looker each."""

    def __init__(self, root: Path, workers: int) -> None:
        self.root, self.pool, self.own = root, ThreadPoolExecutor(workers), threading.local()
        self.lookers: list[Looker] = []

    def __enter__(self) -> "_Lookers":
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown(cancel_futures=True)
        for looker in self.lookers:
            looker.decoder.close()

    def entries(self, paths: Sequence[str]) -> Iterator[Entry]:
        """The entries of paths, in their order."""
        for start in range(0, len(paths), AHEAD):
            yield from self.pool.map(self._entry, paths[start : start + AHEAD])

    def _entry(self, path: str) -> Entry:
        if not hasattr(self.own, "look"):
            self.own.look = Looker(self.root)
            self.lookers.append(self.own.look)
        made: Entry = self.own.look(path)
        return made
