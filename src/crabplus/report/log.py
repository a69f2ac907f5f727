"""The log of a training run as series of numbers."""

import json
import logging
from pathlib import Path
from typing import Any

__all__ = ["MEAN", "Series", "evaluations", "losses", "read_log", "short"]

logger = logging.getLogger(__name__)

Points = list[tuple[int, float]]
Series = dict[str, Points]
"""By name, (step, value), steps ascending."""

MEAN = "eval_mean_relative"
_NO_SCORES = ("eval_unparsable", "eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second",
              "eval_model_preparation_time")  # fmt: skip
"""What the trainer logs of an evaluation beside scores."""


def read_log(path: str | Path) -> Series:
    """Every number of a training log by its name, as (step, value), steps ascending.

    A resumed run repeats steps: of one step and name the later line counts. The last line of a killed run may be cut
    and is passed over; another unreadable line, too, with a warning that names it.

    Raises:
        ValueError: no number in the file; names it.
        OSError: the file cannot be read.
    """
    found: dict[str, dict[int, float]] = {}
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            if number < len(lines):
                logger.warning("%s, line %d is no record of a step and is passed over", path, number)
            continue
        for name, value in record.items():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(name, {})[record["step"]] = float(value)
    if not found:
        raise ValueError(f"{path}: no step is logged in it; the run has not got as far as its first log")
    return {name: sorted(values.items()) for name, values in found.items()}


def _record(line: str) -> dict[str, Any] | None:
    """The line as an object with a step; None where it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and type(record.get("step")) is int else None


def losses(series: Series) -> Series:
    """Training losses: of all, of each family and of each key, and that of evaluation."""
    groups = (lambda name: name == "loss", lambda name: name.startswith("loss_family/"),
              lambda name: name.startswith("loss_key/"), lambda name: name == "eval_loss")  # fmt: skip
    return {name: points for group in groups for name, points in sorted(series.items()) if group(name)}


def evaluations(series: Series) -> Series:
    """Scores, the mean over the keys first."""
    names = sorted(name for name in series if name.startswith("eval_") and name not in (*_NO_SCORES, MEAN))
    return {name: series[name] for name in (MEAN, *names) if name in series}


def short(name: str) -> str:
    """The task key or family in the name of a series."""
    return name.removeprefix("loss_key/").removeprefix("loss_family/").removeprefix("eval_")
