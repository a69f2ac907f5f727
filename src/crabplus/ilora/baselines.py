"""The adapters that I-LoRA is compared with, made from its own settings so that nothing else differs."""

from dataclasses import replace
from typing import Any

from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from crabplus.ilora.config import ILoraConfig
from crabplus.ilora.layer import ILoraLayer
from crabplus.ilora.model import ILoraModel

_COUNTED = "counted"
_SHARED = ("target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern", "task_type")


def lora(config: ILoraConfig) -> LoraConfig:
    """PEFT's LoRA of the same rank, alpha and dropout on the same layers."""
    return _lora(config, config.r, config.lora_alpha)


def equal_lora(config: ILoraConfig, model: nn.Module) -> LoraConfig:
    """PEFT's LoRA whose rank brings it nearest to the number of parameters that I-LoRA has on ``model``.

    The scale alpha / r stays that of ``config``. The model comes back as it was.

    Raises:
        ValueError: the model has an adapter already.
    """
    if any(isinstance(module, BaseTunerLayer) for module in model.modules()):
        raise ValueError("equal_lora: the model has an adapter already; give it the base model, before any is added")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tuner = ILoraModel(model, {_COUNTED: replace(config)}, _COUNTED, low_cpu_mem_usage=True)
    layers = [module for module in tuner.modules() if isinstance(module, ILoraLayer)]
    wanted = sum(group[_COUNTED].numel() for layer in layers for group in layer.parameter_groups())
    rank = max(1, round(wanted / sum(layer.in_features + layer.out_features for layer in layers)))
    tuner.unload()
    for parameter in trained:
        parameter.requires_grad_(True)
    return _lora(config, rank, config.lora_alpha / config.r * rank)


def experts(config: ILoraConfig) -> ILoraConfig:
    """A mixture of full LoRA experts: as I-LoRA, but every head has an A of its own."""
    return replace(config, share_a=False)


def _lora(config: ILoraConfig, rank: int, alpha: float) -> LoraConfig:
    same: dict[str, Any] = {name: getattr(config, name) for name in _SHARED}
    made = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=config.lora_dropout, init_lora_weights=config.init_weights, **same
    )
    return made
