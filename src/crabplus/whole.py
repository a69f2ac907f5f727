"""Files that appear whole or not at all: what was there stays until all is written; folders are made if need be."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines of text, each with its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(f"{line}\n")
    os.replace(partial, path)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes; several processes may write one file, of which the last stays."""
    with draft_of(path) as draft:
        draft.write_bytes(content)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write into, which takes its place in the end; where writing fails it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
