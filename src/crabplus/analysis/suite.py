"""A suite: the same tasks trained alone and together by several methods, from one file of settings. No torch.

A *cell* is one run of it: a method, on one key or on all of them, with one seed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from crabplus.analysis.runs import CELL
from crabplus.config import (
    Above0,
    ConfigError,
    Positive,
    Settings,
    TrainConfig,
    change_setting,
    checked,
    make_config,
    nearest,
    read_settings,
)
from crabplus.whole import write_whole

__all__ = ["ALL", "AskSettings", "SuiteCell", "SuiteConfig", "begin", "cells_of", "load_suite", "status_of"]

ALL = "all"
"""Name of the cells that learn every key."""
EQUAL = "-equal-steps"
"""What is added to the name of a method that learns all keys together in the steps of one key."""
SUITE = "suite.yaml"

BATCH = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
"""Training arguments that make the batch, and what transformers takes where they are left out."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
RESERVED = {
    "out": "--out", "seed": "seeds", "encoded": "encoded of the suite", "data.keys": "keys",
    "arguments.max_steps": "per_key", "arguments.num_train_epochs": "per_key", "arguments.save_steps": "save_every",
    "arguments.save_strategy": "save_every", "arguments.save_total_limit": "nothing: a finished cell keeps none",
}  # fmt: skip
"""Settings of a run that a suite makes itself, and what is set in their place."""


class AskSettings(Settings):
    """What every cell is asked in the end.

    Attributes:
        split: of the data folder; samples: the first so many of each key that the cell learned; batch_size: at a time,
            the same whenever a cell goes on, so that answers do not depend on it.
    """

    split: str = "test"
    samples: Positive = 200
    batch_size: Positive = 50


class SuiteConfig(Settings):
    """A suite.

    Attributes:
        suite: its name; base: settings of ``crabplus train`` that all cells share; joint: those in which cells that
            learn all keys differ, such as a larger batch.
        keys, seeds: of the cells; methods: each a name with settings that differ from ``base``, and perhaps its own
            ``seeds``.
        single: methods that learn each key alone; multi: those that learn all keys together, in equal shares.
        equal_steps: methods that also learn all keys together in the steps of a single one.
        per_key: steps for each key: a single cell takes so many, one of K keys K times as many; fewer where its batch
            is larger than that of ``base``, so that every cell sees as many samples of a key.
        ask: what is asked in the end; save_every: steps between two checkpoints, from which a killed cell goes on.
        threads: of each process. It decides on the last bits of the results, so it does not follow the machine.
        encoded: GiB of outputs of the towers that are kept for all cells; None: the towers run in every step.
    """

    suite: Name
    base: dict[str, Any]
    joint: dict[str, Any] = Field(default_factory=dict)
    keys: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    methods: dict[Name, dict[str, Any]] = Field(min_length=1)
    single: tuple[str, ...] = ()
    multi: tuple[str, ...] = ()
    equal_steps: tuple[str, ...] = ()
    per_key: Positive
    ask: AskSettings = Field(default_factory=AskSettings)
    save_every: Positive = 200
    threads: Positive = 1
    encoded: Above0 | None = 50.0

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, content: Any) -> Any:
        """Lists may be text with commas, one seed a number, and a method without changes is left empty."""
        if not isinstance(content, dict):
            return content
        made = dict(content)
        for name in _LISTS:
            if name in made and isinstance(made[name], str | None):
                made[name] = [word.strip() for word in (made[name] or "").split(",") if word.strip()]
        if isinstance(made.get("seeds"), int):
            made["seeds"] = [made["seeds"]]
        if isinstance(made.get("methods"), dict):
            made["methods"] = {name: value or {} for name, value in made["methods"].items()}
        return made

    @model_validator(mode="after")
    def _together(self) -> "SuiteConfig":
        for name in (*_LISTS, "seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: {next(v for v in values if values.count(v) > 1)} stands there twice")
        used = {*self.single, *self.multi, *self.equal_steps}
        for label in used - self.methods.keys():
            raise ValueError(f"no method {label!r}{nearest(label, self.methods)}")
        for label in self.methods.keys() - used:
            raise ValueError(f"methods.{label} is used nowhere: name it in single, multi or equal_steps")
        for label in self.equal_steps:
            if label + EQUAL in self.methods:
                raise ValueError(f"methods: {label + EQUAL} is the name that equal_steps gives; call it otherwise")
        if len(self.keys) < 2 and (self.multi or self.equal_steps):
            raise ValueError("keys: at least two wanted, for methods that learn keys together")
        for where, content in (("base", self.base), ("joint", self.joint), *self.methods.items()):
            for name, other in RESERVED.items():
                if _find(content, name) is not None:
                    raise ValueError(f"{where}: {name} is not set there; in its place: {other}")
        return self


_LISTS = ("keys", "single", "multi", "equal_steps")


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


def load_suite(path: str | Path, changes: Sequence[str] = (), quick: bool = False) -> SuiteConfig:
    """Read a suite file and apply changes such as ``per_key=20``; see :func:`crabplus.config.load_config`.

    Args:
        quick: take the smaller suite that the file describes under ``quick``: settings that take the place of others.

    Raises:
        ConfigError: as there; the file describes no smaller suite.
    """
    content = read_settings(path)
    smaller = content.pop("quick", None)
    if quick:
        if not isinstance(smaller, dict):
            raise ConfigError(f"{path}: there is no section 'quick', with the settings of a smaller suite")
        content = {**content, "suite": f"{content.get('suite')}-quick", **smaller}
    for change in changes:
        change_setting(content, change)
    return checked(SuiteConfig, content, str(path))


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
    odd = [cell.title for cell in cells if _read(cell).get("mark", cell.mark) != cell.mark]
    if odd:
        file = out / SUITE
        before = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
        names = [name for name in now if (before or {}).get(name) != now[name]] or ["an older version of crabplus"]
        raise ConfigError(
            f"{out} holds cells that were made with other settings, {len(odd)} such as {odd[0]}; what differs: "
            f"{', '.join(names)}. Name another folder (--out), or remove these cells"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / SUITE, yaml.safe_dump(now, sort_keys=False, allow_unicode=True).encode())


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
    data, arguments = content.get("data") or {}, content.get("arguments") or {}
    saved = {"save_steps": suite.save_every} if steps > suite.save_every else {"save_strategy": "no"}
    config = make_config(
        {
            **content, "out": (out / "runs" / (label + more) / name / f"seed{seed}").as_posix(), "seed": seed,
            "data": {**data, "keys": {key: {"weight": 1.0} for key in keys}},
            "encoded": suite.encoded and {"folder": (out / "encoded").as_posix(), "gib": suite.encoded},
            "arguments": {
                "report_to": "none", "dataloader_num_workers": 0, **arguments, "max_steps": steps, **saved,
                "save_total_limit": 1,
            },
        },
        f"{file}: method {label}",
    )  # fmt: skip
    return SuiteCell(suite.suite, label + more, name, keys, seed, config, steps, suite.ask, suite.threads)


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


def _find(content: Mapping[str, Any], name: str) -> Any:
    """A setting by its name with dots; None where there is none."""
    found: Any = content
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _read(cell: SuiteCell) -> dict[str, Any]:
    """What ``cell.json`` says; nothing where there is none."""
    try:
        found = json.loads((cell.folder / CELL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
