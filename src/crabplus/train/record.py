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
from typing import Any, NamedTuple

import yaml

from crabplus.config import ConfigError, TrainConfig
from crabplus.whole import write_whole

CONFIG, RUN, PACK = "config.yaml", "run.json", "pack.yaml"
PACKAGES = ("crabplus", "torch", "transformers", "peft", "accelerate", "safetensors", "numpy", "av")
FREE = ("dataloader_", "logging_", "report_to", "run_name", "save_", "disable_tqdm", "log_level", "ddp_", "fsdp")
"""Training arguments by the start of their names that may change from one start of a run to the next."""
DIVISION = ("arguments.per_device_train_batch_size", "arguments.gradient_accumulation_steps")
"""Settings that may change as long as a step takes as many samples as before."""
SWITCH = ("encoded.folder",)
"""Settings that may change to another value, and cannot be left out or added on the way."""


class Division(NamedTuple):
    """How the samples of a step are divided: so many at a time on each process, times parts that are added up."""

    samples: int
    parts: int
    processes: int

    @property
    def batch(self) -> int:
        """Samples of a step."""
        return self.samples * self.parts * self.processes


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


def check_same(out: Path, config: TrainConfig, division: Division) -> bool:
    """Whether the folder holds the beginning of this very run.

    Raises:
        ConfigError: it holds another one (names the settings that differ), one of which nothing is known, or this one
            with steps of another number of samples.
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
    batch = _batch(out / RUN)
    odd = [name for name in names if not _free(name) or (name in SWITCH and None in (before.get(name), now.get(name)))]
    odd = [name for name in odd if batch is None or name not in DIVISION]
    if odd:
        told = ", ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in odd[:3])
        raise ConfigError(f"out: {out} holds another run: {told}; name another folder, or begin anew with --fresh")
    if batch not in (None, division.batch):
        raise ConfigError(_other_batch(out, int(batch), division))  # type: ignore[arg-type]
    return True


def _batch(file: Path) -> int | None:
    """Samples of a step of the run that a folder holds, on all of its processes; None where nothing tells."""
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["data"]["batch"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _other_batch(out: Path, before: int, now: Division) -> str:
    """What to do where a run would go on with steps of another number of samples."""
    at_a_time = now.samples * now.processes
    if before % at_a_time == 0:
        remedy = f"set arguments.gradient_accumulation_steps={before // at_a_time}"
    elif before % now.processes == 0:
        remedy = (
            f"set per_device_train_batch_size and gradient_accumulation_steps to a product of {before // now.processes}"
        )
    else:
        remedy = f"start a number of processes that divides {before}"
    return (
        f"out: {out} holds a run whose steps take {before} samples, and now they would take {now.batch} "
        f"(per_device_train_batch_size {now.samples} x gradient_accumulation_steps {now.parts} x {now.processes} "
        f"process{'es' if now.processes > 1 else ''}): {remedy}, or begin anew with --fresh"
    )


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
