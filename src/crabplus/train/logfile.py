"""What the trainer logs, line by line in a file of the run."""

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback


class LogFile(TrainerCallback):
    """Appends what the trainer logs to a file, a line of JSON each time, so that a killed run keeps its record.

    A run that goes on from a checkpoint writes the steps behind it again; the later line counts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")
