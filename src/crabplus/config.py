"""The settings of a training run: a YAML file, changed by ``key=value`` arguments, checked as it is read."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Positive = Annotated[int, Field(gt=0)]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Kind = Literal["ilora", "lora", "lora-equal", "moe-lora", "none"]
Reasoning = Literal["on", "off", "mixed"]

RESERVED = {
    "output_dir": "out", "seed": "seed", "data_seed": "seed", "dataloader_drop_last": "nothing: no sample is dropped",
    "remove_unused_columns": "nothing: batches hold what the model takes", "label_names": "nothing",
    "train_sampling_strategy": "data.group", "group_by_length": "data.group", "length_column_name": "data.group",
    "accelerator_config": "nothing: batches are divided among the processes by the mixture",
    "average_tokens_across_devices": "nothing: the loss is always that of all target tokens of a step",
    "auto_find_batch_size": "nothing: the batch decides what is drawn; see 'crabplus estimate'",
    "ignore_data_skip": "nothing: a run always goes on at the sample where it was",
    "resume_from_checkpoint": "nothing: the same command goes on with an interrupted run",
    "metric_for_best_model": "nothing: it is the mean relative score", "greater_is_better": "nothing",
    "per_device_eval_batch_size": "evaluation.batch_size", "do_train": "nothing", "do_eval": "evaluation",
    "do_predict": "crabplus predict", "eval_strategy": "evaluation", "eval_steps": "evaluation.every",
    "save_only_model": "nothing: a run must be able to go on",
}  # fmt: skip
"""Training arguments that are not set as such, and what is set in their place."""
TOLD = 3  # so many mistakes are told at a time


class ConfigError(ValueError):
    """Settings that cannot be: the message names the setting and the remedy."""


class Settings(BaseModel):
    """Frozen, and without settings that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def _given(self) -> set[str]:
        """Settings that differ from their defaults: a config that was written out names them all."""
        return {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}


S = TypeVar("S", bound=Settings)


class AdapterSettings(Settings):
    """Which adapter is trained and how large it is.

    Attributes:
        kind: ``ilora``; to compare with, ``lora`` (PEFT's, of the same rank), ``lora-equal`` (PEFT's, of about as many
            parameters) and ``moe-lora`` (full LoRA experts under the same router); ``none`` trains the model itself.
        r, alpha, heads, dropout, router_temperature: see :class:`crabplus.ilora.ILoraConfig`.
        targets: what ``target_modules`` takes: a preset, a regular expression, or names.
        parts: parts of the model to which the targets are confined (``language``, ``vision``, ``audio``); None: all.
        start: folder of an adapter that learns on; its own size and layers count, and nothing else may be set here.
    """

    kind: Kind = "ilora"
    r: Positive = 128
    alpha: Above0 = 256
    heads: Positive = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    router_temperature: Above0 = 1.0
    targets: str | tuple[str, ...] = "language-model-only"
    parts: tuple[str, ...] | None = None
    start: str | None = None

    @model_validator(mode="after")
    def _check(self) -> "AdapterSettings":
        given = self._given() - {"kind", "start"}
        if given and self.kind == "none":
            raise ValueError(f"kind none has no adapter, so {', '.join(sorted(given))} mean nothing: leave them out")
        if self.start and (given or self.kind == "none"):
            what = ", ".join(sorted(given)) or "kind none"
            raise ValueError(
                f"start takes an adapter as it is, which excludes {what}; where a file sets these, write "
                "'adapter={start: FOLDER}'"
            )
        return self


class KeySettings(Settings):
    """How often a task key is drawn.

    Attributes:
        weight: share among all keys, up to a factor; None: by its number of samples (see ``DataSettings.temperature``).
        cap: it counts as at most so many samples in an epoch; every epoch draws others.
    """

    weight: Above0 | None = None
    cap: Positive | None = None


class DataSettings(Settings):
    """What is learned from.

    Attributes:
        folder, split: AV-UIE v2 folder and split; keys: task keys, as names or each with :class:`KeySettings`.
        temperature: shares without a weight are sizes to the power 1 / temperature; 1 is by size, more is more even.
        reasoning: whether targets hold the reasoning; ``mixed``: in one half of the draws, and prompts say which.
        paraphrases: every epoch draws one of the wordings of the pack anew; off: the one that prediction uses.
        longest: tokens that a sample may have at most; None: no limit.
        group: samples of like modality and length stand together in a batch.
        unreadable: ``stop`` at media that cannot be read, or leave the sample ``out`` and list it in the run folder.
    """

    folder: str
    split: str = "train"
    keys: dict[str, KeySettings] = Field(min_length=1)
    temperature: Above0 = 1.0
    reasoning: Reasoning = "on"
    paraphrases: bool = True
    longest: Positive | None = None
    group: bool = True
    unreadable: Literal["stop", "out"] = "stop"

    @field_validator("keys", mode="before")
    @classmethod
    def _names(cls, keys: Any) -> Any:
        named = _by_name(keys)
        return {key: value or {} for key, value in named.items()} if isinstance(named, dict) else named

    @field_validator("reasoning", mode="before")
    @classmethod
    def _switch(cls, value: Any) -> Any:
        return (
            {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
        )  # YAML reads on as true

    @model_validator(mode="after")
    def _mixture(self) -> "DataSettings":
        weighed = [key for key, value in self.keys.items() if value.weight is not None]
        if weighed and len(weighed) < len(self.keys):
            bare = next(key for key in self.keys if key not in weighed)
            raise ValueError(f"keys: {weighed[0]} has a weight and {bare} has none; give all of them one, or none")
        if weighed and "temperature" in self._given():
            raise ValueError("temperature is for keys without weights; leave one of the two out")
        return self


class CacheSettings(Settings):
    """Where decoded media, or outputs of the towers, are kept, and how many GiB of them at most."""

    folder: str
    gib: Above0 = 50.0


class EvaluationSettings(Settings):
    """A look at unseen samples while training, with the official metric of each key.

    Attributes:
        split: of the same folder; samples: the first so many of each key; keys: default all of the mixture.
        every: steps between two looks; batch_size: prompts at a time on each process.
        reference: score of a key that counts as 1 in the mean relative score, such as that of a model tuned for it
            alone; by default 1. The best constant answer counts as 0.
    """

    split: str = "val"
    samples: Positive = 50
    keys: tuple[str, ...] | None = None
    every: Positive = 500
    batch_size: Positive = 8
    reference: dict[str, Above0] = Field(default_factory=dict)


class TrainConfig(Settings):
    """One run.

    Attributes:
        out: folder of the run; model: ``tiny``, a folder or a hub name; dtype, attention: how it is loaded.
        pack: wording pack; None for the model's own. plugin: Python file with datasets or tasks of your own.
        trained: parts of the model that are trained whole, beside the adapter (with kind none: all, unless named).
        evaluation, cache: None for none.
        optimizer: ``muon`` for :class:`crabplus.train.muon.Muon`; None: that of ``arguments.optim``.
        encoded: where outputs of the towers are kept, which must stay frozen: they see and hear each file once, and
            later epochs and runs start from what they made of it. None: they run in every step.
        arguments: ``transformers.TrainingArguments`` as they are, such as ``num_train_epochs`` or ``learning_rate``.
    """

    out: str
    data: DataSettings
    model: str = "tiny"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: str = "sdpa"
    pack: str | None = None
    plugin: str | None = None
    adapter: AdapterSettings = Field(default_factory=AdapterSettings)
    trained: tuple[str, ...] = ()
    evaluation: EvaluationSettings | None = None
    cache: CacheSettings | None = None
    encoded: CacheSettings | None = None
    optimizer: Literal["muon"] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _reserved(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name in arguments:
            if name in RESERVED:
                raise ValueError(f"{name} is not set here; in its place: {RESERVED[name]}")
        return arguments

    @model_validator(mode="after")
    def _together(self) -> "TrainConfig":
        judged = (self.evaluation.keys if self.evaluation else None) or tuple(self.data.keys)
        for key in self.evaluation.reference if self.evaluation else ():
            if key not in judged:
                raise ValueError(f"evaluation.reference: {key} is not evaluated{nearest(key, judged)}")
        if self.trained and self.adapter.start:
            raise ValueError("trained: parts trained whole come with adapter.start, if it has any; leave trained out")
        return self


def load_config(path: str | Path, changes: Sequence[str] = ()) -> TrainConfig:
    """Read a config file and apply changes such as ``adapter.r=16`` or ``data.keys=ave,avqa``; values are YAML.

    Raises:
        ConfigError: no such file, not YAML, a setting that is unknown (names the nearest) or cannot be; names it.
    """
    content = read_settings(path)
    if "methods" in content:
        raise ConfigError(f"{path} describes a suite, which is for crabplus transfer run; name the file of one run")
    for change in changes:
        change_setting(content, change)
    return make_config(content, str(path))


def read_settings(path: str | Path) -> dict[str, Any]:
    """What a file of settings says, unchecked; raises as :func:`load_config`."""
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"{path}: no such config file; shipped ones lie in configs/")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {_in_one_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: settings by name wanted (out: ..., data: ...), got {type(content).__name__}")
    return content


def make_config(content: Mapping[str, Any], name: str = "config") -> TrainConfig:
    """Settings from plain values; raises as :func:`load_config`."""
    return checked(TrainConfig, content, name)


def checked(kind: type[S], content: Mapping[str, Any], name: str) -> S:
    """Settings of some kind from plain values; raises as :func:`load_config`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        told = [_problem(kind, item) for item in error.errors()]
        more = [f"and {len(told) - TOLD} more"] if len(told) > TOLD else []
        raise ConfigError(f"{name}: " + "; ".join([*told[:TOLD], *more])) from error


class _Loader(yaml.SafeLoader):
    """YAML whose numbers may be written 1e-4, as everywhere else."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def change_setting(content: dict[str, Any], change: str) -> None:
    """Apply a change such as ``data.keys=ave``; raises a :class:`ConfigError` if it is none."""
    name, sign, value = change.partition("=")
    if not (sign and name):
        raise ConfigError(f"{change!r}: a change is written name=value, such as adapter.r=16")
    *folders, last = name.split(".")
    place = content
    for depth, folder in enumerate(folders):
        inner = place.get(folder)
        if inner is None:  # a section that was left out
            inner = {}
        elif folders[: depth + 1] == ["data", "keys"]:
            inner = _by_name(inner)
        if not isinstance(inner, dict):
            raise ConfigError(f"{change!r}: {folder} is no section")
        place[folder] = inner
        place = inner
    try:
        place[last] = yaml.load(value, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{change!r}: the value is not YAML: {_in_one_line(error)}") from error


def _by_name(keys: Any) -> Any:
    """Keys with their settings, where they are given as names: a list, or text with commas."""
    names = [name.strip() for name in keys.split(",")] if isinstance(keys, str) else keys
    return {str(name): None for name in names} if isinstance(names, list | tuple) else keys


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _problem(kind: type[Settings], error: Any) -> str:
    """One problem in words; an unknown setting names the nearest."""
    *folders, last = (str(part) for part in error["loc"]) if error["loc"] else ("",)
    where = ".".join((*folders, last))
    if error["type"] == "extra_forbidden":
        known = _known(kind, folders)
        return f"{where}: no such setting{nearest(last, known)}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{where}: is missing"
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message}, got {error['input']!r:.60}"


def _known(root: type[Settings], folders: Sequence[str]) -> list[str]:
    """The settings of a section."""
    model: Any = root
    for folder in folders:
        field = model.model_fields.get(folder) if isinstance(model, type) and issubclass(model, Settings) else None
        kinds = [field.annotation, *get_args(field.annotation)] if field else [KeySettings]
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)), KeySettings)
    return list(model.model_fields)


def nearest(name: str, known: Any) -> str:
    """``; did you mean ...?`` with the nearest of the known names, or all of them."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
