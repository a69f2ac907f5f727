"""What the trainer logs, line by line in a file of the run."""

import json
import os
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
            with self.path.open("ab+") as file:
                file.write(self._end(file) + json.dumps({"step": state.global_step, **(logs or {})}).encode() + b"\n")

    def _end(self, file: Any) -> bytes:
        """What ends the last line, if a kill cut it."""
        if not file.tell():
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"
