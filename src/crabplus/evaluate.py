"""From predictions to scores, one per task key. Nothing is dropped: what is missing or unreadable counts as wrong."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from crabplus.metrics.bootstrap import interval
from crabplus.schema import Answer, Prediction, Sample, SchemaError, Score, from_json
from crabplus.tasks import get_task
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.whole import write_whole

__all__ = [
    "Change", "EvaluationError", "answer_of", "compare", "credit", "evaluate", "main_score", "read_predictions",
    "resampler", "write_scores",
]  # fmt: skip

R = TypeVar("R", Sample, Prediction)
Name = tuple[str, str]
"""Task key and id."""
Row = tuple[Sample, Prediction | None]
"""A sample with its prediction; None where there is none."""


class EvaluationError(ValueError):
    """Samples and predictions that do not belong together; the message names the id."""


def evaluate(
    samples: Iterable[Sample], predictions: Iterable[Prediction], *, partial: bool = False, rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:  # fmt: skip
    """Score of each task key, in the order in which the keys appear among the samples.

    A prediction without a readable answer is counted as unparsable, one that carries an error under
    ``others["errors"]``, a sample without a prediction as missing; all three are no answers and stay in every mean. A
    prediction with a text and neither answer nor reason is read here, with the default pack.

    Args:
        samples: samples with true answers, of one or more keys.
        predictions: one for each sample, found by task and id.
        partial: score also where samples have no prediction, or predictions no sample; the latter are left out. The
            scores then say so.
        rounds: draws of the bootstrap behind ``ci95``.
        seed: of these draws.

    Raises:
        EvaluationError: two samples or two predictions of one id, a sample without a true answer, ids that do not
            match; names task and id.
    """
    asked, said = _by_name(samples, "samples"), _by_name(predictions, "predictions")
    for sample in asked.values():
        _check(sample)
    odd = _mismatches(asked, said)
    if odd and not partial:
        raise EvaluationError(
            "; ".join(f"{key}: {words}" for key, words in odd.items())
            + "; take the data and split that the predictions were made from, or score all the "
            "same with --partial (partial=True)"
        )
    rows: dict[str, list[Row]] = {}
    for name, sample in asked.items():
        rows.setdefault(sample.task, []).append((sample, said.get(name)))
    return {key: _score(get_task(key), rows[key], odd.get(key), rounds, seed) for key in rows}


def credit(sample: Sample, prediction: Prediction | None) -> float | None:
    """The main metric of its task over this one sample, 0..1; None without a true answer, or where it does not say."""
    task = get_task(sample.task)
    if sample.answer is None or not task.alone:
        return None
    return main_score(task, [(sample, answer_of(sample, prediction))])


def _by_name(records: Iterable[R], kind: str) -> dict[Name, R]:
    found: dict[Name, R] = {}
    for record in records:
        if (record.task, record.id) in found:
            raise EvaluationError(f"{record.task}: id {record.id!r} stands twice among the {kind}; keep one of them")
        found[record.task, record.id] = record
    return found


def _mismatches(asked: Mapping[Name, Sample], said: Mapping[Name, Prediction]) -> dict[str, str]:
    """For each key whose ids do not match, in words what does not."""
    odd: dict[str, list[str]] = {}
    for names, others, words in (
        (said, asked, "belongs to no sample"), (asked, said, "has no prediction")
    ):  # fmt: skip
        alone: dict[str, list[str]] = {}
        for key, name in names:
            if (key, name) not in others:
                alone.setdefault(key, []).append(name)
        for key, ids in alone.items():
            of = sum(other == key for other, _ in names)
            more = f" (so with {len(ids)} of {of})" if len(ids) > 1 else ""
            odd.setdefault(key, []).append(f"{ids[0]!r} {words}{more}")
    return {key: "; ".join(words) for key, words in odd.items()}


def _check(sample: Sample) -> None:
    if sample.answer is None:
        raise EvaluationError(
            f"{sample.task}: sample {sample.id!r} has no true answer to compare with; give it one, leave it out, or, "
            f"where the published file has none, build the split from the original files: crabplus build {sample.task}"
        )
    try:
        get_task(sample.task).check(sample)
    except ValueError as error:
        raise EvaluationError(f"{sample.task}: sample {error}") from error


def answer_of(sample: Sample, prediction: Prediction | None) -> Answer | None:
    """The answer of a prediction; one of a kind that the task does not have is none."""
    if prediction is None or prediction.error is not None:
        return None
    task, answer = get_task(sample.task), prediction.answer
    if answer is None and prediction.reason is None and prediction.text is not None:
        answer = task.parse(prediction.text, sample)
    return answer if answer is not None and task.fits(answer, sample) else None


def _score(task: Task, rows: Sequence[Row], odd: str | None, rounds: int, seed: int) -> Score:
    pairs = [(sample, answer_of(sample, prediction)) for sample, prediction in rows]
    said = [prediction for _, prediction in rows if prediction is not None]
    failed = sum(prediction.error is not None for prediction in said)
    try:
        numbers = task.judge(pairs)
    except ValueError as error:
        raise EvaluationError(f"{task.key}: {error}") from error
    others = {name: value for name, value in numbers.items() if name != task.metric}
    return Score(
        metric=task.metric,
        score=float(numbers[task.metric] or 0.0),
        constant=_best_constant(task, [sample for sample, _ in rows]),
        n=len(rows),
        unparsable=sum(answer is None for _, answer in pairs) - (len(rows) - len(said)) - failed,
        missing=len(rows) - len(said),
        ci95=interval(resampler(task, pairs), len(pairs), seed, rounds),
        others={**others, "errors": failed},
        version=task.version,
        partial=odd is not None,
        settings=_settings(said),
        notes=(*task.notes(), *([odd] if odd else [])),
    )


def _settings(said: Sequence[Prediction]) -> dict[str, Any]:
    """The settings of all predictions; a list of values where they differ."""
    values: dict[str, list[Any]] = {}
    for prediction in said:
        for name, value in prediction.settings.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def main_score(task: Task, pairs: Sequence[Pair]) -> float:
    """The main metric of a task over these samples."""
    return float(task.judge(pairs)[task.metric] or 0.0)


def _best_constant(task: Task, samples: Sequence[Sample]) -> float:
    """What the best fixed answer scores on these samples; 0 where the task knows no such answer."""
    answers = task.constants(samples)
    return max((main_score(task, [(sample, answer) for sample in samples]) for answer in answers), default=0.0)


def resampler(task: Task, pairs: Sequence[Pair]) -> Resampler:
    """The main metric as a function of drawn samples, (n,) numbers with repeats, for the bootstrap over samples.

    A task whose metric is no mean over samples may say how it is computed from drawn ones. Most official metrics are
    such means: each sample is then judged once, alone, and the draws average these numbers. Whether a metric is a mean
    shows in the numbers themselves: they average to it. Else every draw is judged anew.
    """
    if resampled := task.resampler(pairs):
        return resampled
    credits = np.array([main_score(task, [pair]) for pair in pairs])
    if np.isclose(credits.mean(), main_score(task, pairs), rtol=0.0, atol=1e-9):
        return lambda drawn: float(credits[drawn].mean())
    return lambda drawn: main_score(task, [pairs[i] for i in drawn])


@dataclass(frozen=True)
class Change:
    """Main metric of a key over the same samples before and after something was changed.

    ``ci95`` is the bootstrap interval of ``change``: each draw takes the same samples of both.
    """

    before: float
    after: float
    change: float
    ci95: tuple[float, float]
    n: int


def compare(
    samples: Sequence[Sample], before: Iterable[Prediction], after: Iterable[Prediction], *, rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Change]:  # fmt: skip
    """The difference between two sets of predictions for the same samples, per task key.

    Args:
        samples: with true answers. before, after: a prediction for each of them, found by task and id.
        rounds, seed: of the paired bootstrap.

    Raises:
        EvaluationError: as :func:`evaluate`.
    """
    asked = _by_name(samples, "samples")
    sides = []
    for predictions in (before, after):
        said = _by_name(predictions, "predictions")
        for sample in asked.values():
            _check(sample)
        if odd := _mismatches(asked, said):
            raise EvaluationError("; ".join(f"{key}: {words}" for key, words in odd.items()))
        sides.append(said)
    keys: dict[str, list[Name]] = {}
    for name in asked:
        keys.setdefault(name[0], []).append(name)
    return {
        key: _change(
            get_task(key), [[(asked[n], answer_of(asked[n], said[n])) for n in names] for said in sides], rounds, seed
        )
        for key, names in keys.items()
    }


def _change(task: Task, sides: Sequence[Sequence[Pair]], rounds: int, seed: int) -> Change:
    (first, second), n = sides, len(sides[0])
    old, new = resampler(task, first), resampler(task, second)
    before, after = main_score(task, first), main_score(task, second)
    return Change(before, after, after - before, interval(lambda drawn: new(drawn) - old(drawn), n, seed, rounds), n)


def read_predictions(path: str | Path) -> list[Prediction]:
    """Predictions from a file with one JSON record per line; blank lines are passed over.

    Raises:
        SchemaError: a line that is no prediction, or no line at all; names file and line.
    """
    predictions = []
    with Path(path).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    predictions.append(from_json(line, Prediction))
                except SchemaError as error:
                    raise SchemaError(f"{path}, line {number}: {error}") from error
    if not predictions:
        raise SchemaError(f"{path}: no prediction in it")
    return predictions


def write_scores(path: str | Path, scores: Mapping[str, Score], off: Mapping[str, Score] | None = None) -> None:
    """Write ``scores.json``: per key the fields of :class:`~crabplus.schema.Score`, whole or not at all.

    Args:
        path: the file; its folder is made if need be.
        scores: score of each key.
        off: scores of the same keys with the adapter off; their main number is added as ``adapter_off``.
    """
    without = {key: {"adapter_off": score.score} for key, score in (off or {}).items()}
    content = {key: {**asdict(score), **without.get(key, {})} for key, score in scores.items()}
    write_whole(Path(path), (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
