"""Labels and typed answers: golden values of DFEW, constant answers on published counts, plain loops as reference."""

import random

import numpy as np
import pytest

from crabplus.metrics.classification import (
    QUESTION_TYPES,
    classification_scores,
    drawn_classification,
    typed_accuracy,
)

DFEW = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
# rows: true; fold 1 of DFEW as printed in sunlicai/MAE-DFER, logs/dfew.out
DFEW_CONFUSION = [
    [454, 7, 10, 14, 2, 1, 1],
    [5, 292, 49, 15, 11, 1, 6],
    [19, 30, 403, 38, 33, 5, 6],
    [9, 9, 49, 336, 22, 3, 7],
    [4, 11, 58, 9, 194, 0, 18],
    [0, 0, 16, 4, 3, 3, 3],
    [1, 20, 23, 17, 48, 1, 71],
]
MELD_TEST = [1256, 402, 281, 345, 208, 68, 50]
MAFW_FOLD_1 = [278, 128, 125, 249, 228, 294, 215, 48, 184, 53, 37]
DFEW_FOLD_1 = [489, 379, 534, 435, 294, 29, 181]


def spread(confusion: list[list[int]], names: list[str]) -> tuple[list[str], list[str]]:
    """True and predicted labels that have this confusion matrix."""
    cells = [(t, s, n) for t, row in zip(names, confusion, strict=True) for s, n in zip(names, row, strict=True)]
    return [t for t, _, n in cells for _ in range(n)], [s for _, s, n in cells for _ in range(n)]


def slow_scores(truth: list[str], said: list[str | None], names: list[str]) -> dict[str, float]:
    """WAR, UAR and weighted F1 of one fold from the definitions, class by class."""
    pairs = list(zip(truth, said, strict=True))
    recalls, weighted = [], 0.0
    for name in names:
        tp = sum(t == name and s == name for t, s in pairs)
        fp = sum(t != name and s == name for t, s in pairs)
        fn = sum(t == name and s != name for t, s in pairs)
        if tp + fn:
            recalls.append(tp / (tp + fn))
        if tp + fp + fn:
            weighted += (tp + fn) / len(pairs) * 2 * tp / (2 * tp + fp + fn)
    war = sum(t == s for t, s in pairs) / len(pairs)
    return {"war": war, "uar": sum(recalls) / len(recalls), "weighted_f1": weighted}


def random_set(seed: int) -> tuple[list[str], list[str | None], list[str], list[str]]:
    """Truth, predictions with None and unknown labels, vocabulary of 1 to 6 labels, and 1 to 4 folds."""
    draw = random.Random(seed)
    names = list("abcdef"[: draw.randint(1, 6)])
    truth = [draw.choice(names) for _ in range(draw.randint(1, 40))]
    said = [draw.choice([t, t, draw.choice(names), None, "unicorn"]) for t in truth]
    many = draw.randint(1, 4)
    return truth, said, names, [f"set_{draw.randint(1, many)}" for _ in truth]


@pytest.mark.parametrize("block", range(5))
def test_equals_the_definitions(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        truth, said, names, folds = random_set(seed)
        scores = classification_scores(truth, said, names, folds)
        slow = {}
        for fold in sorted(set(folds)):
            inside = [n for n, name in enumerate(folds) if name == fold]
            slow[fold] = slow_scores([truth[n] for n in inside], [said[n] for n in inside], names)
        for name in ("war", "uar", "weighted_f1"):
            mean = sum(values[name] for values in slow.values()) / len(slow)
            assert scores[name] == pytest.approx(mean, abs=1e-12), (seed, name)
            if len(slow) > 1:
                for fold, values in slow.items():
                    assert scores[f"fold/{fold}/{name}"] == pytest.approx(values[name], abs=1e-12), (seed, name)
        assert scores["accuracy"] == scores["war"]
        assert len(scores) == 4 + len(names) + (3 * len(slow) if len(slow) > 1 else 0)
        for name in names:
            own = [s == name for t, s in zip(truth, said, strict=True) if t == name]
            assert scores[f"recall/{name}"] == (pytest.approx(sum(own) / len(own)) if own else None), seed


def test_drawn_samples_are_scored_as_a_set_of_their_own() -> None:
    for seed in range(100):
        truth, said, names, folds = random_set(seed)
        drawn = np.random.default_rng(seed).integers(0, len(truth), len(truth))
        picked = [truth[n] for n in drawn], [said[n] for n in drawn], names, [folds[n] for n in drawn]
        for name in ("accuracy", "war", "uar", "weighted_f1"):
            fast = drawn_classification(truth, said, names, folds, name)(drawn)
            assert fast == pytest.approx(classification_scores(*picked)[name], abs=1e-12), (seed, name)


def test_golden_dfew_fold_1() -> None:
    assert [sum(row) for row in DFEW_CONFUSION] == DFEW_FOLD_1 and sum(DFEW_FOLD_1) == 2341
    truth, said = spread(DFEW_CONFUSION, DFEW)
    scores = classification_scores(truth, said, DFEW)
    assert round(100 * scores["uar"], 2) == 62.59 and round(100 * scores["war"], 2) == 74.88
    assert scores["accuracy"] == scores["war"] and round(scores["weighted_f1"], 4) == 0.7441
    recalls = [round(100 * scores[f"recall/{name}"], 2) for name in DFEW]
    assert recalls == [92.84, 77.04, 75.47, 77.24, 65.99, 10.34, 39.23]


@pytest.mark.parametrize("counts", [MELD_TEST, MAFW_FOLD_1, DFEW_FOLD_1])
def test_constant_answer_on_published_counts(counts: list[int]) -> None:
    names = [f"class {c}" for c in range(len(counts))]
    truth = [name for name, n in zip(names, counts, strict=True) for _ in range(n)]
    for name, n in zip(names, counts, strict=True):
        scores = classification_scores(truth, [name] * len(truth), names)
        share = n / sum(counts)
        assert scores["war"] == pytest.approx(share) and scores["uar"] == pytest.approx(1 / len(counts))
        assert scores["weighted_f1"] == pytest.approx(share * 2 * n / (n + sum(counts)))


def test_by_hand() -> None:
    """a: 2 of 3 found and said once wrongly, b: 0 of 1; F1 of a is 4/6."""
    scores = classification_scores(["a", "a", "a", "b"], ["a", "a", None, "a"], ["a", "b", "c"])
    assert scores == {
        "accuracy": 0.5, "war": 0.5, "uar": pytest.approx(1 / 3), "weighted_f1": pytest.approx(3 / 4 * 4 / 6),
        "recall/a": pytest.approx(2 / 3), "recall/b": 0.0, "recall/c": None,
    }  # fmt: skip


@pytest.mark.parametrize("nothing", [None, "unicorn", ""])
def test_no_answer_is_wrong_and_no_class(nothing: str | None) -> None:
    """F1 of a is 2 / (2 + 1): no answer adds one missed, and nothing said wrongly anywhere."""
    scores = classification_scores(["a", "a", "b"], ["a", nothing, "b"], ["a", "b"])
    assert scores["war"] == pytest.approx(2 / 3) and scores["uar"] == 0.75
    assert scores["weighted_f1"] == pytest.approx(2 / 3 * 2 / 3 + 1 / 3)
    assert [name for name in scores if name.startswith("recall/")] == ["recall/a", "recall/b"]
    assert classification_scores(["a"], [nothing], ["a"])["weighted_f1"] == 0.0


def test_folds_weigh_alike() -> None:
    """One of one in the first fold, one of four in the second: 5/8 and not 2/5."""
    truth, said = ["a", "a", "a", "b", "b"], ["a", "a", "b", "a", None]
    scores = classification_scores(truth, said, ["a", "b"], ["1", "2", "2", "2", "2"])
    assert scores["war"] == scores["accuracy"] == 5 / 8
    assert [scores["fold/1/war"], scores["fold/2/war"]] == [1.0, 0.25]
    assert [scores["uar"], scores["fold/1/uar"], scores["fold/2/uar"]] == [5 / 8, 1.0, 0.25]
    assert scores["fold/2/weighted_f1"] == pytest.approx(0.5 * 2 / 4) and scores["recall/a"] == pytest.approx(2 / 3)


def test_one_fold_is_no_fold() -> None:
    truth, said = ["a", "b"], ["a", None]
    assert classification_scores(truth, said, ["a", "b"], ["1", "1"]) == classification_scores(truth, said, ["a", "b"])


@pytest.mark.parametrize(
    ("truth", "said", "names", "folds", "wanted"),
    [
        ([], [], ["a"], None, "at least one sample"),
        (["a"], ["a", "a"], ["a"], None, "got 1 true, 2 predicted"),
        (["a"], ["a"], ["a"], ["1", "2"], "1 predicted, 2 folds"),
        (["a"], ["a"], ["a", "a"], None, "labels that differ wanted"),
        (["a", "x"], ["a", "a"], ["a"], None, r"labels of the vocabulary wanted, got \['x'\]"),
    ],
)
def test_bad_labels_are_refused(truth: list, said: list, names: list, folds: list | None, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        classification_scores(truth, said, names, folds)


# Typed answers.


def test_types_by_hand() -> None:
    numbers = typed_accuracy([True, False, True, True], ["Which", "Which", "Why", "Other"], QUESTION_TYPES)
    assert numbers == {
        "accuracy": 0.75, "Which": 0.5, "Come From": None, "Happening": None, "Where": None, "Why": 1.0,
        "Before Next": None, "When": None, "Used For": None, "Other": 1.0,
    }  # fmt: skip
    assert list(numbers)[1:9] == list(QUESTION_TYPES)


def test_questions_without_type_count_overall_only() -> None:
    assert typed_accuracy([1, 0, 0], ["", "", "Where"]) == {"accuracy": pytest.approx(1 / 3), "Where": 0.0}
    assert typed_accuracy([1, 0], ["", ""]) == {"accuracy": 0.5}


@pytest.mark.parametrize("block", range(3))
def test_types_against_a_naive_loop(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        draw = random.Random(seed)
        answers = [(draw.random() < 0.6, draw.choice([*QUESTION_TYPES, "Other"])) for _ in range(draw.randint(1, 30))]
        numbers = typed_accuracy([right for right, _ in answers], [kind for _, kind in answers], QUESTION_TYPES)
        assert numbers["accuracy"] == pytest.approx(sum(right for right, _ in answers) / len(answers))
        for name in {*QUESTION_TYPES, *(kind for _, kind in answers)}:
            own = [right for right, kind in answers if kind == name]
            assert numbers[name] == (pytest.approx(sum(own) / len(own)) if own else None), seed


@pytest.mark.parametrize(
    ("correct", "types", "wanted"),
    [
        ([], [], "one per answer"),
        ([True], [], "one per answer"),
        ([[True]], ["Why"], "one per answer"),
        ([0.5], ["Why"], "right .1. or wrong .0. wanted"),
        ([float("nan")], ["Why"], "wanted"),
        ([True], ["accuracy"], "any name but accuracy"),
    ],
)
def test_bad_answers_are_refused(correct: list, types: list, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        typed_accuracy(correct, types)
