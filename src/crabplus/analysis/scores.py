"""What a run scores on a key, and what it would have scored had other samples been drawn; the same for all runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from crabplus.analysis.runs import Run, RunsError, predictions_of
from crabplus.datasets.avuie import open_index
from crabplus.evaluate import answer_of, evaluate, main_score, resampler
from crabplus.metrics.bootstrap import draws
from crabplus.schema import Prediction, Sample, Score
from crabplus.tasks import get_task

__all__ = ["Bench", "Judged", "Truth"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """The samples of a key.

    Attributes:
        known: the ids of all samples of the split, of which ``samples`` may be the first.
        perfect: what the true answers themselves score, with the best constant answer and all else that is known.
    """

    samples: Sequence[Sample]
    known: frozenset[str]
    perfect: Score


@dataclass(frozen=True)
class Judged:
    """A run on a key.

    Attributes:
        score: of all samples; drawn: (rounds,) scores of drawn samples. unanswered: samples without a readable answer.
        errors: those that could not even be asked, with the reasons.
    """

    score: float
    drawn: FloatArray
    unanswered: int
    errors: Mapping[str, str]


class Bench:
    """Judges runs on the same samples, and draws the same of them in each round.

    Args:
        data, split: where the truth is; samples: the first so many of each key, None: all.
        rounds, seed: of the draws.
    """

    def __init__(self, data: Path, split: str, samples: int | None, rounds: int, seed: int) -> None:
        self.data, self.split, self.samples, self.rounds, self.seed = data, split, samples, rounds, seed
        self._truth: dict[str, Truth] = {}
        self._said: dict[str, dict[str, list[Prediction]] | str] = {}
        self._judged: dict[tuple[str, str], Judged | str] = {}

    def truth(self, key: str) -> Truth:
        """The samples of a key.

        Raises:
            FileNotFoundError: there is no such index. EvaluationError: a sample without a true answer.
        """
        if key not in self._truth:
            split = list(open_index(self.data, key, self.split))
            samples = split[: self.samples]
            if not samples:
                raise RunsError(f"{self.data}: no sample of {key} in split {self.split}")
            said = [Prediction(sample.id, key, answer=sample.answer) for sample in samples]
            known = frozenset(sample.id for sample in split)
            self._truth[key] = Truth(samples, known, evaluate(samples, said, rounds=1)[key])
        return self._truth[key]

    def answered(self, run: Run) -> dict[str, list[Prediction]] | str:
        """The predictions of a run by key, or why there are none."""
        if run.folder not in self._said:
            self._said[run.folder] = predictions_of(run)
        return self._said[run.folder]

    def judge(self, run: Run, key: str) -> Judged | str:
        """How a run does on a key that it was trained on; in words why that is not known.

        Raises:
            RunsError: predictions of samples that are not in the data; names run and sample.
        """
        name = run.folder, key
        if name not in self._judged:
            self._judged[name] = self._judge(run, key)
        return self._judged[name]

    def _judge(self, run: Run, key: str) -> Judged | str:
        said = self.answered(run)
        if isinstance(said, str):
            return said
        if key not in said:
            return "no prediction of this key"
        samples, by_id = self.truth(key).samples, self._by_id(run, key, said[key])
        if isinstance(by_id, str):
            return by_id
        if lacking := [sample.id for sample in samples if sample.id not in by_id]:
            return f"{len(lacking)} of {len(samples)} samples have no prediction, such as {lacking[0]!r}"
        task = get_task(key)
        pairs = [(sample, answer_of(sample, by_id[sample.id])) for sample in samples]
        seed = self.seed * 2**32 + crc32(key.encode())  # keys are drawn apart, runs together
        drawn = draws(resampler(task, pairs), len(pairs), seed, self.rounds)
        asked = (by_id[sample.id] for sample in samples)
        errors = {made.id: made.error for made in asked if made.error is not None}
        return Judged(main_score(task, pairs), drawn, sum(answer is None for _, answer in pairs), errors)

    def _by_id(self, run: Run, key: str, said: Sequence[Prediction]) -> dict[str, Prediction] | str:
        """The predictions by their samples; in words why they cannot be used."""
        known = self.truth(key).known
        by_id: dict[str, Prediction] = {}
        for made in said:
            if made.id not in known:
                raise RunsError(
                    f"{run.folder}: {key} {made.id!r} is answered and not in split {self.split} of {self.data}; name "
                    "the data and split that were asked with --data and --split"
                )
            if made.id in by_id:
                return f"{made.id!r} is answered twice; make the predictions anew"
            by_id[made.id] = made
        return by_id
