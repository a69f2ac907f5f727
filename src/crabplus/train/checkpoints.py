"""Checkpoints that are whole or not used: each is sealed with sizes and hashes of its files when all are there."""

import json
import shutil
from hashlib import file_digest
from pathlib import Path

from crabplus.whole import write_whole

SEAL = "whole.json"


def seal(folder: Path) -> None:
    """Say that all files of a checkpoint are there, and what they are."""
    files = {path.relative_to(folder).as_posix(): _mark(path) for path in _files(folder)}
    write_whole(folder / SEAL, (json.dumps(files, indent=1) + "\n").encode())


def problem(folder: Path) -> str | None:
    """What is wrong with a checkpoint; None if it is whole."""
    try:
        files = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "was not written to its end"
    except ValueError:
        files = None
    if not isinstance(files, dict):
        return f"has a damaged {SEAL}"
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file():
            return f"lacks {name}"
        if path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes of {name} where {size} were written"
        if _hash(path) != digest:
            return f"has a {name} that is not what was written"
    return None


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """The last whole checkpoint, and remarks on those behind it that are not; these are moved aside.

    They keep their files as ``damaged-N``, out of the way of those that are counted.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    remarks: list[str] = []
    for path in found:
        wrong = problem(path)
        if wrong is None:
            return path, remarks
        aside = path.with_name(path.name.replace("checkpoint-", "damaged-"))
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        remarks.append(f"{path.name} {wrong}: it was moved to {aside.name}")
    return None, remarks


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and SEAL not in path.name)


def _mark(path: Path) -> tuple[int, str]:
    return path.stat().st_size, _hash(path)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
