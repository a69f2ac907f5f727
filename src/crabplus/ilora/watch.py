"""Shows the router weights of every forward pass to a watcher, as they are computed."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from crabplus.ilora.layer import ILoraLayer
from crabplus.ilora.model import bare_model

_NUMBERED = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Pass:
    """What one forward pass of the model was given.

    ``ids`` (B, T) are its token ids, None where it was given embeddings; ``attended`` (B, T) is false at padding;
    ``first`` is the number of its first sample. ``goes_on``: it is a step of cached generation, with the samples of the
    pass before; its tokens are then those that were generated last.
    """

    ids: Tensor | None
    attended: Tensor | None
    first: int
    goes_on: bool = False


class Watcher(Protocol):
    """What is told of the passes of a model; ``calls`` or the like are its own matter."""

    def begin(self, given: Pass) -> None:
        """A forward pass of the model begins."""

    def see(self, layer: str, weights: Tensor) -> None:
        """Router weights (B, T, H) of a layer in this pass, in float32 where they were computed.

        (T, H) where the layer works without a batch axis, as in the towers.
        """


@contextmanager
def watch_routing(model: nn.Module, watcher: Watcher) -> Iterator[list[str]]:
    """Tell ``watcher`` of every pass and of the router weights of every I-LoRA layer while the block runs.

    Gives the names of the layers, in order. Samples are numbered as they come in; beams and several answers to one
    prompt are samples too. The layers of an encoder-decoder model work on two sequences, and their passes have no ids.

    Raises:
        ValueError: the model has no I-LoRA layer.
    """
    root = bare_model(model)
    layers = {name: module for name, module in root.named_modules() if isinstance(module, ILoraLayer)}
    if not layers:
        raise ValueError("the model has no I-LoRA layer, and so no router to watch")
    handle = root.register_forward_pre_hook(_reader(watcher), with_kwargs=True)
    for name, layer in layers.items():
        layer.routing_observer = partial(watcher.see, name)
    try:
        yield list(layers)
    finally:
        handle.remove()
        for layer in layers.values():
            layer.routing_observer = None


def place_of(layer: str) -> tuple[int | None, str]:
    """The number of a layer in the list of layers, None outside one, and the last part of its name."""
    number = _NUMBERED.search(layer)
    return int(number[1]) if number else None, layer.rpartition(".")[2]


def _reader(watcher: Watcher) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
    """Reads the ids that the model is given, before each pass."""
    last: Pass | None = None

    def read(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal last
        ids = kwargs.get("input_ids", args[0] if args else None)
        two_sequences = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
        ids = ids.detach() if isinstance(ids, Tensor) and not two_sequences else None
        mask, cache = kwargs.get("attention_mask"), kwargs.get("past_key_values")
        attended = None
        if ids is not None and isinstance(mask, Tensor) and mask.dim() == 2:
            attended = mask[:, -ids.shape[1] :].detach().bool()
        goes_on = bool(last and cache is not None and cache.get_seq_length())
        if last is None or goes_on:
            first = last.first if last else 0
        else:
            first = last.first + (0 if last.ids is None else len(last.ids))
        last = Pass(ids, attended, first, goes_on)
        watcher.begin(last)

    return read
