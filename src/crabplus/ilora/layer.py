"""The I-LoRA layer around a frozen linear layer.

For the frozen W x + b and an input x of shape (..., in), with heads i = 1..H (arXiv 2603.04128):

    p = softmax(R x / temperature)                          R: H x in, softmax in float32
    y = W x + b + alpha / r * sum_i p_i B_i A dropout(x)    A: r x in, B_i: out x r

Without ``share_a`` every head has an A of its own: a mixture of full LoRA experts.
"""

from typing import Any, NoReturn

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from crabplus.ilora.config import ILoraConfig
from crabplus.ilora.fused import Adapt, route

_SIZES = ("in_features", "out_features")
MERGE_REFUSED = (
    "An I-LoRA adapter cannot be merged into the base weight: its router mixes the heads anew for every token, so "
    "there is no single weight to add. Use the adapter unmerged, or call unload() to get the base model back."
)


class ILoraLayer(BaseTunerLayer):
    """Adapter parameters of one linear layer, by adapter name.

    ``ilora_A`` (r, in), or (H*r, in) where the heads do not share it; ``ilora_B`` (out, H*r); ``ilora_router`` (H, in).
    The heads stand side by side.
    """

    adapter_layer_names = ("ilora_A", "ilora_B", "ilora_router")
    other_param_names = ("ilora_dropout", "r", "lora_alpha", "num_heads", "scaling", "router_temperature")

    active_adapters: list[str]  # PEFT's

    def __init__(self, base_layer: nn.Module) -> None:
        self.base_layer = base_layer
        self.in_features, self.out_features = features(self.get_base_layer())
        self.ilora_A = nn.ParameterDict()
        self.ilora_B = nn.ParameterDict()
        self.ilora_router = nn.ParameterDict()
        self.ilora_dropout: dict[str, float] = {}
        self.r: dict[str, int] = {}
        self.lora_alpha: dict[str, float] = {}
        self.num_heads: dict[str, int] = {}
        self.scaling: dict[str, float] = {}
        self.router_temperature: dict[str, float] = {}
        self.merged_adapters: list[str] = []
        self._disable_adapters = False
        self.cast_input_dtype_enabled = True
        self.routing_observer: Any = None
        """Called with the router weights (..., H) of every forward pass; set by ``watch_routing``."""
        self.left_out: int | None = None
        """The head that the routers leave out, set by ``without_head``."""

    def parameter_groups(self) -> tuple[nn.ParameterDict, ...]:
        """A, B and router, each by adapter name."""
        return self.ilora_A, self.ilora_B, self.ilora_router

    def update_layer(self, adapter_name: str, config: ILoraConfig, inference_mode: bool = False) -> None:
        """Add the parameters of an adapter, or make those of this name anew."""
        r, heads = config.r, config.num_heads
        self.r[adapter_name], self.num_heads[adapter_name] = r, heads
        self.lora_alpha[adapter_name] = config.lora_alpha
        self.scaling[adapter_name] = config.lora_alpha / r
        self.router_temperature[adapter_name] = config.router_temperature
        self.ilora_dropout[adapter_name] = config.lora_dropout
        self.ilora_A[adapter_name] = nn.Parameter(torch.empty(r if config.share_a else heads * r, self.in_features))
        self.ilora_B[adapter_name] = nn.Parameter(torch.empty(self.out_features, heads * r))
        self.ilora_router[adapter_name] = nn.Parameter(torch.empty(heads, self.in_features))
        self.reset_parameters(adapter_name, config.init_weights)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=inference_mode)

    def reset_parameters(self, adapter_name: str, init_weights: bool = True) -> None:
        """A and the router Kaiming-uniform with a = sqrt 5; the heads zero, or drawn too without ``init_weights``."""
        nn.init.kaiming_uniform_(self.ilora_A[adapter_name], a=5**0.5)
        nn.init.kaiming_uniform_(self.ilora_router[adapter_name], a=5**0.5)
        if init_weights:
            nn.init.zeros_(self.ilora_B[adapter_name])
        else:
            nn.init.kaiming_uniform_(self.ilora_B[adapter_name], a=5**0.5)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> NoReturn:
        """Refused: raises ValueError, which says why."""
        raise ValueError(MERGE_REFUSED)

    def unmerge(self) -> NoReturn:
        """Refused: raises ValueError, which says why."""
        raise ValueError(MERGE_REFUSED)


class Linear(nn.Module, ILoraLayer):
    """A frozen linear layer with I-LoRA adapters beside it; the base layer is called, never looked into."""

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: ILoraConfig) -> None:
        super().__init__()
        ILoraLayer.__init__(self, base_layer)
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config, inference_mode=config.inference_mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The base layer's answer to x (..., in) plus what the active adapters add: (..., out), in the base's dtype."""
        result: Tensor = self.base_layer(x, *args, **kwargs)
        if not self.disable_adapters:
            for adapter_name in self.active_adapters:
                if adapter_name in self.ilora_A:
                    result = self.adapt(result, x, adapter_name)
        return result

    def adapt(self, base: Tensor, x: Tensor, adapter_name: str) -> Tensor:
        """``base`` (..., out) plus what one adapter makes of x (..., in)."""
        a, b, router = (group[adapter_name] for group in self.parameter_groups())
        dtype, temperature = self._compute_dtype(x, a), self.router_temperature[adapter_name]
        if self.routing_observer is not None:
            self.routing_observer(route(x.detach().to(dtype), router.detach().to(dtype), temperature, self.left_out))
        keep = 1.0 - self.ilora_dropout[adapter_name] if self.training else 1.0
        # drawn out here, where torch.compile and activation checkpointing know of it
        mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(keep) if keep < 1 else None
        scaling = self.scaling[adapter_name]
        result: Tensor = Adapt.apply(base, x, a, b, router, mask, keep, scaling, temperature, dtype, self.left_out)
        return result

    def _compute_dtype(self, x: Tensor, weight: Tensor) -> torch.dtype:
        """Autocast's dtype, else that of the adapter; that of x where PEFT's casting of inputs is switched off."""
        if torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type):
            return torch.get_autocast_dtype(x.device.type)
        return weight.dtype if self.cast_input_dtype_enabled else x.dtype

    def __repr__(self) -> str:
        return "ilora." + super().__repr__()


def features(base: nn.Module) -> tuple[int, int]:
    """Inputs and outputs of a linear layer: torch's, a quantised one, or transformers' ``Conv1D``.

    Raises:
        ValueError: the layer is none of these.
    """
    if isinstance(base, Conv1D):
        inputs, outputs = base.weight.shape
        return int(inputs), int(outputs)
    if isinstance(base, nn.Linear) or all(isinstance(getattr(base, name, None), int) for name in _SIZES):
        return int(base.in_features), int(base.out_features)  # type: ignore[arg-type]
    raise ValueError(
        f"Target module {base} is not supported: I-LoRA adapts linear layers (torch.nn.Linear, quantised linear "
        "layers with in_features and out_features, transformers' Conv1D); leave it out of target_modules"
    )
