"""Muon (Jordan et al. 2024) for the matrices of a small model, AdamW for the rest, in float32.

PyTorch's own Muon computes in bfloat16, which processors without such units emulate twenty times slower.
"""

import torch
from torch import Tensor

NOT_MATRICES = ("embed", "lm_head", "router")  # tables of rows, which are not mixed with each other


class Muon(torch.optim.Optimizer):
    """Groups with ``muon`` true hold matrices; their updates are orthogonalised and scaled to the size of AdamW's."""

    def __init__(self, model: torch.nn.Module, lr: float, weight_decay: float = 0.02) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if p.ndim == 2 and not any(word in name for word in NOT_MATRICES)]
        chosen = {id(p) for p in matrices}
        others = [p for _, p in trained if id(p) not in chosen]
        groups = [
            {"params": matrices, "muon": True, "weight_decay": weight_decay},
            {"params": others, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
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
        update = orthogonal(p.grad.lerp(state["momentum"], momentum))
        return update * (0.2 * max(p.shape) ** 0.5)

    def _adam(self, p: Tensor, beta1: float = 0.9, beta2: float = 0.98) -> Tensor:
        state = self.state[p]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        state["mean"].lerp_(p.grad, 1 - beta1)
        state["square"].lerp_(p.grad.square(), 1 - beta2)
        count = int(state["step"])
        mean, square = state["mean"] / (1 - beta1**count), state["square"] / (1 - beta2**count)
        return mean / (square.sqrt() + 1e-8)


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix with orthogonal rows (or columns), roughly, by Newton-Schulz steps."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
