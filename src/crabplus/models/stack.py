"""The shape of a transformer inside a model, as far as the memory of training depends on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """Layers of one kind, one behind the other.

    Attributes:
        part: the part of the model that they are; reads: kinds of tokens that pass through them.
        rows: their rows for each of these tokens; a tower has several for a token of the language model.
        layers, width, inner: how many, the width of the residual stream, and that inside the feed-forward layer.
        heads, key_heads, head: heads of attention, those of keys and values, and the width of one.
        gated: whether the feed-forward layer has a gate; upcast: whether its norms work in float32 (RMSNorm).
        span: rows that a row attends to at most; None: all of its sample, behind a mask where samples are padded.
    """

    part: str
    reads: tuple[str, ...]
    rows: int
    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    head: int
    gated: bool
    upcast: bool
    span: int | None = None
