"""Folders of runs as training and prediction leave them, written by hand: who knows what they hold knows the scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from crabplus.datasets.avuie import write
from crabplus.schema import Answer, ChoiceAnswer, Event, EventsAnswer, Prediction, Sample, TextAnswer, to_json

OPTIONS = {"a2v": ("one", "two"), "v2a": ("one", "two"), "avqa_thu": ("a", "b", "c", "d")}
RIGHT: dict[str, Answer] = {
    "a2v": ChoiceAnswer(0), "v2a": ChoiceAnswer(0), "avqa_thu": ChoiceAnswer(2), "avqa": TextAnswer("left"),
    "ave": EventsAnswer((Event("dog", 2, 6),)),
}  # fmt: skip
WRONG: dict[str, Answer] = {
    "a2v": ChoiceAnswer(1), "v2a": ChoiceAnswer(1), "avqa_thu": ChoiceAnswer(0), "avqa": TextAnswer("right"),
    "ave": EventsAnswer((Event("cat", 0, 10),)),
}  # fmt: skip
Said = Sequence[bool | Answer | None]
"""What is answered sample by sample: rightly, wrongly, this, or nothing that can be read."""


def write_truth(data: Path, count: int, *keys: str) -> Path:
    """An index of ``count`` samples for each key, without media."""
    for key in keys:
        samples = [
            Sample(f"{key}-{n}", "made", key, "test", question="?", options=OPTIONS.get(key, ()), answer=RIGHT[key])
            for n in range(count)
        ]
        write(data, key, "test", samples)
    return data


def first(right: int, count: int) -> Said:
    """The first so many answers are right."""
    return [n < right for n in range(count)]


def predictions(said: Mapping[str, Said]) -> list[Prediction]:
    """In the order of the truth."""
    made = []
    for key, answers in said.items():
        for n, answer in enumerate(answers):
            given = (RIGHT if answer else WRONG)[key] if isinstance(answer, bool) else answer
            made.append(Prediction(f"{key}-{n}", key, "text", given, reason=None if given else "no tag"))
    return made


def write_run(
    folder: Path, data: Path, method: str, said: Mapping[str, Said], seed: int = 0, **cell: Any
) -> Path:  # fmt: skip
    """A run of a suite; ``cell`` changes its cell.json."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"suite": "s", "method": method, "keys": list(said), "seed": seed, "reasoning": "on", "status": "done",
               "reason": None, "split": "test", "data": str(data), **cell}  # fmt: skip
    (folder / "cell.json").write_text(json.dumps(content), encoding="utf-8")
    lines = "".join(f"{to_json(made)}\n" for made in predictions(said))
    (folder / "predictions.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_training(folder: Path, kind: str, data: Path, keys: Mapping[str, int], seed: int = 0, model: str = "tiny",
                   **more: Any) -> Path:  # fmt: skip
    """What training leaves: settings, facts and the step; ``keys`` with the samples of each in an epoch of 10 steps."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"out": str(folder), "model": model, "seed": seed, "adapter": {"kind": kind},
              "data": {"folder": str(data), "split": "train", "keys": {key: {} for key in keys}, **more}}  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    total = sum(keys.values())
    told = {
        "command": "crabplus train some.yaml", "adapter": {"kind": kind, "parameters": 1000 + len(keys)},
        "data": {"batch": total // 10, "keys": {key: {"draws": n, "share": n / total} for key, n in keys.items()}},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "final").mkdir(exist_ok=True)
    (folder / "final" / "training.json").write_text(json.dumps({"step": 20, "of": 20}), encoding="utf-8")
    return folder


def write_suite(root: Path, count: int, alone: Mapping[str, Sequence[int]], together: Mapping[str, Any]) -> Path:
    """A suite from numbers of right answers; gives the folder of its runs.

    Args:
        alone: of each key, for each seed. together: of each method, the same.
    """
    data, runs = write_truth(root / "data", count, *alone), root / "runs"
    for key, rights in alone.items():
        for seed, right in enumerate(rights):
            write_run(runs / "lora" / key / f"seed{seed}", data, "lora", {key: first(right, count)}, seed)
    for method, of in together.items():
        for seed in range(len(next(iter(of.values())))):
            said = {key: first(rights[seed], count) for key, rights in of.items()}
            write_run(runs / method / "all" / f"seed{seed}", data, method, said, seed)
    return runs
