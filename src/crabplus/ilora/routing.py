"""Records which heads the router chose for which token."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from crabplus.ilora.layer import ILoraLayer
from crabplus.ilora.model import bare_model


@dataclass
class Routing:
    """Router weights as they were recorded.

    Attributes:
        calls: layer name to the router weights of its calls in order, each float32 on the CPU, of shape (B, T, H), or
            (T, H) where the layer works without a batch axis, as in the towers.
        token_ids: the input ids (B, T) of each forward pass of the model in order; None where it was given embeddings.
        token_kinds: token id to the name of its kind; every other token is ``text``.
    """

    token_kinds: dict[int, str] = field(default_factory=dict)
    calls: dict[str, list[Tensor]] = field(default_factory=dict)
    token_ids: list[Tensor | None] = field(default_factory=list)

    def weights(self, layer: str) -> Tensor:
        """Router weights of one layer, its calls joined along the tokens: (B, T, H) or (T, H)."""
        return torch.cat(self.calls[layer], dim=-2)

    def mean(self, layer: str) -> Tensor:
        """Mean router weight of each head of one layer over all tokens of all calls: (H,)."""
        return torch.cat([call.flatten(0, -2) for call in self.calls[layer]]).mean(0)

    def by_kind(self, layer: str) -> dict[str, Tensor]:
        """Mean router weight of each head per kind of token: kind to (H,). Empty for a layer that sees no token ids."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for call, ids in self._aligned(layer):
            for kind, mask in self._masks(ids):
                sums[kind] = sums.get(kind, torch.zeros(call.shape[-1])) + call[mask].sum(0)
                counts[kind] = counts.get(kind, 0) + int(mask.sum())
        return {kind: total / counts[kind] for kind, total in sums.items()}

    def _aligned(self, layer: str) -> Iterator[tuple[Tensor, Tensor]]:
        calls = self.calls[layer]
        if len(calls) != len(self.token_ids):
            return
        for call, ids in zip(calls, self.token_ids, strict=True):
            if ids is not None and ids.shape == call.shape[:-1]:
                yield call, ids

    def _masks(self, ids: Tensor) -> Iterator[tuple[str, Tensor]]:
        text = torch.ones_like(ids, dtype=torch.bool)
        for kind in dict.fromkeys(self.token_kinds.values()):
            members = [token for token, name in self.token_kinds.items() if name == kind]
            mask = torch.isin(ids, torch.tensor(members, dtype=ids.dtype))
            text &= ~mask
            if mask.any():
                yield kind, mask
        if text.any():
            yield "text", text


@contextmanager
def record_routing(model: nn.Module, token_kinds: Mapping[int, str] | None = None) -> Iterator[Routing]:
    """Record the router weights of every I-LoRA layer while the block runs; costs nothing outside of it.

    Args:
        model: a model with I-LoRA layers, wrapped by PEFT or not.
        token_kinds: token id to the name of its kind, such as ``{audio_token_id: "audio"}``.

    Raises:
        ValueError: the model has no I-LoRA layer.
    """
    root = bare_model(model)
    layers = {name: module for name, module in root.named_modules() if isinstance(module, ILoraLayer)}
    if not layers:
        raise ValueError("record_routing: the model has no I-LoRA layer")
    routing = Routing(token_kinds=dict(token_kinds or {}))
    handle = root.register_forward_pre_hook(_ids_reader(routing), with_kwargs=True)
    for name, layer in layers.items():
        layer.routing_observer = _collector(routing.calls.setdefault(name, []))
    try:
        yield routing
    finally:
        handle.remove()
        for layer in layers.values():
            layer.routing_observer = None


def _collector(calls: list[Tensor]) -> Callable[[Tensor], None]:
    def collect(weights: Tensor) -> None:
        calls.append(weights.to("cpu", torch.float32))

    return collect


def _ids_reader(routing: Routing) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
    def read(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        routing.token_ids.append(ids.detach().cpu() if isinstance(ids, Tensor) else None)

    return read
