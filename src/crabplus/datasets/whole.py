"""Text files that appear whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines, each with its end; the folder is made if need be. What was there stays until all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(f"{line}\n")
    os.replace(partial, path)
    return path
