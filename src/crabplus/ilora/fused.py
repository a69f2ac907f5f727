"""What an adapter adds, as one autograd function that keeps little and makes anew what is cheap.

Legend: N tokens, R rank, H heads, K columns of A's output: R where the heads share A, H * R where each has its own.

    p = softmax(x router^T / temperature)      (N, H), softmax in float32
    h = dropout(x) A^T                         (N, K)
    z = p_i h_i, the heads side by side        (N, H * R)
    y = base + scaling * z B^T                 (N, out)

Kept for the backward pass are x as it came (layers that read the same x share it), one byte per entry of the dropout
mask, p and h. Copies of x in another dtype, the dropped x, and z are made anew.
"""

from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def route(x: Tensor, router: Tensor, temperature: float = 1.0, left_out: int | None = None) -> Tensor:
    """Router weights p in float32: x (..., in), router (H, in), result (..., H); a head that is left out has none."""
    logits = F.linear(x, router) / temperature
    if left_out is not None:
        logits[..., left_out] = -inf
    return torch.softmax(logits, dim=-1, dtype=torch.float32)


class Adapt(torch.autograd.Function):
    """The base layer's answer plus what the adapter adds to it; the formulas are in the module's docstring.

    ``apply`` takes base (..., out); x (..., in); a (K, in); b (out, H * R); router (H, in); mask, bool like x and true
    where x is kept, or None without dropout; keep, the probability of that; scaling; temperature; the dtype of all that
    is computed but the softmax; and the head that the router leaves out, or None. The result has the shape and dtype of
    base. Autocast has no say inside but through ``dtype``: both passes switch it off on the device of x
    (``custom_fwd`` would tie them to one type of device).
    """

    @staticmethod
    def forward(
        ctx: Any, base: Tensor, x: Tensor, a: Tensor, b: Tensor, router: Tensor, mask: Tensor | None, keep: float,
        scaling: float, temperature: float, dtype: torch.dtype, left_out: int | None = None,
    ) -> Tensor:  # fmt: skip
        """See the class."""
        with _no_autocast(x.device.type):
            rows = _rows(x, dtype)
            weights = route(rows, router.to(dtype), temperature, left_out)
            hidden = F.linear(_dropped(rows, mask), a.to(dtype))
            if mask is not None:
                hidden /= keep
            update = F.linear(_mix(hidden, weights, b.shape[1] // len(router)), b.to(dtype))
            ctx.save_for_backward(x, mask, hidden, weights, a, b, router)
            ctx.settings = keep, scaling, temperature, dtype
            update = update.mul_(scaling).view(base.shape)
            return update.add_(base) if base.dtype == dtype else (base + update).to(base.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of base, x, a, b and router, each only where it is needed."""
        x, mask, hidden, weights, a, b, router = ctx.saved_tensors
        keep, scaling, temperature, dtype = ctx.settings
        of_base, of_x, of_a, of_b, of_router = ctx.needs_input_grad[:5]
        grad_x = grad_a = grad_b = grad_router = None
        with _no_autocast(x.device.type):
            rows, back = _rows(x, dtype), _rows(grad, dtype)
            rank = b.shape[1] // len(router)
            if of_b:
                grad_b = (back.T @ _mix(hidden * scaling, weights, rank)).to(b.dtype)
            grad_hidden, grad_logits = _unmix(back @ b.to(dtype) * scaling, hidden, weights, rank)
            grad_logits = (grad_logits / temperature).to(dtype)
            if mask is not None:
                grad_hidden = grad_hidden / keep
            if of_a:
                grad_a = (grad_hidden.T @ _dropped(rows, mask)).to(a.dtype)
            if of_router:
                grad_router = (grad_logits.T @ rows).to(router.dtype)
            if of_x:
                through_a = _dropped(grad_hidden @ a.to(dtype), mask)
                grad_x = torch.addmm(through_a, grad_logits, router.to(dtype)).to(x.dtype).view(x.shape)
        return grad if of_base else None, grad_x, grad_a, grad_b, grad_router, *(None,) * 6


def _no_autocast(device: str) -> AbstractContextManager[Any]:
    """Autocast off, on a type of device that has it (``meta`` has none)."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(..., D) as (N, D) in the dtype of the computation."""
    return x.reshape(-1, x.shape[-1]).to(dtype)


def _dropped(rows: Tensor, mask: Tensor | None) -> Tensor:
    """Rows (N, D) with zeros where the mask is false; what is left is not scaled up."""
    return rows if mask is None else torch.where(mask.view_as(rows), rows, 0)


def _mix(hidden: Tensor, weights: Tensor, rank: int) -> Tensor:
    """z: hidden (N, K), weights (N, H), result (N, H * R)."""
    parts = hidden.unflatten(-1, (-1, rank))  # (N, 1 or H, R)
    mixed: Tensor = weights.to(hidden.dtype).unsqueeze(-1) * parts
    return mixed.flatten(-2)


def _unmix(grad: Tensor, hidden: Tensor, weights: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """From the gradient of z (N, H * R) those of h (N, K) and of the logits (N, H), the latter in float32."""
    grad, parts = grad.unflatten(-1, (-1, rank)), hidden.unflatten(-1, (-1, rank))
    grad_parts = weights.to(grad.dtype).unsqueeze(-1) * grad
    grad_weights = (grad * parts).sum(-1, dtype=torch.float32)
    mean = (grad_weights * weights).sum(-1, keepdim=True)
    return grad_parts.sum_to_size(parts.shape).flatten(-2), weights * (grad_weights - mean)
