"""A suite: the same tasks trained alone and together by several methods, from one file of settings. No torch.

A *cell* is one run of it: a method, on one key or on all of them, with one seed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import yaml

from crabplus.analysis.runs import CELL, SUITE
from crabplus.analysis.suite_settings import EQUAL, AskSettings, SuiteConfig
from crabplus.config import ConfigError, TrainConfig, make_config
from crabplus.whole import write_whole

__all__ = ["ALL", "SuiteCell", "begin", "cells_of", "status_of"]

ALL = "all"
"""Name of the cells that learn every key."""
FREE = ("suite", "seeds", "single", "multi", "equal_steps", "save_every")
"""Settings that decide on which cells there are, and on no result."""
SHOWN = 5  # folders that are named one by one

BATCH = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
"""Training arguments that make the batch, and what transformers takes where they are left out."""


@dataclass(frozen=True)
class SuiteCell:
    """One run of a suite.

    Attributes:
        suite, method: names; name: the key, or ``all``; keys, seed: what is learned, and with which seed.
        config: the settings of its training; steps: of it; ask, threads: see :class:`SuiteConfig`.
    """

    suite: str
    method: str
    name: str
    keys: tuple[str, ...]
    seed: int
    config: TrainConfig
    steps: int
    ask: AskSettings
    threads: int

    @property
    def folder(self) -> Path:
        """Of the run."""
        return Path(self.config.out)

    @property
    def title(self) -> str:
        """Such as ``lora/ave/seed0``."""
        return f"{self.method}/{self.name}/seed{self.seed}"

    @property
    def cost(self) -> float:
        """How long it takes, roughly, in samples: to learn from one takes about as long as to answer it."""
        return self.steps * _batch(self.config.model_dump()) + len(self.keys) * self.ask.samples

    @property
    def mark(self) -> str:
        """Changes with everything that decides on the result."""
        content = self.config.model_dump(mode="json", exclude={"out", "encoded", "cache"})
        for name in ("save_steps", "save_strategy"):
            content["arguments"].pop(name, None)
        parts = [content, self.config.encoded is None, self.ask.model_dump(mode="json"), self.threads]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def record(self, status: Literal["done", "failed"], reason: str | None, **more: Any) -> None:
        """Write ``cell.json``, which says what the run is of its suite and how it ended."""
        made = {
            "suite": self.suite, "method": self.method, "keys": list(self.keys), "seed": self.seed,
            "reasoning": self.config.data.reasoning, "status": status, "reason": reason, "split": self.ask.split,
            "data": self.config.data.folder, "samples": self.ask.samples, "steps": self.steps, "mark": self.mark,
            **more,
        }  # fmt: skip
        write_whole(self.folder / CELL, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())


def cells_of(suite: SuiteConfig, out: Path, name: str = "suite") -> list[SuiteCell]:
    """All cells, those that take longest first, so that several processes end together.

    Raises:
        ConfigError: settings that cannot be; ``name`` is that of the file.
    """
    made = [
        *(_cell(suite, out, name, label, (key,), seed)
          for label in suite.single for seed in _seeds(suite, label) for key in suite.keys),
        *(_cell(suite, out, name, label, suite.keys, seed)
          for label in suite.multi for seed in _seeds(suite, label)),
        *(_cell(suite, out, name, label, suite.keys, seed, EQUAL)
          for label in suite.equal_steps for seed in _seeds(suite, label)),
    ]  # fmt: skip
    if not made:
        raise ConfigError(f"{name}: no cells: name methods in single, multi or equal_steps")
    return sorted(made, key=lambda cell: -cell.cost)


def begin(suite: SuiteConfig, cells: Sequence[SuiteCell], out: Path) -> None:
    """Make the folder of a suite ready, and write its settings into it.

    Raises:
        ConfigError: it holds cells that were made with other settings; names these.
    """
    now = suite.model_dump(mode="json")
    odd = [cell for cell in cells if _read(cell).get("mark", cell.mark) != cell.mark and _worth(cell)]
    if odd:
        file = out / SUITE
        before = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
        names = [name for name in now if name not in FREE and (before or {}).get(name) != now[name]]
        raise ConfigError(
            f"{out} holds cells that were made with other settings, {len(odd)} such as {odd[0].title}; what differs: "
            f"{', '.join(names) or 'an older version of crabplus'}. Name another folder (--out), or remove the folders "
            f"of these cells: {', '.join(str(cell.folder) for cell in odd[:SHOWN])}{' and so on' * (len(odd) > SHOWN)}"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / SUITE, yaml.safe_dump(now, sort_keys=False, allow_unicode=True).encode())


def _worth(cell: SuiteCell) -> bool:
    """Whether a cell got so far that something would be lost with it."""
    return status_of(cell) == "done" or any((cell.folder / name).exists() for name in ("checkpoints", "final"))


def status_of(cell: SuiteCell, since: float = 0.0) -> str | None:
    """``done``, ``failed`` (after a time in seconds since 1970), or None: it has to be run."""
    found = _read(cell)
    status = found.get("status")
    return None if status == "failed" and found.get("ended", 0.0) < since else status


def _cell(
    suite: SuiteConfig, out: Path, file: str, label: str, keys: tuple[str, ...], seed: int, more: str = ""
) -> SuiteCell:  # fmt: skip
    name = keys[0] if len(keys) == 1 else ALL
    shared = suite.base if name != ALL else _merged(suite.base, suite.joint)
    content = _merged(shared, {key: value for key, value in suite.methods[label].items() if key != "seeds"})
    samples = suite.per_key * len(keys) * _batch(suite.base)
    steps = suite.per_key if more else math.ceil(samples / _batch(content))
    settings = partial(_settings, suite, out / "runs" / (label + more) / name / f"seed{seed}", keys, seed, steps)
    where = f"{file}: method {label}"
    try:
        config = make_config(settings(content), where)
    except ConfigError as error:
        _blame_base(settings(shared), file, str(error).removeprefix(where))
        raise
    return SuiteCell(suite.suite, label + more, name, keys, seed, config, steps, suite.ask, suite.threads)


def _settings(
    suite: SuiteConfig, out: Path, keys: Sequence[str], seed: int, steps: int, content: Mapping[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """The settings of a run: ``content``, and what the suite decides on."""
    data, arguments = content.get("data") or {}, content.get("arguments") or {}
    saved = {"save_steps": suite.save_every} if steps > suite.save_every else {"save_strategy": "no"}
    return {
        **content, "out": out.as_posix(), "seed": seed,
        "data": {**data, "keys": {key: {"weight": 1.0} for key in keys}},
        "encoded": suite.encoded and {"folder": (out.parents[3] / "encoded").as_posix(), "gib": suite.encoded},
        "arguments": {
            "report_to": "none", "dataloader_num_workers": 0, **arguments, "max_steps": steps, **saved,
            "save_total_limit": 1,
        },
    }  # fmt: skip


def _blame_base(shared: Mapping[str, Any], file: str, problem: str) -> None:
    """Raise in the name of ``base`` if a run without what is the method's own has the same problem."""
    try:
        make_config(shared, file)
    except ConfigError as error:
        if str(error) == file + problem:
            raise ConfigError(f"{file}: base{problem}") from None


def _batch(content: Mapping[str, Any]) -> int:
    """Samples of a step by these settings; what is no number counts as 1, and is told when the config is made."""
    given = {**BATCH, **(content.get("arguments") or {})}
    return math.prod(given[name] if isinstance(given[name], int) and given[name] > 0 else 1 for name in BATCH)


def _seeds(suite: SuiteConfig, label: str) -> Sequence[int]:
    """Those of the method, if it has any of its own."""
    own = suite.methods[label].get("seeds")
    if own is None:
        return suite.seeds
    if not isinstance(own, list) or not own or not all(type(seed) is int and seed >= 0 for seed in own):
        raise ConfigError(f"methods.{label}.seeds: a list of whole numbers wanted, got {own!r}")
    return own


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes, section by section."""
    made = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(made.get(name), dict)
        made[name] = _merged(made[name], value) if both else value
    return made


def _read(cell: SuiteCell) -> dict[str, Any]:
    """What ``cell.json`` says; nothing where there is none."""
    try:
        found = json.loads((cell.folder / CELL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
