"""Switches one head of an adapter off, to see what it does."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from crabplus.ilora.layer import ILoraLayer
from crabplus.ilora.model import bare_model


@contextmanager
def without_head(
    model: nn.Module, number: int, layers: Collection[str] | None = None, *, renormalise: bool = False
) -> Iterator[list[str]]:
    """While the block runs, one head of the active adapters adds nothing; then all is as it was, also after an error.

    Its B is zero, and the other heads keep their router weights, so that the update shrinks by what this head added.
    With ``renormalise`` the routers leave the head out, and the weights of the others sum to one.

    Args:
        model: a model with I-LoRA layers, wrapped by PEFT or not.
        number: of the head, from 0.
        layers: names of the layers, as :func:`adapted_layers` gives them for the bare model; None for all.
        renormalise: whether the other heads share the weight of this one.

    Yields:
        The names of the layers in which it is off.

    Raises:
        ValueError: no I-LoRA layer, no such layer or head, or no head would be left to share the weight.
    """
    chosen = _chosen(bare_model(model), layers)
    kept: list[tuple[Tensor, Tensor]] = []
    before = [layer.left_out for layer in chosen.values()]
    try:
        for name, layer in chosen.items():
            _check(name, layer, number, renormalise)
            if renormalise:
                layer.left_out = number
            else:
                kept += [_zero(part) for part in _parts(layer, number)]
        yield list(chosen)
    finally:
        for part, was in kept:
            with torch.no_grad():
                part.copy_(was)
        for layer, left_out in zip(chosen.values(), before, strict=True):
            layer.left_out = left_out


def _chosen(root: nn.Module, names: Collection[str] | None) -> dict[str, ILoraLayer]:
    layers = {name: module for name, module in root.named_modules() if isinstance(module, ILoraLayer)}
    if not layers:
        raise ValueError("without_head: the model has no I-LoRA layer")
    if names is None:
        return layers
    if strange := sorted(set(names) - layers.keys()):
        raise ValueError(f"without_head: no adapted layer {strange[0]!r}; such as {min(layers)!r}")
    return {name: layer for name, layer in layers.items() if name in names}


def _check(name: str, layer: ILoraLayer, number: int, renormalise: bool) -> None:
    for adapter in layer.active_adapters:
        heads = layer.num_heads.get(adapter)
        if heads is not None and not 0 <= number < heads:
            raise ValueError(f"without_head: {name} has heads 0 to {heads - 1}, no head {number}")
        if heads == 1 and renormalise:
            raise ValueError(f"without_head: {name} has one head; no other could take its weight")


def _parts(layer: ILoraLayer, number: int) -> Iterator[Tensor]:
    """The columns of B, (out, R), that are this head's, in each active adapter."""
    for adapter in layer.active_adapters:
        if adapter in layer.ilora_B:
            rank = layer.ilora_B[adapter].shape[1] // layer.num_heads[adapter]
            yield layer.ilora_B[adapter].detach()[:, number * rank : (number + 1) * rank]


def _zero(part: Tensor) -> tuple[Tensor, Tensor]:
    """The part, now zero, and what it was, kept off the device: the heads of a large adapter take its room twice."""
    was = part.to("cpu", copy=True)
    with torch.no_grad():
        part.zero_()
    return part, was
