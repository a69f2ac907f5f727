"""Muon (Jordan et al. 2024): the update of a matrix is its momentum with all singular values made alike."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from crabplus.ilora.layer import ILoraLayer

NOT_MATRICES = ("embed", "lm_head", "router")
"""Parts of names of parameters whose rows stand for themselves: words, experts."""


class Muon(torch.optim.Optimizer):
    """Muon for the matrices of a model, AdamW for the rest, in the precision of the parameters.

    Updates of matrices are scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982), so that one learning rate
    does for both. The heads of I-LoRA, which lie side by side in one parameter, are matrices of their own: taken for
    one they would have to differ from each other in every step, and move what they have in common by the less.
    PyTorch's own Muon takes matrices alone and computes in bfloat16, which many processors only emulate.

    Args:
        model: whose trained parameters learn; lr, weight_decay: as for AdamW, the decay for matrices alone.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if is_matrix(name, p)]
        others = [p for name, p in trained if not is_matrix(name, p)]
        groups = [
            {"params": matrices, "muon": True, "weight_decay": weight_decay},
            {"params": others, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr})
        self.heads = heads_in(model)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Learn from the gradients; ``closure`` is not called."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    update = self._muon(p) if group["muon"] else self._adam(p)
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])

    def _muon(self, p: Tensor, momentum: float = 0.95) -> Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - momentum)
        wanted: Tensor = p.grad.lerp(state["momentum"], momentum)  # type: ignore[union-attr]
        heads, side = self.heads.get(id(p), (1, 0))
        update = orthogonal(torch.stack(wanted.chunk(heads, side)))
        return torch.cat([*update], side) * (0.2 * max(update.shape[1:]) ** 0.5)

    def _adam(self, p: Tensor, beta1: float = 0.9, beta2: float = 0.98) -> Tensor:
        state = self.state[p]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        state["mean"].lerp_(p.grad, 1 - beta1)
        state["square"].lerp_(p.grad.square(), 1 - beta2)  # type: ignore[union-attr]
        count = int(state["step"])
        mean, square = state["mean"] / (1 - beta1**count), state["square"] / (1 - beta2**count)
        return mean / (square.sqrt() + 1e-8)


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter of this name is one that Muon orthogonalises."""
    return parameter.ndim == 2 and not any(word in name for word in NOT_MATRICES)


def heads_in(model: nn.Module) -> dict[int, tuple[int, int]]:
    """Of parameters, by ``id``, in which the matrices of several heads lie: how many, and along which side."""
    made = {}
    for layer in model.modules():
        if isinstance(layer, ILoraLayer):
            for name, heads in layer.num_heads.items():
                made[id(layer.ilora_B[name])] = (heads, 1)
                if len(layer.ilora_A[name]) > layer.r[name]:
                    made[id(layer.ilora_A[name])] = (heads, 0)
    return made


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Roughly the nearest matrices with orthogonal rows (or columns), by Newton-Schulz steps.

    The polynomial of Jordan et al. takes every singular value to between 0.7 and 1.2, in few steps.

    Args:
        matrices: (..., rows, columns).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
