"""Logits only where they are wanted: the head of a language model is the widest layer of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

IGNORED = -100  # label of tokens that carry no loss


@contextmanager
def logits_at(head: Any, where: Tensor | None) -> Iterator[None]:
    """While open, the head computes logits at some tokens only.

    Args:
        head: the layer that takes hidden states (B, T, D) to logits.
        where: bool (B, T); the logits are then (1, N, vocabulary), a row for each True. None: the last token of each
            row, logits (B, 1, vocabulary).
    """

    def keep(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = inputs[0]
        return (hidden[:, -1:] if where is None else hidden[where][None],)

    handle = head.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        handle.remove()
