"""Puts I-LoRA layers into a model."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTuner
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn

from crabplus.ilora.config import ILoraConfig
from crabplus.ilora.layer import MERGE_REFUSED, ILoraLayer, Linear
from crabplus.ilora.peft_type import PREFIX

_NUMBERED = re.compile(r"\.(?:\w+\.)?\d+\.")  # ".layers.3.": what stands before it is the part that is counted
logger = logging.getLogger(__name__)


class ILoraModel(BaseTuner):
    """The tuner that PEFT calls: replaces the target modules of a model by :class:`Linear` layers, in place."""

    prefix: str = PREFIX
    tuner_layer_cls = ILoraLayer
    target_module_mapping = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

    def _create_and_replace(
        self,
        peft_config: ILoraConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **_: Any,
    ) -> None:
        if isinstance(target, ILoraLayer):
            target.update_layer(adapter_name, peft_config, inference_mode=peft_config.inference_mode)
            return
        layer = Linear(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _post_injection_hook(self, model: nn.Module, config: ILoraConfig, adapter_name: str) -> None:
        names = adapted_layers(model, adapter_name)
        parts = Counter(_NUMBERED.split(name, maxsplit=1)[0] for name in names)
        counts = ", ".join(f"{count} in {part}" for part, count in parts.items())
        logger.info("I-LoRA adapter %r adapts %d layers: %s", adapter_name, len(names), counts)
        logger.debug("I-LoRA adapter %r adapts:\n%s", adapter_name, "\n".join(names))

    @contextmanager
    def _enable_peft_forward_hooks(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        if kwargs.get("adapter_names") is not None:
            raise ValueError(
                "I-LoRA has one adapter for a whole batch; use set_adapter, and one batch for each adapter"
            )
        yield

    def _check_merge_allowed(self) -> NoReturn:
        raise ValueError(MERGE_REFUSED)


def bare_model(model: nn.Module) -> nn.Module:
    """The model itself, without the wrapper that ``get_peft_model`` puts around it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def adapted_layers(model: nn.Module, adapter_name: str | None = None) -> list[str]:
    """Names of the layers of a model that carry an I-LoRA adapter (of this name, if one is given), in order."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, ILoraLayer) and (adapter_name in module.ilora_A if adapter_name else len(module.ilora_A))
    ]
