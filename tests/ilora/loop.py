"""The published computation, head by head, as the reference that the fused one is held against."""

import torch
from torch import Tensor, nn


def loop(
    x: Tensor, a: Tensor, b: Tensor, router: Tensor, scaling: float, dropped: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:  # fmt: skip
    """What the adapter adds for x (..., in): a (R or H*R, in), b (out, H*R), router (H, in), which sees x undropped."""
    dropped = x if dropped is None else dropped
    heads, rank = len(router), b.shape[1] // len(router)
    p = torch.softmax(nn.functional.linear(x, router) / temperature, dim=-1, dtype=torch.float32).to(x.dtype)
    update = torch.zeros((), dtype=x.dtype)
    for i in range(heads):
        a_i = a if len(a) == rank else a[i * rank : (i + 1) * rank]
        b_i = b[:, i * rank : (i + 1) * rank]
        update = update + p[..., i : i + 1] * nn.functional.linear(nn.functional.linear(dropped, a_i), b_i)
    return update * scaling
