"""Sums of losses over target tokens, apart for each task key."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Tally:
    """What a process has added since the last log.

    Args:
        families: the family of each task key.
    """

    def __init__(self, families: Mapping[str, str]) -> None:
        self.families = dict(families)
        self.sums = {key: (0.0, 0) for key in families}

    def add(self, tasks: Sequence[str], losses: Tensor, counts: Tensor) -> None:
        """Add a batch.

        Args:
            tasks: key of each of its rows; losses: (N,) of all target tokens, row by row; counts: (B,) tokens of a row.
        """
        lengths = counts.tolist()
        totals = torch.stack([row.sum() for row in torch.split(losses, lengths)]).tolist()
        for task, total, count in zip(tasks, totals, lengths, strict=True):
            loss, tokens = self.sums[task]
            self.sums[task] = (loss + total, tokens + count)

    def means(self, accelerator: Any) -> dict[str, float]:
        """Mean loss over all processes: ``loss``, ``loss_key/...`` and ``loss_family/...``; without tokens, none."""
        table = torch.tensor(list(self.sums.values()), dtype=torch.float64)
        if accelerator.num_processes > 1:
            table = accelerator.reduce(table.to(accelerator.device), reduction="sum").cpu()
        rows = dict(zip(self.sums, table, strict=True))
        groups = {"loss": list(rows.values())}
        groups |= {f"loss_key/{key}": [row] for key, row in rows.items()}
        for key, family in self.families.items():
            groups.setdefault(f"loss_family/{family}", []).append(rows[key])
        totals = {name: torch.stack(parts).sum(0).tolist() for name, parts in groups.items()}
        return {name: loss / tokens for name, (loss, tokens) in totals.items() if tokens}

    def clear(self) -> None:
        """Begin anew."""
        self.sums = dict.fromkeys(self.sums, (0.0, 0))

    def state(self) -> dict[str, tuple[float, int]]:
        """What has to be kept to go on."""
        return dict(self.sums)

    def load(self, state: Mapping[str, Sequence[Any]]) -> None:
        """The inverse of :meth:`state`; keys that are not in it begin anew."""
        self.clear()
        self.sums |= {key: (float(loss), int(tokens)) for key, (loss, tokens) in state.items()}
