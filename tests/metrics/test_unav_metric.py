"""UnAV-100 detection: values by hand, and the protocol walked through prediction by prediction as reference."""

import random

import numpy as np
import pytest

from crabplus.metrics.unav import THRESHOLDS, average_precisions, detection_scores, group_pairs

COLUMNS = ["average_map", "map_0.5", "map_0.6", "map_0.7", "map_0.8", "map_0.9"]
TRUTH = [("v", "dog", 0.0, 10.0)]


# The protocol, slowly: one class, one threshold, one prediction at a time; no shared code.


def slow_distinct(truth: list[tuple]) -> list[tuple]:
    kept: list[tuple] = []
    for event in truth:
        near = [e for e in kept if e[:2] == event[:2]]
        if all(abs(e[2] - event[2]) > 1e-3 or abs(e[3] - event[3]) > 1e-3 for e in near):
            kept.append(event)
    return kept


def slow_iou(said: tuple, true: tuple) -> float:
    shared = min(said[3], true[3]) - max(said[2], true[2])
    return shared / (max(said[3], true[3]) - min(said[2], true[2])) if shared > 0 else 0.0


def slow_precision(truth: list[tuple], said: list[tuple], threshold: float) -> float:
    """Average precision of one class: precision and recall after each prediction, then the area as VOC 2011 has it."""
    locked: set[int] = set()
    curve = []
    ranked = sorted(said, key=lambda event: -event[4])
    for rank, event in enumerate(ranked, start=1):
        near = sorted(((slow_iou(event, e), n) for n, e in enumerate(truth) if e[0] == event[0]), reverse=True)
        for iou, n in near:
            if iou < threshold:
                break
            if n not in locked:
                locked.add(n)
                break
        curve.append((len(locked) / rank, len(locked) / len(truth)))
    area, before = 0.0, 0.0
    for rank, (_, recall) in enumerate(curve):
        area += (recall - before) * max(precision for precision, _ in curve[rank:])
        before = recall
    return area


def slow_precisions(truth: list[tuple], said: list[tuple]) -> dict[str, list[float]]:
    truth = slow_distinct(truth)
    return {
        label: [
            slow_precision([e for e in truth if e[1] == label], [e for e in said if e[1] == label], threshold)
            for threshold in np.linspace(0.1, 0.9, 9)
        ]
        for label in {e[1] for e in truth}
    }


def random_set(seed: int) -> tuple[list[tuple], list[tuple]]:
    """Whole seconds and few scores make ties of both kinds; one set in three has other times and scores."""
    draw = random.Random(seed)
    labels, videos = "abcd"[: draw.randint(1, 4)], draw.randint(1, 5)
    whole, most = draw.random() < 2 / 3, draw.choice([3, 12])

    def event(names: str) -> tuple:
        ends = [draw.randint(0, 8) if whole else draw.uniform(0, 8) for _ in range(2)]
        start, end = ends if draw.random() < 0.1 else sorted(ends)
        return draw.randrange(videos), draw.choice(names), float(start), float(end)

    truth = [event(labels) for _ in range(draw.randint(1, most))]
    truth += [(v, c, s + draw.choice([0, 0.0009, 0.002]), e) for v, c, s, e in truth[: draw.randint(0, 3)]]
    said = [event(labels + "z") for _ in range(draw.randint(0, 2 * most))]
    said += [draw.choice(truth) for _ in range(draw.randint(0, most))]
    draw.shuffle(said)
    return truth, [(*e, draw.choice([1.0, 0.5, 0.0]) if whole else draw.random()) for e in said]


@pytest.mark.parametrize("block", range(5))
def test_equals_the_protocol_walked_through(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        truth, said = random_set(seed)
        slow, scores = slow_precisions(truth, said), detection_scores(truth, said)
        found = {label: values.tolist() for label, values in average_precisions(truth, said).items()}
        assert found == {label: pytest.approx(values, abs=1e-12) for label, values in slow.items()}, seed
        mean = [sum(values[k] for values in slow.values()) / len(slow) for k in range(9)]
        assert list(scores) == COLUMNS
        assert list(scores.values()) == pytest.approx([sum(mean) / 9, *mean[4:]], abs=1e-12), seed


def test_order_does_not_matter_where_no_scores_are_equal() -> None:
    draw = random.Random(1)
    for seed in range(50):
        truth, said = random_set(seed)
        ranked = [(*event[:4], rank) for rank, event in enumerate(said)]
        before = detection_scores(truth, ranked)
        draw.shuffle(ranked)
        assert detection_scores(truth, ranked) == before
        assert detection_scores(truth, [(*event[:4], event[4] / 7 - 1) for event in ranked]) == before


# By hand.


def test_perfect_and_silent() -> None:
    truth = [*TRUTH, ("v", "cat", 3.0, 4.5), ("w", "dog", 1.0, 2.0)]
    assert detection_scores(truth, [(*event, 1.0) for event in truth]) == dict.fromkeys(COLUMNS, 1.0)
    assert detection_scores(truth, []) == dict.fromkeys(COLUMNS, 0.0)


def test_half_of_an_event_counts_up_to_half() -> None:
    scores = detection_scores(TRUTH, [("v", "dog", 0.0, 5.0, 1.0)])
    assert scores == {
        "average_map": pytest.approx(5 / 9), "map_0.5": 1.0, "map_0.6": 0.0, "map_0.7": 0.0, "map_0.8": 0.0,
        "map_0.9": 0.0,
    }  # fmt: skip


def test_thresholds_have_the_rounding_of_linspace() -> None:
    """0.3 and 0.7 are a hair higher, so 3 and 7 seconds of 10 miss them, as in the official code."""
    assert THRESHOLDS == (0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6, 0.7000000000000001, 0.8, 0.9)
    right = {seconds: average_precisions(TRUTH, [("v", "dog", 0, seconds, 1)])["dog"].sum() for seconds in range(1, 10)}
    assert right == {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6, 7: 6, 8: 8, 9: 9}


def test_area_by_hand() -> None:
    """Right, wrong, right, of three: precision 1 and 2/3 at two steps of recall, so (1 + 2/3) / 3."""
    truth = [("v", "dog", 0, 1), ("v", "dog", 4, 5), ("w", "dog", 0, 1)]
    said = [("v", "dog", 4, 5, 0.2), ("v", "dog", 0, 1, 0.9), ("u", "dog", 0, 1, 0.5)]
    assert detection_scores(truth, said)["map_0.5"] == pytest.approx(5 / 9)


def test_precision_is_the_best_still_to_come() -> None:
    """Wrong, then right twice: the first step of recall takes 2/3 too, not 1/2."""
    truth = [("v", "dog", 0, 1), ("v", "dog", 4, 5)]
    said = [("v", "dog", 8, 9, 0.9), ("v", "dog", 0, 1, 0.5), ("v", "dog", 4, 5, 0.2)]
    assert detection_scores(truth, said)["average_map"] == pytest.approx(2 / 3)


def test_an_event_is_found_once() -> None:
    said = [("v", "dog", 0, 10, 0.9), ("v", "dog", 0, 10, 0.8), ("v", "dog", 20, 30, 0.1)]
    truth = [*TRUTH, ("v", "dog", 20, 30)]
    assert detection_scores(truth, said)["average_map"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_taken_event_leaves_the_next_best() -> None:
    truth = [("v", "dog", 0, 10), ("v", "dog", 0, 6)]
    said = [("v", "dog", 0, 9, 0.9), ("v", "dog", 0, 9, 0.8)]
    assert average_precisions(truth, said, [0.6, 0.7])["dog"].tolist() == [1.0, 0.5]


def test_classes_weigh_alike_and_one_without_prediction_is_zero() -> None:
    truth = [("v", "dog", 0, 1), ("v", "dog", 2, 3), ("v", "dog", 4, 5), ("v", "cat", 0, 1)]
    found = average_precisions(truth, [(*event, 1.0) for event in truth[:3]])
    assert {label: values.tolist() for label, values in found.items()} == {"dog": [1.0] * 9, "cat": [0.0] * 9}
    assert detection_scores(truth, [(*truth[3], 1.0)])["average_map"] == 0.5


def test_predictions_of_a_class_that_is_never_true_do_not_count() -> None:
    said = [("v", "cat", 0, 10, 9.0), ("v", "dog", 0, 10, 1.0), ("w", "cow", 0, 10, 8.0)]
    assert detection_scores(TRUTH, said)["average_map"] == 1.0


def test_another_video_or_label_is_no_match() -> None:
    truth = [*TRUTH, ("w", "cat", 0.0, 10.0)]
    assert detection_scores(truth, [("w", "dog", 0, 10, 1), ("v", "cat", 0, 10, 1)])["average_map"] == 0.0


def test_repeated_annotations_count_once() -> None:
    repeated = [*TRUTH, ("v", "dog", 0.0005, 10.0), ("v", "dog", 0.0009, 9.9995), ("w", "dog", 0.0, 10.0)]
    assert detection_scores(repeated, [("v", "dog", 0, 10, 1)])["average_map"] == 0.5
    apart = [*TRUTH, ("v", "dog", 0.002, 10.0)]
    assert detection_scores(apart, [("v", "dog", 0, 10, 1)])["average_map"] == 0.5


def test_repetition_is_measured_from_what_was_kept() -> None:
    """The third is 0.0016 s from the first, and the second, to which it is near, is gone."""
    chain = [("v", "dog", 0.0, 10.0), ("v", "dog", 0.0008, 10.0), ("v", "dog", 0.0016, 10.0)]
    assert detection_scores(chain, [("v", "dog", 0, 10, 1)])["average_map"] == 0.5


def test_of_equal_scores_the_earlier_comes_first() -> None:
    right, wrong = ("v", "dog", 0, 10, 1.0), ("w", "dog", 0, 10, 1.0)
    assert detection_scores(TRUTH, [right, *[wrong] * 40])["average_map"] == 1.0
    assert detection_scores(TRUTH, [*[wrong] * 40, right])["average_map"] == pytest.approx(1 / 41)


def test_of_equal_overlaps_the_later_true_event_is_taken() -> None:
    """(4, 8) meets (0, 6) with 2 / 8 as it meets (6, 12); the second prediction needs the first of them."""
    truth, said = [("v", "dog", 0, 6), ("v", "dog", 6, 12)], [("v", "dog", 4, 8, 0.9), ("v", "dog", 0, 6, 0.8)]
    assert average_precisions(truth, said, [0.2])["dog"].tolist() == [1.0]
    assert average_precisions(truth[::-1], said, [0.2])["dog"].tolist() == [0.5]


@pytest.mark.parametrize("span", [(5, 5), (7, 3)])
def test_intervals_without_length_meet_nothing(span: tuple[float, float]) -> None:
    assert detection_scores(TRUTH, [("v", "dog", *span, 1.0)])["average_map"] == 0.0
    both = [*TRUTH, ("v", "dog", *span)]
    assert detection_scores(both, [(*event, 1.0) for event in both])["average_map"] == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_groups(seed: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = draw.integers(-1, 5, draw.integers(0, 12)), draw.integers(0, 6, draw.integers(0, 12))
    pairs = [(i, j) for i in range(len(first)) for j in range(len(second)) if first[i] == second[j]]
    assert list(zip(*(side.tolist() for side in group_pairs(first, second)), strict=True)) == pairs


# What is refused.


@pytest.mark.parametrize(
    ("truth", "said", "wanted"),
    [
        ([], [], "at least one event"),
        ([("v", "dog", 0)], [], "truth: .video, label, start, end. wanted, got"),
        (TRUTH, [("v", "dog", 0, 1)], "said: .video, label, start, end, score. wanted"),
        ([("v", "dog", 0, float("nan"))], [], "truth: finite start, end wanted"),
        (
            TRUTH,
            [("v", "dog", 0, 1, 1), ("v", "dog", 0, 1, float("inf"))],
            "finite start, end, score wanted, got .*inf",
        ),
    ],
)
def test_bad_rows_are_refused(truth: list, said: list, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        detection_scores(truth, said)


@pytest.mark.parametrize("thresholds", [[], [0.0], [0.5, -0.1], 0.5])
def test_other_thresholds_are_refused(thresholds: list) -> None:
    with pytest.raises(ValueError, match="above 0 wanted"):
        average_precisions(TRUTH, [], thresholds)
