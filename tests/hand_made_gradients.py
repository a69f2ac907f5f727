"""Gradients of keys that are drawn, not computed, and what conflict.json makes of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crabplus.analysis.conflict import conflict
from crabplus.analysis.gradients import Gradients
from crabplus.analysis.pieces import Piece

KINDS = ("A", "B of head 1", "B of head 2", "router")
SIZE = 60


def draw(keys: Sequence[str], groups: Sequence[int], noise: float = 0.5, layers: int = 2, seed: int = 0) -> Gradients:
    """Keys of the same group share a direction in each piece; those of group -1 go against group 1."""
    rng = np.random.default_rng(seed)
    grams = {}
    for layer in range(layers):
        for module in ("self_attn.q_proj", "mlp.down_proj"):
            for kind in KINDS:
                ways = {group: rng.normal(size=SIZE) for group in sorted(set(groups), reverse=True)}
                if -1 in ways:
                    ways[-1] = -ways[1]
                rows = np.array([ways[group] + noise * rng.normal(size=SIZE) for group in groups for _ in "ab"])
                grams[Piece("language", layer, module, kind, SIZE)] = rows @ rows.T
    losses = {key: 1 + number / 10 for number, key in enumerate(keys)}
    return Gradients(tuple(keys), losses, grams, 50, 4, 16, 1, SIZE * len(grams), 2**20)


def made(keys: Sequence[str], groups: Sequence[int], **options: Any) -> dict[str, Any]:
    """What conflict.json holds."""
    taken = draw(keys, groups, **options)
    adapter = {"kind": "ilora", "r": 32, "heads": 2, "start": None}
    config = {"model": "tiny", "adapter": adapter, "data": {"folder": "data", "split": "train", "reasoning": "on"}}
    settings = {
        "config": config, "warmup": 50, "batches": 4, "batch": 16, "passes": 1, "parameters": taken.parameters,
        "kept_bytes": taken.kept, "samples": dict.fromkeys(keys, 100), "hashes": dict.fromkeys(keys, "0"),
    }  # fmt: skip
    return {
        "mark": "m", "command": "crabplus transfer predict", "created": "2026-01-01", "machine": "a machine",
        "versions": {"torch": "2"}, **conflict(taken, [1 / len(keys)] * len(keys)), "settings": settings,
    }  # fmt: skip
