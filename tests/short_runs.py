"""Short runs of the tiny model on a small folder of Tidepool clips, for the tests of training."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from crabplus.config import TrainConfig, make_config

KEYS = ("ave", "avqa", "arig")


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class StopAt(TrainerCallback):
    """Ends a run in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise Interrupted


def settings(out: Path, clips: Path, **changes: Any) -> TrainConfig:
    """A run of a few steps on the CPU; ``arguments`` and ``adapter`` are added to, the rest replaced."""
    arguments = {
        "max_steps": 8, "per_device_train_batch_size": 4, "learning_rate": 1e-3, "logging_steps": 1, "save_steps": 4,
        "dataloader_num_workers": 0, "report_to": "none", **changes.pop("arguments", {}),
    }  # fmt: skip
    if torch.accelerator.is_available():  # without one nothing need be said
        arguments["use_cpu"] = True
    adapter = changes.pop("adapter", {})
    if adapter != {"kind": "none"}:
        adapter = {"r": 4, "alpha": 8, "targets": "as-published", **adapter}
    content = {
        "out": str(out), "dtype": "float32", "data": {"folder": str(clips), "keys": list(KEYS)},
        "adapter": adapter, "arguments": arguments, **changes,
    }  # fmt: skip
    return make_config(content)


def quiet(items: Any, heading: str, total: int) -> Any:
    """No progress."""
    return items


def losses(run: Path) -> dict[int, dict[str, float]]:
    """What was logged of each step but the times; each step stands there once."""
    found: dict[int, dict[str, float]] = {}
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "loss" in row:
            assert row["step"] not in found
            found[row["step"]] = {name: row[name] for name in row if name.startswith(("loss", "grad_norm", "learning"))}
    return found
