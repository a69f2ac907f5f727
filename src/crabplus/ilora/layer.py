"""The I-LoRA layer around a frozen linear layer.

For the frozen W x + b and an input x of shape (..., in), with heads i = 1..H (arXiv 2603.04128):

    p = softmax(R x)                                        R: H x in, softmax in float32
    y = W x + b + alpha / r * sum_i p_i B_i A dropout(x)    A: r x in, B_i: out x r
"""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from crabplus.ilora.config import ILoraConfig

MERGE_REFUSED = (
    "An I-LoRA adapter cannot be merged into the base weight: its router mixes the heads anew for every token, so "
    "there is no single weight to add. Use the adapter unmerged, or call unload() to get the base model back."
)


def route(x: Tensor, router: Tensor) -> Tensor:
    """Router weights p = softmax(R x) in float32: x (..., in), router (H, in), result (..., H)."""
    return torch.softmax(F.linear(x, router), dim=-1, dtype=torch.float32)


def mix(hidden: Tensor, weights: Tensor, heads: Tensor) -> Tensor:
    """sum_i p_i B_i h as one product: hidden (..., r), weights (..., H), heads (out, H*r), result (..., out)."""
    spread = weights.unsqueeze(-1) * hidden.unsqueeze(-2)
    return F.linear(spread.flatten(-2), heads)


class ILoraLayer(BaseTunerLayer):
    """Adapter parameters of one linear layer, by adapter name.

    ``ilora_A`` (r, in), ``ilora_B`` (out, H*r: the heads side by side), ``ilora_router`` (H, in).
    """

    adapter_layer_names = ("ilora_A", "ilora_B", "ilora_router")
    other_param_names = ("ilora_dropout", "r", "lora_alpha", "num_heads", "scaling")

    active_adapters: list[str]  # these two are PEFT's
    _cast_input_dtype: Callable[[Tensor, torch.dtype], Tensor]

    def __init__(self, base_layer: nn.Module) -> None:
        self.base_layer = base_layer
        linear = self.get_base_layer()
        self.in_features: int = linear.in_features
        self.out_features: int = linear.out_features
        self.ilora_A = nn.ParameterDict()
        self.ilora_B = nn.ParameterDict()
        self.ilora_router = nn.ParameterDict()
        self.ilora_dropout = nn.ModuleDict()
        self.r: dict[str, int] = {}
        self.lora_alpha: dict[str, float] = {}
        self.num_heads: dict[str, int] = {}
        self.scaling: dict[str, float] = {}
        self.merged_adapters: list[str] = []
        self._disable_adapters = False
        self.cast_input_dtype_enabled = True
        self.routing_observer: Any = None
        """Called with the router weights (..., H) of every forward pass; set by ``record_routing``."""

    def update_layer(self, adapter_name: str, config: ILoraConfig, inference_mode: bool = False) -> None:
        """Add the parameters of an adapter, or make those of this name anew."""
        r, heads = config.r, config.num_heads
        self.r[adapter_name], self.num_heads[adapter_name] = r, heads
        self.lora_alpha[adapter_name] = config.lora_alpha
        self.scaling[adapter_name] = config.lora_alpha / r
        self.ilora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout else nn.Identity()
        self.ilora_A[adapter_name] = nn.Parameter(torch.empty(r, self.in_features))
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
        base: Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return base
        result = base
        for adapter_name in self.active_adapters:
            if adapter_name in self.ilora_A:
                result = result + self.update(x, adapter_name)
        return result.to(base.dtype)

    def update(self, x: Tensor, adapter_name: str) -> Tensor:
        """What one adapter adds for x (..., in): (..., out), computed in the adapter's dtype (or autocast's)."""
        x = self._cast_input_dtype(x, self.ilora_A[adapter_name].dtype)
        weights = route(x, self.ilora_router[adapter_name])
        if self.routing_observer is not None:
            self.routing_observer(weights.detach())
        hidden = F.linear(self.ilora_dropout[adapter_name](x), self.ilora_A[adapter_name])
        scaled = (weights * self.scaling[adapter_name]).to(hidden.dtype)
        return mix(hidden, scaled, self.ilora_B[adapter_name])

    def __repr__(self) -> str:
        return "ilora." + super().__repr__()
