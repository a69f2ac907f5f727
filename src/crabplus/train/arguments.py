"""The training arguments of transformers, with ours where they differ, and what of them is refused."""

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError
from transformers import TrainingArguments

from crabplus.config import ConfigError, TrainConfig, nearest
from crabplus.device import default_device
from crabplus.train.record import Division
from crabplus.train.sharding import check_sharding

DEFAULTS: dict[str, Any] = {
    "logging_steps": 10, "save_steps": 500, "save_total_limit": 2, "report_to": "tensorboard",
    "dataloader_num_workers": 2, "disable_tqdm": True, "ddp_find_unused_parameters": False,
}  # fmt: skip
"""Where they differ from those of transformers."""

WIDER: dict[str, Any] = {"fsdp": bool | str | None}
"""Types of training arguments that transformers states too narrowly: it documents ``fsdp: true``."""


def arguments_of(config: TrainConfig) -> TrainingArguments:
    """The training arguments, with ours where they differ.

    Raises:
        ConfigError: one that transformers does not know (names the nearest) or does not take.
    """
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    for name in config.arguments:
        if name not in known:
            raise ConfigError(f"arguments.{name}: transformers has no such training argument{nearest(name, known)}")
    _check_types(config.arguments)
    given = {**DEFAULTS, **({"dataloader_num_workers": 0} if config.encoded else {}), **config.arguments}
    if config.encoded and given["dataloader_num_workers"]:
        raise ConfigError(
            "arguments.dataloader_num_workers: 0 wanted where encoded is set, for the towers run in the model's process"
        )
    if given.get("learning_rate", 1.0) <= 0:
        raise ConfigError(f"arguments.learning_rate: a number above 0 wanted, got {given['learning_rate']}")
    if config.optimizer and "optim" in given:
        raise ConfigError(f"arguments.optim: optimizer says {config.optimizer} already; leave one of the two out")
    given.setdefault("dataloader_pin_memory", torch.cuda.is_available())
    if default_device() == "cpu":  # else several processes would not find each other, and bf16 would be refused
        given.setdefault("use_cpu", True)
    check_sharding(given, config)
    _set_checkpointing(given)
    if config.evaluation:
        given |= {"eval_strategy": "steps", "eval_steps": config.evaluation.every}
        given |= {"metric_for_best_model": "eval_mean_relative", "greater_is_better": True}
        given.setdefault("load_best_model_at_end", True)
        every = config.evaluation.every
        if given["load_best_model_at_end"] and config.arguments.get("save_steps", every) != every:
            raise ConfigError(
                f"arguments.save_steps: the best of all looks, every {every} steps (evaluation.every), can only be "
                "kept if it is saved: make both the same, or set load_best_model_at_end to false"
            )
        given["save_steps"] = config.arguments.get("save_steps", every)
    try:
        made = TrainingArguments(
            output_dir=str(Path(config.out) / "checkpoints"), seed=config.seed, remove_unused_columns=False,
            label_names=["labels"], **given,
        )  # fmt: skip
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise ConfigError(f"arguments: {' '.join(str(error).split())}") from error
    _check_machine(made)
    return made


def _check_types(given: dict[str, Any]) -> None:
    """Raise at a value of another type than transformers says: it would only notice when it computes with it."""
    hints = {**get_type_hints(TrainingArguments), **WIDER}
    for name, value in given.items():
        try:
            TypeAdapter(hints[name]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigError(f"arguments.{name}: {error.errors()[0]['msg']}, got {value!r:.60}") from error
        if name in ("per_device_train_batch_size", "gradient_accumulation_steps") and value < 1:
            raise ConfigError(f"arguments.{name}: at least 1 wanted, got {value}")


def _check_machine(arguments: TrainingArguments) -> None:
    """Raise at what this machine lacks, which the trainer would say only when it has the model."""
    from transformers.integrations import get_available_reporting_integrations

    if arguments.fp16 and arguments.device.type == "cpu":
        raise ConfigError("arguments.fp16: it takes an accelerator, and there is none; leave it out")
    there = get_available_reporting_integrations()
    for name in arguments.report_to or ():
        if name not in there:
            raise ConfigError(f"arguments.report_to: {name} is not installed; there are {', '.join([*there, 'none'])}")


def _set_checkpointing(given: dict[str, Any]) -> None:
    """Where activations are computed again, adapters of the towers must still get their gradients."""
    for name in ("gradient_checkpointing", "gradient_checkpointing_kwargs"):  # names of old
        if name in given:
            given.setdefault(name.replace("gradient", "activation"), given.pop(name))
    if given.get("activation_checkpointing"):
        settings = {"use_reentrant": False, **(given.get("activation_checkpointing_kwargs") or {})}
        given["activation_checkpointing_kwargs"] = settings
        if settings["use_reentrant"]:
            raise ConfigError(
                "arguments.activation_checkpointing_kwargs: with use_reentrant no gradient reaches the adapters of the "
                "towers, and they learn nothing; set use_reentrant to false"
            )


def division_of(arguments: TrainingArguments) -> Division:
    """How the samples of a step are divided among processes and accumulated parts."""
    return Division(
        arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps, arguments.world_size
    )  # fmt: skip
