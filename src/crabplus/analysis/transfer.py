"""Does training tasks together help them? Single-task runs against multi-task runs, from what they answered alone."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crabplus.analysis.cells import Cell, Compared, Side, compare_sides
from crabplus.analysis.pairing import Lack, Pairing, pair
from crabplus.analysis.runs import Run, RunsError, find_runs, read_run
from crabplus.analysis.scores import Bench, Judged
from crabplus.metrics.bootstrap import ends
from crabplus.whole import write_whole

__all__ = ["Settings", "compare", "write_transfer"]

UNEVEN = 0.01
"""Samples of a key may differ by this share between two runs that learned from as many."""
ASKED_ALIKE = ("pack", "decoding", "max_new_tokens", "constrained", "dtype")
"""What predictions record of how they were made, and what compared ones should have in common."""
Track = Callable[[Iterable[Any], str, int], Iterable[Any]]


@dataclass(frozen=True)
class Settings:
    """Of the comparison.

    Attributes:
        data, split: where the truth is; None: where the runs say, and ``test`` where they say no split.
        samples: of each key, the first so many; None: as many as the runs say that they were asked, or all.
        baseline: method of the single-task runs, or kind of their adapter.
        ceiling: a key whose single-task score is at least this is not counted as positive.
        rounds, seed: draws of the bootstrap.
    """

    data: str | None = None
    split: str | None = None
    samples: int | None = None
    baseline: str = "lora"
    ceiling: float = 0.98
    rounds: int = 1000
    seed: int = 0


def compare(paths: Iterable[Path], settings: Settings, track: Track | None = None) -> dict[str, Any]:
    """Everything that ``transfer.json`` holds, as plain values.

    Args:
        paths: folders of runs, or folders in which runs lie. track: takes the cells, a heading and their number, and
            gives the cells, such as with a bar of progress.

    Raises:
        RunsError: nothing to compare, or runs that do not belong together; names folder and remedy.
        SchemaError, EvaluationError, FileNotFoundError: damaged predictions, or truth that is damaged or not there.
    """
    runs = [read_run(folder) for folder in find_runs(paths)]
    pairing = pair(runs, settings.baseline)
    settings = _with_truth(pairing.used, settings)
    bench = Bench(
        Path(settings.data or ""), settings.split or "", settings.samples, settings.rounds, settings.seed
    )  # fmt: skip
    places = [(method, key) for method in pairing.methods for key in pairing.keys_of(method)]
    lacks, made = dict.fromkeys(pairing.unmatched()), list[Compared]()
    for method, key in track(places, "comparing", len(places)) if track else places:
        sides = _sides(bench, pairing, method, key, lacks)
        if sides:
            made.append(compare_sides(key, method, bench.truth(key), *sides, settings.ceiling, settings.seed))
    cells = [item.cell for item in made]
    return {
        "settings": asdict(settings),
        "methods": {name: _method([item for item in made if item.cell.method == name]) for name in pairing.methods},
        "trained": _trained(pairing),
        "cells": [asdict(cell) for cell in cells],
        "missing": [lack._asdict() for lack in lacks],
        "notes": [*pairing.notes, *_notes(bench, pairing, cells)],
        "runs": [asdict(run) for run in runs],
    }


def write_transfer(path: Path, made: dict[str, Any]) -> None:
    """Write ``transfer.json``, whole or not at all."""
    write_whole(path, (json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def _with_truth(runs: Sequence[Run], settings: Settings) -> Settings:
    """With folder and split of the truth, on which all runs have to agree, and with samples that all were asked."""
    numbers = [run.samples for run in runs if run.samples]
    found: dict[str, Any] = {"samples": settings.samples or min(numbers, default=None)}
    for name, given, default in (("data", settings.data, None), ("split", settings.split, "test")):
        told = [given] if given else list(dict.fromkeys(getattr(run, name) or default for run in runs))
        if len(told) > 1 or told[0] is None:
            which = " and ".join(map(str, told)) if len(told) > 1 else "nothing"
            raise RunsError(f"the runs name {which} as their {name}; name the one that all were asked about: --{name}")
        found[name] = told[0]
    if not Path(found["data"]).is_dir():
        raise RunsError(f"{found['data']}: no such data folder; name the one that the runs were asked about: --data")
    return replace(settings, **found)


def _sides(
    bench: Bench, pairing: Pairing, method: str, key: str, lacks: dict[Lack, None]
) -> tuple[Side, Side] | None:  # fmt: skip
    """Both sides over the seeds that both have; what a seed lacks is added to ``lacks``."""
    both: list[tuple[tuple[Run, Judged], tuple[Run, Judged]]] = []
    for seed in pairing.seeds_of(method):
        single, multi = (_judge(bench, found, key) for found in pairing.sides(method, key, seed))
        lacks.update(dict.fromkeys(side for side in (single, multi) if isinstance(side, Lack)))
        if not isinstance(single, Lack) and not isinstance(multi, Lack):
            both.append((single, multi))
    if not both:
        return None
    singles, multis = zip(*both, strict=True)
    return Side(*zip(*singles, strict=True)), Side(*zip(*multis, strict=True))


def _judge(bench: Bench, found: Run | Lack, key: str) -> tuple[Run, Judged] | Lack:
    if isinstance(found, Lack):
        return found
    judged = bench.judge(found, key)
    if isinstance(judged, Judged):
        return found, judged
    return Lack(key, found.column, found.seed, "single-task" if found.single else "multi-task", judged, found.folder)


def _method(made: Sequence[Compared]) -> dict[str, Any]:
    """What is said of a method over all keys that were compared."""
    cells, n = [item.cell for item in made], len(made)
    room = sum(not cell.ceiling for cell in cells)
    counted = np.sum([item.counted for item in made], axis=0) if made else np.zeros(1)
    positive = sum(cell.counted for cell in cells)
    relative = [cell.relative for cell in cells if cell.relative is not None]
    return {
        "keys": n, "positive": positive, "share": positive / n if n else None,
        "share_ci95": ends(counted / n) if n else None,
        "could_improve": room, "share_of_could_improve": positive / room if room else None,
        "share_of_could_improve_ci95": ends(counted / room) if room else None,
        "positive_significant": [cell.key for cell in cells if cell.counted and cell.significant],
        "negative": [cell.key for cell in cells if cell.outcome == "negative"],
        "negative_significant": [cell.key for cell in cells if cell.outcome == "negative" and cell.significant],
        "ties": [cell.key for cell in cells if cell.outcome == "tie"],
        "ceiling": [cell.key for cell in cells if cell.ceiling],
        "zero_baseline": [cell.key for cell in cells if cell.relative is None],
        "median_relative": float(np.median(relative)) if relative else None,
        "mean_change": float(np.mean([cell.change for cell in cells])) if cells else None,
    }  # fmt: skip


def _trained(pairing: Pairing) -> list[dict[str, Any]]:
    """What was trained under each method and in its baseline: values that the runs do not share stand beside others."""
    rows = []
    baselines = {pairing.baseline_of(method): pairing.singles_of(method) for method in pairing.methods}
    for kind, groups in (("single-task", baselines), ("multi-task", pairing.methods)):
        for name, runs in groups.items():
            rows.append({
                "method": name, "kind": kind, "runs": len(runs), "done": sum(run.status == "done" for run in runs),
                "adapters": _values(run.kind for run in runs), "seeds": _values(run.seed for run in runs),
                "keys": max((len(run.keys) for run in runs), default=0),
                "parameters": _values(run.parameters for run in runs), "steps": _values(run.steps for run in runs),
                "seen": _values(count for run in runs for count in (run.seen or {}).values()),
                "batches": _values(run.batch for run in runs), "rates": _values(run.rate for run in runs),
                "models": _values(run.model for run in runs),
            })  # fmt: skip
    return rows


def _values(values: Iterable[Any]) -> list[Any]:
    """Those that are known, each once, in order."""
    return sorted({value for value in values if value is not None})


def _notes(bench: Bench, pairing: Pairing, cells: Sequence[Cell]) -> list[str]:
    """What makes a comparison less than fair, or was left out of it."""
    notes = []
    for method, runs in pairing.methods.items():
        models = _values(run.model for run in [*pairing.singles_of(method), *runs])
        if len(models) > 1:
            notes.append(f"{method}: it and its single-task runs start from different models: {', '.join(models)}")
    for run in pairing.used:
        said = bench.answered(run)
        extra = [key for key in said if key not in run.keys] if not isinstance(said, str) else []
        if extra:
            notes.append(f"{run.folder} also answered {', '.join(extra)}, which it was not trained on; left out")
        notes += _not_asked(bench, run)
    return [*notes, *_learned_otherwise(cells), *_asked_otherwise(bench, pairing)]


def _learned_otherwise(cells: Sequence[Cell]) -> list[str]:
    """Keys of which a method learned from more or fewer samples than the runs on the key alone."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for cell in cells:
        alone, together = cell.seen
        if alone and together and abs(together / alone - 1) > UNEVEN:
            found.setdefault((cell.method, alone, together), []).append(cell.key)
    return [
        f"{method}: learned from {alone:,} samples of a key alone and {together:,} together, with repeats: "
        f"{', '.join(keys)}"
        for (method, alone, together), keys in found.items()
    ]


def _not_asked(bench: Bench, run: Run) -> Iterator[str]:
    """Samples that a run could not be asked about, for want of their media."""
    for key in run.keys:
        judged = bench.judge(run, key)
        if isinstance(judged, Judged) and judged.errors:
            name, why = next(iter(judged.errors.items()))
            yield (
                f"{run.folder}, {key}: {len(judged.errors)} of {len(bench.truth(key).samples)} samples could not be "
                f"asked and count as wrong, such as {name!r} ({why}); mend the media and ask again"
            )


def _asked_otherwise(bench: Bench, pairing: Pairing) -> list[str]:
    """Settings of prediction in which a method and its baseline differ."""
    notes = []
    for method, runs in pairing.methods.items():
        asked = [_asked(bench, side) for side in (pairing.singles_of(method), runs)]
        for name in ASKED_ALIKE:
            alone, joint = (sorted(values.get(name, ())) for values in asked)
            if alone and joint and alone != joint:
                notes.append(
                    f"{method}: asked with {name} {', '.join(joint)}, single-task runs with {', '.join(alone)}"
                )
    return notes


def _asked(bench: Bench, runs: Sequence[Run]) -> dict[str, set[str]]:
    """Settings that predictions of these runs were made with."""
    values: dict[str, set[str]] = {}
    for run in runs:
        said = bench.answered(run)
        for prediction in (made for of in said.values() for made in of) if not isinstance(said, str) else ():
            for name in ASKED_ALIKE:
                if name in prediction.settings:
                    values.setdefault(name, set()).add(str(prediction.settings[name]))
    return values
