"""The bar of a training run, on a recorded console with a made-up trainer state."""

from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from crabplus.cli.progress import RichProgress

LOGS = {"loss": 1.23456, "learning_rate": 1e-4, "samples_per_second": 3.21, "epoch": 0.5}
SCORES = {"eval_avqa_thu": 0.5, "eval_mean_relative": 0.75, "eval_runtime": 3.0}


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=120, record=True, _environ={}, color_system=None)


def train(shown: RichProgress, first: bool = True, start: int = 0, end: bool = True, **logs: Any) -> None:
    """What the trainer would call: two steps, each with a log, and the scores between them."""
    state = SimpleNamespace(is_world_process_zero=first, max_steps=start + 2, global_step=start)
    shown.on_train_begin(None, state, None)
    for last in (False, True):
        state.global_step += 1
        shown.on_step_end(None, state, None)
        shown.on_log(None, state, None, logs={**LOGS, **logs})
        if not last:
            shown.on_log(None, state, None, logs=SCORES)
    if end:
        shown.on_log(None, state, None, logs={"train_runtime": 12.5})
        shown.on_train_end(None, state, None)


def test_without_a_terminal_every_log_is_a_line() -> None:
    out = console(terminal=False)
    train(RichProgress(out))
    assert out.export_text().splitlines() == [
        "step 1/2: loss 1.235, learning rate 1.00e-04, 3.2 samples/s",
        "step 1/2: evaluation: mean relative 0.750, avqa_thu 0.500",
        "step 2/2: loss 1.235, learning rate 1.00e-04, 3.2 samples/s",
        "step 2/2: train_runtime 12.5",
    ]


def test_long_lines_stay_whole_in_a_file() -> None:
    out = console(terminal=False)
    RichProgress(out).on_log(
        None, SimpleNamespace(is_world_process_zero=True, max_steps=9, global_step=1), None,
        logs={f"eval_[bold]key_number_{i}": i / 40 for i in range(40)},
    )  # fmt: skip
    (line,) = out.export_text().splitlines()
    assert len(line) > 800 and "[bold]key_number_39 0.975" in line


def test_on_a_terminal_there_is_a_bar_with_scores_above_it() -> None:
    out = console(terminal=True)
    train(RichProgress(out), start=5)
    text = out.export_text()
    lines = text.splitlines()
    assert text.count("step 6/7: evaluation: mean relative 0.750, avqa_thu 0.500\n") == 1
    assert lines[-1].startswith("training ") and "━" in lines[-1] and " 7/7 " in lines[-1]
    assert "loss 1.235, learning rate 1.00e-04, 3.2 samples/s" in lines[-1]
    assert "7: loss" not in text and "train_runtime" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_other_processes_are_silent(terminal: bool) -> None:
    out = console(terminal)
    train(RichProgress(out), first=False)
    assert out.export_text() == ""


def test_a_second_training_stops_the_bar_of_one_that_broke() -> None:
    out = console(terminal=True)
    shown = RichProgress(out)
    train(shown, end=False)
    broken = shown._bar
    assert broken and broken.live.is_started
    train(shown, start=3)
    assert not broken.live.is_started and shown._bar is None
    assert " 5/5 " in out.export_text().splitlines()[-1]
    shown.stop()
    train(shown, end=False)
    bar = shown._bar
    shown.stop()
    assert bar and not bar.live.is_started
