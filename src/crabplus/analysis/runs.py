"""Finished runs as they lie on disk: which keys were trained how, for how long, and what they answered. No torch."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from crabplus.evaluate import read_predictions
from crabplus.schema import Prediction, SchemaError

__all__ = ["CELL", "PREDICTIONS", "Run", "RunsError", "find_runs", "predictions_of", "read_run"]

CELL, CONFIG, RUN, PREDICTIONS = "cell.json", "config.yaml", "run.json", "predictions.jsonl"
SUITE = "suite.yaml"
STEP = Path("final") / "training.json"
SWITCH = {True: "on", False: "off"}  # which YAML makes of the bare words


class RunsError(ValueError):
    """Runs that cannot be read or compared; the message names the folder or file, and the remedy."""


@dataclass(frozen=True)
class Run:
    """One run; what nothing is known of is None.

    Attributes:
        folder: where it lies, as it was named. method: its column of the report, without what is said of reasoning.
        kind: of adapter. keys: that it was trained on. status: ``done``, or what else its suite says, with the reason.
        data, split: folder and split that it was asked about; samples: the first so many of each key, None: all.
        model: what the adapter sits on.
        steps: after which its weights are taken. parameters: that were trained.
        seen: samples of each key that it learned from, repeats included; batch: samples of a step; rate: of learning.
        created, versions: when it began, and with which packages.
        base: its model in a word, where that tells runs apart.
    """

    folder: str
    method: str
    kind: str
    keys: tuple[str, ...]
    seed: int
    reasoning: str
    status: str = "done"
    reason: str | None = None
    data: str | None = None
    split: str | None = None
    samples: int | None = None
    model: str | None = None
    command: str | None = None
    steps: int | None = None
    parameters: int | None = None
    seen: Mapping[str, int] | None = None
    batch: int | None = None
    rate: float | None = None
    created: str | None = None
    versions: Mapping[str, str] | None = None
    base: str | None = None

    @property
    def group(self) -> tuple[str | None, str]:
        """What it has in common with the runs that it is compared with."""
        return self.base, self.reasoning

    @property
    def single(self) -> bool:
        """Whether it was trained on one key alone."""
        return len(self.keys) == 1

    @property
    def column(self) -> str:
        """Method, reasoning and model in words."""
        words = {"on": "", "off": " without reasoning"}.get(self.reasoning, f" {self.reasoning} reasoning")
        made = self.method if words.strip() in self.method else self.method + words
        return f"{made}, {self.base}" if self.base else made

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "keys": list(self.keys)}


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The folders of runs that are these folders or lie in them at any depth, each once.

    Raises:
        RunsError: no such folder, or no run in it.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise RunsError(f"{path}: no such folder; name folders of runs, or folders in which runs lie")
        here = list(_below(path))
        if not here:
            raise RunsError(f"{path}: no run in it; a run is a folder that 'crabplus train' wrote, with {PREDICTIONS}")
        for folder in here:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _below(path: Path) -> Iterable[Path]:
    for folder, inner, files in os.walk(path):
        inner.sort()
        trained = CONFIG in files and (RUN in files or "log.jsonl" in files)
        if trained or CELL in files or PREDICTIONS in files:
            inner.clear()  # what a run holds is its own
            yield Path(folder)


def read_run(folder: Path) -> Run:
    """What a run says about itself; its suite (``cell.json``) first, then its settings.

    Raises:
        RunsError: a damaged file, or neither of the two; names it.
    """
    cell, config = _json(folder / CELL) or _begun(folder), _config(folder / CONFIG)
    told = _json(folder / RUN)
    if not cell and not config:
        raise RunsError(
            f"{folder}: {PREDICTIONS} without {CELL} or {CONFIG} beside it, so nothing tells which run answered; put "
            "the file into the folder of its run"
        )
    data, kind = config.get("data") or {}, (config.get("adapter") or {}).get("kind", "ilora" if config else None)
    keys = cell.get("keys") or list(data.get("keys") or ())
    reasoning = cell.get("reasoning", data.get("reasoning", "on"))
    made = Run(
        folder=folder.as_posix(), method=str(cell.get("method") or kind), kind=str(kind or cell.get("method")),
        keys=tuple(map(str, keys)), seed=_seed(cell, config, folder), reasoning=SWITCH.get(reasoning, reasoning),
        status=cell.get("status", "done"), reason=cell.get("reason"), data=cell.get("data") or data.get("folder"),
        split=cell.get("split"), samples=cell.get("samples"), model=config.get("model"), command=told.get("command"),
        rate=(config.get("arguments") or {}).get("learning_rate"), created=told.get("created"),
        versions=told.get("versions"), **_effort(folder, told),
    )  # fmt: skip
    if not made.keys:
        raise RunsError(f"{folder}: neither {CELL} nor {CONFIG} names the keys that it was trained on")
    return made


def _begun(folder: Path) -> dict[str, Any]:
    """What is known of a cell that its suite has not ended yet; nothing of a run that is no cell."""
    around = folder.resolve().parents
    if len(around) < 4 or not (around[3] / SUITE).is_file():
        return {}
    reason = "'crabplus transfer run' goes on with its suite"
    return {"method": around[1].name, "status": "not finished", "reason": reason}


def _seed(cell: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> int:
    seed = cell.get("seed", config.get("seed", 0))
    if not isinstance(seed, int):
        raise RunsError(f"{folder}: seed: a whole number wanted, got {seed!r}")
    return seed


def _effort(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Steps, trained parameters and samples of each key, as far as they are known."""
    data = told.get("data") or {}
    steps, batch = _json(folder / STEP).get("step"), data.get("batch")
    shares = {key: (known or {}).get("share") for key, known in (data.get("keys") or {}).items()}
    seen = {key: round(steps * batch * share) for key, share in shares.items() if steps and batch and share}
    parameters = (told.get("adapter") or {}).get("parameters")
    return {"steps": steps, "parameters": parameters, "seen": seen or None, "batch": batch}


def _json(path: Path) -> dict[str, Any]:
    return _mapping(path, json.loads)


def _config(path: Path) -> dict[str, Any]:
    return _mapping(path, yaml.safe_load)


def _mapping(path: Path, load: Any) -> dict[str, Any]:
    """The content of a file; nothing where it is not there."""
    if not path.is_file():
        return {}
    try:
        content = load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise RunsError(f"{path} is damaged ({' '.join(str(error).split())}); make the run anew") from error
    if not isinstance(content, dict):
        raise RunsError(f"{path} is damaged: settings by name wanted, got {type(content).__name__}; make the run anew")
    return content


def predictions_of(run: Run) -> dict[str, list[Prediction]] | str:
    """What a run answered, by key; in words why nothing can be said of it."""
    path = Path(run.folder) / PREDICTIONS
    if run.status != "done":
        return f"the run {'failed' if run.status == 'failed' else f'is {run.status}'}: {run.reason or 'no reason told'}"
    if not path.is_file():
        return f"no {PREDICTIONS}; make it with: {_predict(run)}"
    said: dict[str, list[Prediction]] = {}
    try:
        for prediction in read_predictions(path):
            said.setdefault(prediction.task, []).append(prediction)
    except SchemaError as error:
        return f"{error}; remove the file and make it anew with: {_predict(run)}"
    return said


def _predict(run: Run) -> str:
    """The command that makes the predictions of a run."""
    model = [] if run.model in (None, "tiny") else ["--model", str(run.model)]
    words = [
        "crabplus", "predict", *model, "--adapter", f"{run.folder}/final", "--data", run.data or "DATA", "--keys",
        ",".join(run.keys), "--split", run.split or "test", "--out", f"{run.folder}/{PREDICTIONS}",
    ]  # fmt: skip
    return shlex.join(words)
