"""Settings of a suite, and its file. No torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from crabplus.config import Above0, ConfigError, Positive, Settings, change_setting, checked, nearest, read_settings

__all__ = ["EQUAL", "AskSettings", "SuiteConfig", "load_suite"]

EQUAL = "-equal-steps"
"""What is added to the name of a method that learns all keys together in the steps of one key."""
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
        equal_steps: methods that also learn all keys together in the steps of a single one. A method that stands in
            none of the three makes no cell.
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
        for name, what in (("keys", "task keys"), ("seeds", "whole numbers")):
            if name in made and not (isinstance(made[name], list | tuple) and made[name]):
                raise ValueError(f"{name}: a list of {what} wanted, such as {_SUCH[name]}, got {made[name]!r}")
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
_SUCH = {"keys": "ave,avqa", "seeds": "[0, 1, 2]"}


def load_suite(path: str | Path, changes: Sequence[str] = (), quick: bool = False) -> SuiteConfig:
    """Read a suite file and apply changes such as ``per_key=20``; see :func:`crabplus.config.load_config`.

    Args:
        quick: take the smaller suite that the file describes under ``quick``: settings that take the place of others.

    Raises:
        ConfigError: as there; the file describes no smaller suite.
    """
    content = read_settings(path)
    if "base" not in content and "data" in content:
        raise ConfigError(f"{path} describes one run, which is for crabplus train; a suite has base, keys and methods")
    smaller = content.pop("quick", None)
    if quick:
        if not isinstance(smaller, dict):
            raise ConfigError(f"{path}: there is no section 'quick', with the settings of a smaller suite")
        content = {**content, "suite": f"{content.get('suite')}-quick", **smaller}
    for change in changes:
        change_setting(content, change)
    return checked(SuiteConfig, content, str(path))


def _find(content: Mapping[str, Any], name: str) -> Any:
    """A setting by its name with dots; None where there is none."""
    found: Any = content
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
