"""Which ways to divide the work of a step among processes are taken, and why others are not."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch

from crabplus.config import ConfigError, TrainConfig

HOW = "start it with accelerate launch --config_file configs/accelerate/zero2_8.yaml (or another of that folder)"


def check_processes() -> None:
    """Several accelerators need several processes.

    Raises:
        ConfigError: tells the command.
    """
    count = torch.cuda.device_count()
    if count > 1 and "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            f"there are {count} GPUs and one process, which splits the pictures of a batch wrongly. Start it with: "
            f"accelerate launch --num_processes {count} -m crabplus train ...  (or show it one: "
            "CUDA_VISIBLE_DEVICES=0)"
        )


def uses_deepspeed() -> bool:
    """Whether the launcher asks for DeepSpeed."""
    return _switched_on("ACCELERATE_USE_DEEPSPEED")


def uses_fsdp(argument: Any) -> bool:
    """Whether the launcher, or the training argument ``fsdp``, asks for FSDP."""
    return bool(argument) or _switched_on("ACCELERATE_USE_FSDP")


def check_sharding(given: Mapping[str, Any], config: TrainConfig) -> None:
    """Refuse the ways to divide a model, or the state of its optimizer, that are not proven.

    Args:
        given: training arguments.

    Raises:
        ConfigError: the setting, the reason and the remedy.
    """
    if given.get("deepspeed"):
        raise ConfigError(f"arguments.deepspeed: the file of a run does not choose how it is launched; {HOW}")
    if uses_deepspeed():
        _check_deepspeed(given)
        _check_together("DeepSpeed", config)
    version = (given.get("fsdp_config") or {}).get("version") or os.environ.get("FSDP_VERSION", "2")
    if uses_fsdp(given.get("fsdp")):
        if int(version) != 2:
            raise ConfigError(f"FSDP version {version} is not proven here; set it to 2 (arguments.fsdp_config.version)")
        _check_together("FSDP", config)


def _check_deepspeed(given: Mapping[str, Any]) -> None:
    """Refuse all of DeepSpeed but ZeRO stage 2 on the accelerators alone."""
    if find_spec("deepspeed") is None:
        raise ConfigError("DeepSpeed is not installed: pip install 'crabplus[deepspeed]'")
    if os.environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none").lower() != "none":
        raise ConfigError(
            "deepspeed_config_file: DeepSpeed's own file can switch on much that is not proven here; write zero_stage "
            f"and the rest into the file of accelerate: {HOW}"
        )
    stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    if stage != "2":
        raise ConfigError(
            f"zero_stage: {stage} is not proven here, and under stage 3 a process whose batch lacks a modality could "
            f"wait for ever for the others; set it to 2, or take FSDP2: {HOW}"
        )
    for what in ("OPTIMIZER", "PARAM"):
        device = os.environ.get(f"ACCELERATE_DEEPSPEED_OFFLOAD_{what}_DEVICE", "none")
        if device.lower() != "none":
            raise ConfigError(f"offload_{what.lower()}_device: {device} is not proven here; set it to none")
    if given.get("fp16"):
        raise ConfigError("arguments.fp16: DeepSpeed scales losses in a way of its own, not proven here; set bf16")


def _check_together(way: str, config: TrainConfig) -> None:
    """Refuse what is not proven where processes share a model or its optimizer."""
    if config.optimizer == "muon":
        raise ConfigError(f"optimizer: muon needs matrices whole, and {way} divides them; leave it out")
    if config.encoded:
        reason = {
            "FSDP": "towers that are divided among processes cannot run alone",
            "DeepSpeed": "towers that run beside DeepSpeed's engine are not proven",
        }[way]
        raise ConfigError(f"encoded: {reason}; leave it out under {way}")
    if config.evaluation:
        reason = {
            "FSDP": "processes that share one model would have to ask it equally often, which is not proven",
            "DeepSpeed": "going back to the best of its checkpoints is not proven",
        }[way]
        raise ConfigError(
            f"evaluation: {reason}; leave evaluation out under {way}, and score the checkpoints with crabplus predict "
            "and evaluate"
        )


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "").lower() == "true"
