"""The one number for all keys, by hand; and scores of what a model says while it is trained."""

import json
from types import SimpleNamespace

import pytest

import crabplus.train.judge
from crabplus.config import ConfigError, make_config
from crabplus.schema import LabelAnswer, Prediction, Sample, Score
from crabplus.train.judge import FolderJudge, mean_relative


def score(value, constant):
    return Score("accuracy", value, constant, 10, 0, 0, (value, value))


def test_mean_relative_by_hand():
    scores = {"ave": score(0.6, 0.2), "avqa": score(0.5, 0.5), "arig": score(0.1, 0.2)}
    assert mean_relative(scores, {}) == pytest.approx((0.4 / 0.8 + 0 - 0.1 / 0.8) / 3)
    assert mean_relative(scores, {"ave": 0.6, "avqa": 0.75}) == pytest.approx((1 + 0 - 0.1 / 0.8) / 3)
    assert mean_relative({"ave": score(0.9, 0.2)}, {"ave": 0.55}) == pytest.approx(2)  # better than the reference


@pytest.mark.parametrize(("constant", "reference"), [(0.5, {"ave": 0.5}), (0.5, {"ave": 0.4}), (1.0, {})])
def test_a_reference_no_better_than_a_constant_answer_is_refused(constant, reference):
    with pytest.raises(ConfigError, match="evaluation.reference: ave .* constant answer.*evaluation.samples"):
        mean_relative({"ave": score(0.6, constant)}, reference)


SAMPLES = [
    Sample(str(n), "own", "ks", "val", options=("a", "b"), answer=LabelAnswer("a" if n < 3 else "b")) for n in range(5)
]


def test_what_is_said_is_scored_and_kept(tmp_path, monkeypatch):
    asked = {}

    def predict(model, samples, pack, batch_size, origin):
        asked.update(ids=[samples[n][0].id for n in range(len(samples))], batch=batch_size, origin=origin)
        for number, word in enumerate(["a", "a", "b", "b", None]):
            answer = LabelAnswer(word) if word else None
            yield Prediction(str(number), "ks", answer=answer, reason=None if word else "nothing was said")

    monkeypatch.setattr(crabplus.train.judge, "predict", predict)
    evaluation = {"batch_size": 3, "reference": {"ks": 0.8}}
    config = make_config({"out": str(tmp_path), "data": {"folder": "d", "keys": ["ks"]}, "evaluation": evaluation})
    plan = SimpleNamespace(config=config, judged=SAMPLES, pack=None)
    made = FolderJudge(plan, None)(None, 40)
    assert made == pytest.approx({"ks": 0.6, "unparsable": 0.2, "mean_relative": (0.6 - 0.6) / (0.8 - 0.6)})
    assert asked == {"ids": ["0", "1", "2", "3", "4"], "batch": 3, "origin": {"step": 40}}
    lines = (tmp_path / "evaluations/step-40.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1", "2", "3", "4"]
