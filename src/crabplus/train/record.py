"""What a run folder says of its run: the settings as resolved, versions, what is trained, and on which data."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from crabplus.config import ConfigError, TrainConfig
from crabplus.whole import write_whole

CONFIG, RUN = "config.yaml", "run.json"
PACKAGES = ("crabplus", "torch", "transformers", "peft", "accelerate", "safetensors", "numpy", "av")
FREE = ("dataloader_", "logging_", "report_to", "run_name", "save_", "disable_tqdm", "log_level")
"""Training arguments by the start of their names that may change from one start of a run to the next."""
SWITCH = ("encoded.folder",)
"""Settings that may change to another value, and cannot be left out or added on the way."""


def write_config(out: Path, config: TrainConfig) -> None:
    """Write the settings as they were resolved."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_whole(out / CONFIG, text.encode())


def write_run(out: Path, facts: Mapping[str, Any]) -> None:
    """Write ``run.json``: the facts, with the circumstances."""
    write_whole(out / RUN, (json.dumps({**circumstances(), **facts}, indent=1, ensure_ascii=False) + "\n").encode())


def circumstances() -> dict[str, Any]:
    """Command, time, machine and versions."""
    return {
        "command": " ".join(["crabplus", *sys.argv[1:]]), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores", "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES}, "commit": _commit(),
    }  # fmt: skip


def check_same(out: Path, config: TrainConfig) -> bool:
    """Whether the folder holds the beginning of this very run.

    Raises:
        ConfigError: it holds another one (names the settings that differ), or one of which nothing is known.
    """
    file = out / CONFIG
    if out.is_file():
        raise ConfigError(f"out: {out} is a file; name a folder")
    if not file.is_file():
        if any((out / "checkpoints").glob("*")):
            raise ConfigError(
                f"out: {out} holds checkpoints and no {CONFIG} to tell of which run; name another folder, or begin "
                "anew with --fresh"
            )
        return False
    if not any((out / name).exists() for name in ("log.jsonl", "checkpoints", "final")):
        return False  # it ended before it had learned anything
    before = _flat(_read_config(file))
    now = _flat(config.model_dump(mode="json"))
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    odd = [name for name in names if not _free(name) or (name in SWITCH and None in (before.get(name), now.get(name)))]
    if odd:
        told = ", ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in odd[:3])
        raise ConfigError(f"out: {out} holds another run: {told}; name another folder, or begin anew with --fresh")
    return True


def _read_config(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        raise ConfigError(f"out: {file} is damaged; name another folder, or begin anew with --fresh")
    return content


def _free(name: str) -> bool:
    section, _, rest = name.partition(".")
    return section in ("out", "cache", "encoded") or (section == "arguments" and rest.startswith(FREE))


def _flat(content: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(content, dict) or not content:
        return {name: content}
    return {
        key: value for inner in content for key, value in _flat(content[inner], f"{name}.{inner}".strip(".")).items()
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> str | None:
    """The commit of the code, where it runs from a checkout."""
    try:
        made = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return made.stdout.strip()
