"""One key under one method: trained alone against trained with others, with what chance could have made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crabplus.analysis.runs import Run
from crabplus.analysis.scores import FloatArray, Judged, Truth
from crabplus.metrics.bootstrap import ends, is_clear
from crabplus.tasks import get_task
from crabplus.tasks.summaries import summary_of

__all__ = ["ZERO", "Cell", "Compared", "Side", "compare_sides"]

ZERO = 1e-9
"""Numbers this near are equal: scores of the same answers may differ by as much through rounding."""
Ends = tuple[float, float]
Effort = tuple[int | None, int | None]


@dataclass(frozen=True)
class Cell:
    """What the report says of a key under a method, over the seeds that both sides have.

    Attributes:
        asks: what the key asks for, in a few words. n: samples; seeds: of the runs that are compared.
        single, multi: mean score over these seeds; ``_by_seed``: each of them.
        constant, perfect: score of the best constant answer, and of the true answers.
        change: multi - single, with its 95 % interval over samples and seeds, and over samples alone.
        relative: change / single, None where single is zero; its interval is None where single is zero in a draw.
        resolution: a change below it is a tie.
        outcome: ``positive``, ``negative`` or ``tie``; significant: whether the interval
            excludes 0 (never of a tie, nor of a few samples).
        ceiling: whether single leaves no room; counted: whether the key counts as positive transfer.
        unanswered: samples without a readable answer over all seeds, single and multi.
        seen, steps: samples of the key that were learned from, and steps of training, single and multi, mean over
            seeds; None where that is not known.
    """

    key: str
    family: str
    asks: str
    method: str
    metric: str
    n: int
    seeds: tuple[int, ...]
    single: float
    multi: float
    single_by_seed: tuple[float, ...]
    multi_by_seed: tuple[float, ...]
    constant: float
    perfect: float
    change: float
    change_ci95: Ends
    change_ci95_samples: Ends
    relative: float | None
    relative_ci95: Ends | None
    resolution: float
    outcome: str
    significant: bool
    ceiling: bool
    counted: bool
    unanswered: tuple[int, int]
    seen: Effort
    steps: Effort


@dataclass(frozen=True)
class Side:
    """Runs of S seeds, and how each does on the key."""

    runs: Sequence[Run]
    judged: Sequence[Judged]

    @property
    def scores(self) -> FloatArray:
        """(S,) scores."""
        return np.array([judged.score for judged in self.judged])

    @property
    def drawn(self) -> FloatArray:
        """(S, rounds) scores of drawn samples."""
        return np.array([judged.drawn for judged in self.judged])

    @property
    def unanswered(self) -> int:
        """Samples without a readable answer, over all seeds."""
        return sum(judged.unanswered for judged in self.judged)

    def seen(self, key: str) -> int | None:
        """Samples of the key that were learned from."""
        return _mean([(run.seen or {}).get(key) for run in self.runs])

    @property
    def steps(self) -> int | None:
        """Of training."""
        return _mean([run.steps for run in self.runs])


@dataclass(frozen=True)
class Compared:
    """A cell, with (rounds,) the change in each draw of samples and seeds."""

    cell: Cell
    drawn: FloatArray

    @property
    def counted(self) -> FloatArray:
        """(rounds,) 1 where the key would count as positive transfer, else 0."""
        return ((self.drawn >= self.cell.resolution - ZERO) & (not self.cell.ceiling)).astype(np.float64)


def compare_sides(
    key: str, method: str, truth: Truth, single: Side, multi: Side, ceiling: float, seed: int
) -> Compared:  # fmt: skip
    """Compare two sides of the same S seeds on a key; ``seed`` is that of the draws."""
    task, seeds, n = get_task(key), tuple(run.seed for run in single.runs), len(truth.samples)
    below, apart = single.drawn, multi.drawn - single.drawn
    picked = _picked(seeds, apart.shape[1], seed)
    base, drawn = (np.take_along_axis(values, picked, 0).mean(axis=0) for values in (below, apart))
    alone, change = float(single.scores.mean()), float((multi.scores - single.scores).mean())
    low, high = ends(drawn)
    resolution = task.highest / (n * len(seeds))
    outcome = "tie" if abs(change) < resolution - ZERO else "positive" if change > 0 else "negative"
    full = _is_full(alone, truth, task.highest, ceiling)
    cell = Cell(
        key=key, family=task.family, asks=summary_of(task), method=method, metric=task.metric, n=n, seeds=seeds,
        single=alone, multi=float(multi.scores.mean()), single_by_seed=tuple(single.scores.tolist()),
        multi_by_seed=tuple(multi.scores.tolist()), constant=truth.perfect.constant, perfect=truth.perfect.score,
        change=change, change_ci95=(low, high), change_ci95_samples=ends(apart.mean(axis=0)),
        relative=change / alone if alone > ZERO else None, resolution=resolution, outcome=outcome,
        relative_ci95=ends(drawn / base) if base.min() > ZERO else None, ceiling=full,
        significant=outcome != "tie" and is_clear((low, high), n, ZERO), counted=outcome == "positive" and not full,
        unanswered=(single.unanswered, multi.unanswered), seen=(single.seen(key), multi.seen(key)),
        steps=(single.steps, multi.steps),
    )  # fmt: skip
    return Compared(cell, drawn)


def _picked(seeds: Sequence[int], rounds: int, seed: int) -> NDArray[np.int64]:
    """(S, rounds) which seeds are drawn in each round: the same for all keys that have the same seeds."""
    generator = np.random.default_rng([seed, *seeds])
    return generator.integers(0, len(seeds), size=(len(seeds), rounds))


def _is_full(score: float, truth: Truth, highest: float, ceiling: float) -> bool:
    """Whether a score leaves no room: by itself where a metric ends at 1, else on the way from constant to perfect."""
    constant, perfect = truth.perfect.constant, truth.perfect.score
    if highest == 1.0:
        return score >= ceiling - ZERO
    return perfect > constant and (score - constant) / (perfect - constant) >= ceiling - ZERO


def _mean(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known)) if known and len(known) == len(values) else None
