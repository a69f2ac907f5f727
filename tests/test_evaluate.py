"""Evaluation drops nothing: missing, unreadable and failed answers count as wrong, and who does not belong is named."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from crabplus import evaluate as evaluation
from crabplus.evaluate import EvaluationError, compare, credit, evaluate, read_predictions, write_scores
from crabplus.schema import (
    Answer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Object,
    ObjectsAnswer,
    Prediction,
    Sample,
    SchemaError,
    Score,
    TextAnswer,
    to_json,
)
from crabplus.tasks import Pack, Task, get_task

Pairs = Sequence[tuple[Sample, Answer | None]]


class Words(Task):
    """A task whose metric is a mean over samples, with numbers beside it; it counts how often it judges."""

    family = "words"
    answers = TextAnswer
    metric = "accuracy"
    version = 3
    judged = 0

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        return answer.text

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        return TextAnswer(text) if text != "?" else "a question"

    def judge(self, pairs: Pairs) -> dict[str, float | None]:
        Words.judged += len(pairs)
        credits = [float(sample.answer == answer) for sample, answer in pairs]
        return {"accuracy": sum(credits) / len(credits), "right": sum(credits), "absent": None}

    def notes(self) -> tuple[str, ...]:
        return ("by word",)

    def resampler(self, pairs: Pairs) -> None:
        return None

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return list(dict.fromkeys(sample.answer for sample in samples if sample.answer))


class Balanced(Words):
    """A task whose metric, the mean of the accuracies per class, is no mean over samples."""

    metric = "balanced"

    def judge(self, pairs: Pairs) -> dict[str, float | None]:
        Words.judged += len(pairs)
        truths = {sample.answer for sample, _ in pairs}
        return {"balanced": float(np.mean([_recall(pairs, truth) for truth in truths]))}


def _recall(pairs: Pairs, truth: Answer | None) -> float:
    said = [answer for sample, answer in pairs if sample.answer == truth]
    return sum(answer == truth for answer in said) / len(said)


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"words": Words, "other": Words, "balanced": Balanced}
    monkeypatch.setattr(evaluation, "get_task", lambda key: kinds[key](key))


def asked(name: int, answer: str = "yes", task: str = "words") -> Sample:
    return Sample(id=str(name), dataset="tidepool", task=task, split="test", answer=TextAnswer(answer))


def said(name: int, answer: str | None = "yes", task: str = "words", error: str | None = None) -> Prediction:
    return Prediction(id=str(name), task=task, answer=TextAnswer(answer) if answer else None, error=error)


def test_every_kind_of_failure_is_counted_and_wrong() -> None:
    samples = [asked(i) for i in range(6)]
    predictions = [said(0), said(1, None), said(2, error="decode: truncated file"), said(4, "no"),
                   said(5, None, error="out of memory")]  # fmt: skip
    score = evaluate(samples, predictions, partial=True)["words"]
    assert score.metric == "accuracy" and score.score == pytest.approx(1 / 6)
    assert (score.n, score.unparsable, score.missing) == (6, 1, 1)
    assert score.notes[-1] == "'3' has no prediction"
    assert score.others == {"right": 1.0, "absent": None, "errors": 2.0}


def test_no_prediction_at_all_scores_zero() -> None:
    score = evaluate([asked(0), asked(1)], [], partial=True)["words"]
    assert (score.score, score.missing, score.n, score.ci95) == (0.0, 2, 2, (0.0, 0.0))


def test_keys_are_kept_apart_and_in_order() -> None:
    samples = [asked(0, task="other"), asked(0), asked(1, task="other")]
    scores = evaluate(samples, [said(1, task="other"), said(0), said(0, "no", task="other")])
    assert list(scores) == ["other", "words"]
    assert (scores["other"].score, scores["other"].n, scores["words"].score) == (0.5, 2, 1.0)


def test_order_of_predictions_does_not_matter() -> None:
    samples = [asked(i, "yes" if i % 3 else "no") for i in range(9)]
    predictions = [said(i) for i in range(9)]
    assert evaluate(samples, predictions) == evaluate(iter(samples), reversed(predictions))


def test_best_constant_answer() -> None:
    samples = [asked(i, "yes" if i < 7 else "no") for i in range(10)]
    assert evaluate(samples, [], partial=True)["words"].constant == 0.7
    balanced = [asked(i, "yes" if i < 7 else "no", "balanced") for i in range(10)]
    assert evaluate(balanced, [], partial=True, rounds=2)["balanced"].constant == 0.5


def test_task_without_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Words, "constants", lambda self, samples: [])
    assert evaluate([asked(0)], [said(0)])["words"].constant == 0.0


@pytest.mark.parametrize(
    ("samples", "predictions", "words"),
    [
        ([asked(7)], [said(7), said(7)], "'7' stands twice among the predictions"),
        ([asked(7), asked(7)], [], "'7' stands twice among the samples"),
        (
            [asked(7)],
            [said(8)],
            "words: '8' belongs to no sample; '7' has no prediction; take the data",
        ),
        ([asked(7), asked(8), asked(9)], [said(8)], r"words: '7' has no prediction \(so with 2 of 3\)"),
        ([asked(7)], [said(7, task="other")], "other: '7' belongs to no sample"),
        ([Sample(id="7", dataset="d", task="words", split="test")], [], "'7' has no true answer"),
    ],
)
def test_who_does_not_belong_is_named(samples: list[Sample], predictions: list[Prediction], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        evaluate(samples, predictions)


def test_interval_holds_the_score_and_is_seeded() -> None:
    samples = [asked(i) for i in range(100)]
    predictions = [said(i, "yes" if i % 4 else "no") for i in range(100)]
    low, high = evaluate(samples, predictions)["words"].ci95
    assert low < 0.75 < high and high - low == pytest.approx(0.17, abs=0.03)
    first, again, other = (evaluate(samples, predictions, seed=seed, rounds=9)["words"].ci95 for seed in (0, 0, 1))
    assert first == again != other


def test_interval_of_a_metric_that_is_no_mean_judges_every_draw() -> None:
    samples = [asked(i, "yes" if i < 70 else "no", "balanced") for i in range(100)]
    predictions = [said(i, "yes" if i < 95 else "no", "balanced") for i in range(100)]
    Words.judged = 0
    score = evaluate(samples, predictions, rounds=300)["balanced"]
    assert Words.judged > 300 * 100
    assert score.score == pytest.approx((1 + 5 / 30) / 2)
    half = 1.96 * (5 / 30 * 25 / 30 / 30) ** 0.5 / 2
    assert score.ci95 == pytest.approx((score.score - half, score.score + half), abs=0.03)


def test_a_mean_is_judged_sample_by_sample_only_once() -> None:
    Words.judged = 0
    evaluate([asked(i) for i in range(100)], [said(i) for i in range(100)])
    assert Words.judged < 10 * 100


def test_the_change_of_a_score_over_the_same_samples() -> None:
    samples = [asked(i) for i in range(40)]
    before = [said(i) for i in range(40)]
    after = [said(i, "no" if i < 10 else None if i == 10 else "yes") for i in reversed(range(40))]
    found = compare(samples, before, after)["words"]
    assert (found.before, found.after, found.n) == (1, 29 / 40, 40) and found.change == pytest.approx(-11 / 40)
    assert found.ci95[0] < found.change < found.ci95[1] < 0
    assert compare(samples, before, after)["words"] == found
    assert len({compare(samples, before, after, rounds=9, seed=seed)["words"].ci95 for seed in range(6)}) > 1


def test_samples_are_drawn_in_pairs() -> None:
    """Half is right before and after: drawn apart the difference would vary, drawn together it is 0."""
    samples = [asked(i, task=task) for task in ("words", "balanced") for i in range(20)]
    half = [said(i, "yes" if i % 2 else "no", task) for task in ("words", "balanced") for i in range(20)]
    found = compare(samples, half, half)
    assert {key: (one.change, one.ci95) for key, one in found.items()} == {
        "words": (0, (0, 0)), "balanced": (0, (0, 0))
    }  # fmt: skip


def test_a_change_needs_both_answers_of_every_sample() -> None:
    samples = [asked(0), asked(1)]
    with pytest.raises(EvaluationError, match="'1' has no prediction"):
        compare(samples, [said(0), said(1)], [said(0)])
    with pytest.raises(EvaluationError, match="'2' belongs to no sample"):
        compare(samples, [said(0), said(1), said(2)], [said(0), said(1)])
    with pytest.raises(EvaluationError, match="has no true answer"):
        compare([Sample("0", "tidepool", "words", "test")], [said(0)], [said(0)])


def test_partial_leaves_out_what_belongs_to_no_sample_and_says_so() -> None:
    samples = [asked(0), asked(1), asked(2, task="other")]
    predictions = [said(0), said(2, task="other"), said(9), said(9, task="balanced")]
    scores = evaluate(samples, predictions, partial=True)
    assert (scores["words"].score, scores["words"].n, scores["words"].missing) == (0.5, 2, 1)
    assert scores["words"].partial and not scores["other"].partial and "balanced" not in scores


def test_a_text_that_nobody_has_read_is_read() -> None:
    predictions = [
        Prediction("0", "words", "yes"),
        Prediction("1", "words", "?"),
        Prediction("2", "words", "yes", reason="x"),
    ]
    score = evaluate([asked(n) for n in range(3)], predictions)["words"]
    assert (score.score, score.unparsable) == (pytest.approx(1 / 3), 2)


def test_an_answer_of_another_kind_is_none_and_a_truth_of_another_kind_an_error() -> None:
    wrong = Prediction("0", "words", answer=LabelAnswer("yes"))
    assert evaluate([asked(0)], [wrong])["words"].unparsable == 1
    sample = Sample("7", "d", "words", "test", answer=LabelAnswer("yes"))
    with pytest.raises(EvaluationError, match="words: sample 7: answer: words has TextAnswer, not LabelAnswer"):
        evaluate([sample], [said(7)])


def test_what_has_to_be_known_beside_the_number() -> None:
    settings = [{"pack": "omni 2", "model": "a"}, {"pack": "omni 2", "model": "b"}, {"pack": "omni 2", "model": "a"}]
    predictions = [Prediction(str(n), "words", settings=made) for n, made in enumerate(settings)]
    score = evaluate([asked(n) for n in range(3)], predictions)["words"]
    assert (score.version, score.notes, score.partial) == (3, ("by word",), False)
    with pytest.raises(SchemaError, match="no prediction in it"):
        read_predictions(os.devnull)
    assert score.settings == {"pack": "omni 2", "model": ["a", "b"]}


def test_credit_of_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert credit(asked(0), said(0)) == 1.0
    assert credit(asked(0), said(0, error="cut off")) == credit(asked(0), None) == 0.0
    assert credit(Sample(id="7", dataset="d", task="words", split="test"), said(7)) is None
    monkeypatch.setattr(Words, "alone", False)
    assert credit(asked(0), said(0)) is None


def test_predictions_from_a_file(tmp_path: Path) -> None:
    predictions = [said(0), said(1, None), Prediction(id="é", task="words", text="a\nb", answer=LabelAnswer("x"))]
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(map(to_json, predictions)) + "\n\n", encoding="utf-8")
    assert read_predictions(path) == predictions


@pytest.mark.parametrize(("line", "words"), [('{"id": "1", "ta', "not JSON"), ('{"id": "1"}', "task")])
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(to_json(said(0)) + "\n" + line, encoding="utf-8")
    with pytest.raises(SchemaError, match=rf"predictions.jsonl, line 2: .*{words}"):
        read_predictions(path)


SCORE = Score("accuracy", 0.8, 0.3, 10, 1, 2, (0.6, 0.9), {"Audio": None, "right": 8.0})


def test_scores_as_fixed_in_the_design(tmp_path: Path) -> None:
    path = tmp_path / "out" / "scores.json"
    write_scores(path, {"ave": SCORE, "avqa": SCORE}, off={"ave": Score("accuracy", 0.1, 0, 1, 0, 0, (0, 0))})
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["avqa"] == {
        "metric": "accuracy", "score": 0.8, "constant": 0.3, "n": 10, "unparsable": 1, "missing": 2,
        "ci95": [0.6, 0.9], "others": {"Audio": None, "right": 8.0}, "version": 1, "partial": False, "settings": {},
        "notes": [],
    }  # fmt: skip
    assert content["ave"] == {**content["avqa"], "adapter_off": 0.1}
    assert [file.name for file in path.parent.iterdir()] == ["scores.json"]


def test_a_failed_write_leaves_the_old_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.json"
    write_scores(path, {"ave": SCORE})
    before = path.read_text(encoding="utf-8")

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_scores(path, {})
    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]


def test_evaluate_needs_no_torch() -> None:
    code = "import sys, crabplus.evaluate; sys.exit('torch' in sys.modules)"
    source = str(Path(evaluation.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, check=False)
    assert done.returncode == 0


def test_tasks_of_the_first_slice_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "get_task", get_task)
    event = EventsAnswer((Event("bell", 2, 7),))
    box = ObjectsAnswer((Object("bell", (0.1, 0.1, 0.6, 0.6)),))
    truths = {"ave": event, "avqa": TextAnswer("Two."), "arig": box}
    samples = [Sample(str(i), "d", key, "test", answer=truths[key]) for key in truths for i in range(200)]
    predictions = [Prediction(str(i), key, answer=truths[key]) for key in truths for i in range(150)]
    scores = evaluate(samples, predictions, partial=True)
    assert scores["ave"].score == pytest.approx(0.75 + 0.25 * 0.5) and scores["ave"].constant == 0.5
    assert scores["avqa"].score == scores["arig"].score == 0.75 and scores["avqa"].constant == 1.0
    assert all(score.missing == 50 and score.ci95[0] < score.score < score.ci95[1] for score in scores.values())
