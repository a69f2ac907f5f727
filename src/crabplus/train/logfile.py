"""What the trainer logs, line by line in a file of the run."""

import json
from math import inf
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from crabplus.whole import write_whole


class LogFile(TrainerCallback):
    """Appends what the trainer logs to a file, a line of JSON each time, so that a killed run keeps its record.

    A run that goes on from a checkpoint writes the steps behind it again, and leaves out what was logged of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if state.is_world_process_zero and self.path.exists():
            kept = [line for line in self.path.read_bytes().splitlines() if _step(line) <= state.global_step]
            write_whole(self.path, b"".join(line + b"\n" for line in kept))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if state.is_world_process_zero:
            with self.path.open("ab") as file:
                file.write(json.dumps({"step": state.global_step, **(logs or {})}).encode() + b"\n")


def _step(line: bytes) -> float:
    """The step of a line; of one that a kill cut, none that any run reaches."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return inf
