"""One cell of a suite: it is trained and asked, and goes on where it was interrupted, to the same answers."""

import copy
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from crabplus.analysis.runs import PREDICTIONS
from crabplus.analysis.suite import SuiteCell
from crabplus.analysis.suite_check import asked_of, refuse
from crabplus.config import TrainConfig
from crabplus.data import WithSource
from crabplus.generate import load_adapter, predict
from crabplus.loading import origin_of
from crabplus.models import load_model
from crabplus.schema import Sample, to_json
from crabplus.train import Plan, check, source_of, train
from crabplus.whole import write_lines

__all__ = ["Bases", "Tell", "run_cell"]

Tell = Callable[[str], None]
"""Takes a few words on what a cell is at."""
_EVERY = 60.0  # seconds between two words on the steps


class Bases:
    """Bases that cells start from. Each is read once; every cell gets a copy, so that none finds traces of another."""

    def __init__(self) -> None:
        self._read: dict[tuple[Any, ...], Any] = {}

    def copy(self, config: TrainConfig, size: tuple[int, int]) -> Any:
        """The base of a config, for pictures of ``size`` pixels, as if it had just been loaded."""
        key = (config.model, size, config.dtype, config.attention)
        if key not in self._read:
            self._read[key] = load_model(config.model, size, dtype=config.dtype, attention=config.attention)
        model = copy.copy(self._read[key])
        model.thinker = copy.deepcopy(model.thinker)
        return model


def run_cell(cell: SuiteCell, bases: Bases, tell: Tell) -> dict[str, float]:
    """Train a cell and ask it; leaves ``final``, ``predictions.jsonl`` and ``cell.json`` in its folder.

    Returns:
        Seconds of ``training`` and of ``asking`` in this process.

    Raises:
        ValueError, OSError: settings, data or media that cannot be; what was done is kept.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(cell.threads)
    try:
        begun = time.monotonic()
        plan = check(cell.config)
        asked = {key: asked_of(cell, key) for key in cell.keys}
        final = cell.folder / "final"
        if not final.is_dir():
            train(plan, model=bases.copy(cell.config, plan.pack.size), callbacks=[_Words(tell)])
        trained = time.monotonic()
        _answer(cell, plan, final, asked, bases, tell)
        shutil.rmtree(cell.folder / "checkpoints", ignore_errors=True)
        seconds = {"training": round(trained - begun, 1), "asking": round(time.monotonic() - trained, 1)}
    finally:
        torch.set_num_threads(threads)
    cell.record("done", None, seconds=seconds)
    return seconds


def _answer(
    cell: SuiteCell, plan: Plan, final: Path, asked: dict[str, Sequence[Sample]], bases: Bases, tell: Tell
) -> None:  # fmt: skip
    """Ask what has not been asked: key by key, each in the same batches and written whole, whoever does it and when."""
    folder = cell.folder / f"asked-{cell.mark}"
    model: Any = None
    for key, samples in asked.items():
        part = folder / f"{key}.jsonl"
        if part.is_file():
            continue
        tell(f"asking {key}")
        model = model or _trained(cell, plan, final, bases)
        reasoning = cell.config.data.reasoning != "off"
        said = predict(
            model, WithSource(samples, source_of(cell.config)), plan.pack, cell.ask.batch_size,
            _origin(cell.config, final), reasoning=reasoning, longest_first=True,
        )  # fmt: skip
        found = {one.id: one for one in said}
        if cell.config.data.unreadable == "stop":
            refuse(key, {name: one.error for name, one in found.items()})
        write_lines(part, (to_json(found[sample.id]) for sample in samples))
    texts = [(folder / f"{key}.jsonl").read_text(encoding="utf-8") for key in asked]
    write_lines(cell.folder / PREDICTIONS, (line for text in texts for line in text.splitlines()))
    shutil.rmtree(folder)


def _trained(cell: SuiteCell, plan: Plan, final: Path, bases: Bases) -> Any:
    """The model with what was saved of its training, however long ago that was."""
    config = cell.config
    if not _is_adapter(final):
        model = load_model(final, plan.pack.size, dtype=config.dtype, attention=config.attention)
    else:
        model = load_adapter(bases.copy(config, plan.pack.size), final)
    model.thinker.to(plan.arguments.device)
    if config.encoded:
        model.keep_outputs(config.encoded.folder, int(config.encoded.gib * 2**30))
    return model


def _origin(config: TrainConfig, final: Path) -> dict[str, str]:
    """Which model answers, as predictions record it."""
    return origin_of(config.model, final) if _is_adapter(final) else origin_of(final, "none")


def _is_adapter(final: Path) -> bool:
    return (final / "adapter_config.json").is_file()


class _Words(TrainerCallback):
    """Tells now and then which step it is."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._told = tell, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if time.monotonic() > self._told + _EVERY:
            self._told = time.monotonic()
            self._tell(f"step {state.global_step} of {state.max_steps}")
