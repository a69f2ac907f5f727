"""The bar of a training run, in place of the trainer's own. It needs transformers: import it inside the command."""

from collections.abc import Mapping
from typing import Any

from rich import get_console
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback

__all__ = ["RichProgress"]

_FIGURES = {
    "loss": "loss {:.3f}", "learning_rate": "learning rate {:.2e}", "samples_per_second": "{:.1f} samples/s"
}  # fmt: skip
_UNSAID = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_model_preparation_time"}
_MEAN = "eval_mean_relative"
_MEMORY = 600.0
"""Seconds over which the speed behind the remaining time is taken: a step of a large model takes half a minute."""


class RichProgress(TrainerCallback):
    """One bar over the steps with loss, learning rate, samples per second and the time that remains.

    An evaluation is a line above the bar. Where the output is no terminal there is no bar, but a line for each log.
    Only the world's first process shows anything. The trainer brings a bar or printer of its own; take it away with
    ``trainer.remove_callback(ProgressCallback)`` (``PrinterCallback`` with ``disable_tqdm``).

    An exception in training reaches no callback: call :meth:`stop` in a ``finally``. A second training, too, stops what
    the first left.
    """

    def __init__(self, console: Console | None = None) -> None:
        """``console``: where to write; None for Rich's own, as the other commands."""
        self._console = console or get_console()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def stop(self) -> None:
        """Leave the bar as it stands and give the terminal back; without a bar nothing happens."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        self.stop()
        if state.is_world_process_zero and self._console.is_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task("training", total=state.max_steps, completed=state.global_step, figures="")
            self._bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if self._bar:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if not state.is_world_process_zero or not logs:
            return
        figures, scores = _figures(logs), _scores(logs)
        if self._bar and figures:
            self._bar.update(self._task, figures=figures)
        lines = [scores and f"evaluation: {scores}"]
        if not self._bar:
            lines.append(figures or ("" if scores else _all(logs)))
        for line in filter(None, lines):
            self._say(f"step {state.global_step}/{state.max_steps}: {line}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        self.stop()

    def _say(self, line: str) -> None:
        """A line, above the bar if there is one; on a terminal it may wrap, in a file it stays whole."""
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=not self._bar)


def _bar(console: Console) -> Progress:
    """The bar of ``track`` with figures behind it; not started."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )  # fmt: skip
    return Progress(*columns, console=console, speed_estimate_period=_MEMORY)


def _figures(logs: Mapping[str, Any]) -> str:
    return ", ".join(form.format(logs[name]) for name, form in _FIGURES.items() if name in logs)


def _scores(logs: Mapping[str, Any]) -> str:
    """What an evaluation found, the mean first; its own running time is left unsaid."""
    found = {name: value for name, value in logs.items() if name.startswith("eval_") and name not in _UNSAID}
    names = sorted(found, key=lambda name: name != _MEAN)
    said = {"mean relative" if name == _MEAN else name.removeprefix("eval_"): found[name] for name in names}
    return _all(said, "{:.3f}")


def _all(logs: Mapping[str, Any], form: str = "{:.4g}") -> str:
    """Every number by its name."""
    numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {form.format(value)}" for name, value in numbers.items())
