"""AVSBench J and F: golden values of the official code, a slow loop over thresholds, and the edge rules."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from crabplus.metrics import avsbench

GRID = np.float32([np.float32(i * (1 - 1e-10) / 254) for i in range(255)])
"""The thresholds, from their formula."""


def slow_f(scores: NDArray, true: NDArray) -> NDArray:
    """F at each threshold by precision and recall, in doubles, one threshold after the other."""
    values, area = np.zeros(255), np.count_nonzero(true)
    for i, threshold in enumerate(GRID):
        said = scores >= threshold
        hit = np.count_nonzero(said & true)
        if hit:
            precision, recall = hit / np.count_nonzero(said), hit / area
            values[i] = 1.3 * precision * recall / (0.3 * precision + recall)
    return values


def slow_j(scores: NDArray, true: NDArray, cut: float) -> float:
    said = scores > np.float32(cut)
    if not true.any():
        return (~said).sum() / true.size
    return (said & true).sum() / (said | true).sum()


def slow(predicted: list[NDArray], truth: list[NDArray], batch_frames: int, cut: float = 0.5) -> dict[str, float]:
    """The protocol as the reference tells it, batch by batch."""
    jaccards, measures = [], []
    for start in range(0, len(truth), batch_frames):
        pairs = list(zip(predicted, truth, strict=True))[start : start + batch_frames]
        jaccards.append(sum(slow_j(scores, true, cut) for scores, true in pairs) / len(pairs))
        curves = [slow_f(scores, true) for scores, true in pairs if true.any()]
        measures.append(max(sum(curves) / len(curves)) if curves else 0.0)
    return {"J": sum(jaccards) / len(jaccards), "F": sum(measures) / len(measures)}


def random_scores(random: np.random.Generator, shape: tuple[int, int]) -> NDArray:
    """Scores of some kind: smooth, on the thresholds, one step beside them, saturated, or hard."""
    on = random.choice(GRID, size=shape)
    above = np.minimum(np.nextafter(on, np.float32(2)), np.float32(1))
    below = np.maximum(np.nextafter(on, np.float32(-1)), np.float32(0))
    kinds = [
        random.random(shape, dtype=np.float32), on, above, below,
        avsbench.sigmoid(random.normal(0, 12, shape)), (random.random(shape) < random.random()).astype(np.float32),
    ]  # fmt: skip
    return kinds[random.integers(len(kinds))]


def random_case(random: np.random.Generator) -> tuple[list[NDArray], list[NDArray], int]:
    """1 to 9 small frames, a fifth of them with an empty true mask, and a number of frames a batch."""
    shape = int(random.integers(1, 7)), int(random.integers(1, 7))
    count = int(random.integers(1, 10))
    density = random.choice([0.0, 0.1, 0.4, 0.8, 1.0], size=count)
    truth = [random.random(shape) < share for share in density]
    return [random_scores(random, shape) for _ in truth], truth, int(random.integers(1, 6))


def cases(count: int) -> Iterator[tuple[list[NDArray], list[NDArray], int]]:
    random = np.random.default_rng(7)
    return (random_case(random) for _ in range(count))


def rows(first: int, stop: int, side: int = 10) -> NDArray:
    mask = np.zeros((side, side), dtype=bool)
    mask[first:stop] = True
    return mask


TRUTH = [rows(0, 5), rows(0, 2)]
SAID = [rows(0, 5), rows(8, 10)]


def test_golden_values_of_the_official_code() -> None:
    logits = [np.where(mask, 100.0, -100.0) for mask in SAID]
    scores = [avsbench.sigmoid(values) for values in logits]
    for predicted in (SAID, scores):
        both = avsbench.jaccard_f(predicted, TRUTH, batch_frames=2)
        assert both == {"J": pytest.approx(0.5), "F": pytest.approx(0.5)}
        assert avsbench.jaccard_f(predicted, TRUTH, batch_frames=1)["F"] == pytest.approx(0.62264, abs=1e-5)


@pytest.mark.parametrize(("foreground", "expected"), [(0, 1.0), (10, 0.0), (3, 0.7)])
def test_empty_truth_gives_the_background_share_and_no_f(foreground: int, expected: float) -> None:
    numbers = avsbench.jaccard_f([rows(0, foreground)], [rows(0, 0)])
    assert numbers == {"J": pytest.approx(expected), "F": 0.0}


def test_empty_truth_does_not_enter_f_of_its_batch() -> None:
    truth, said = [rows(0, 5), rows(0, 0)], [rows(0, 5), rows(0, 10)]
    assert avsbench.jaccard_f(said, truth, batch_frames=2) == {"J": 0.5, "F": 1.0}
    assert avsbench.jaccard_f(said, truth, batch_frames=1) == {"J": 0.5, "F": 0.5}


@pytest.mark.parametrize("predicted", [None, rows(0, 0), np.zeros((10, 10), dtype=np.float32)])
def test_an_empty_prediction_on_half_a_frame_scores_as_all_foreground(predicted: NDArray | None) -> None:
    assert avsbench.jaccard_f([predicted], [rows(0, 5)]) == {"J": 0.0, "F": pytest.approx(0.5652, abs=5e-5)}


def test_random_cases_against_the_slow_loop() -> None:
    for predicted, truth, batch_frames in cases(300):
        numbers = avsbench.jaccard_f(predicted, truth, batch_frames)
        assert numbers == pytest.approx(slow(predicted, truth, batch_frames), abs=1e-9)


def test_curves_against_the_slow_loop_on_a_whole_frame() -> None:
    random = np.random.default_rng(3)
    true = random.random((224, 224)) < 0.3
    scores = avsbench.sigmoid(random.normal(0, 6, true.shape) + 3 * true)
    jaccard, curves = avsbench.frame_curves([scores], [true])
    assert jaccard[0] == pytest.approx(slow_j(scores, true, 0.5), abs=1e-12)
    np.testing.assert_allclose(curves[0], slow_f(scores, true), atol=1e-12)


def test_every_float_beside_a_threshold_falls_on_its_side() -> None:
    """One pixel of truth beside one that is always reached: 1 where both are in, else 1.3 / 1.6."""
    for near in (GRID, np.nextafter(GRID, np.float32(2)), np.nextafter(GRID, np.float32(-1))):
        usable = near[(near >= 0) & (near <= 1)]
        truth = [np.array([[True, True]])] * usable.size
        _, curves = avsbench.frame_curves([np.array([[1, score]], dtype=np.float32) for score in usable], truth)
        reached = usable[:, None] >= GRID
        np.testing.assert_allclose(curves, np.where(reached, 1.0, 1.3 / 1.6), atol=1e-12)


def test_thresholds_start_at_all_and_end_at_one() -> None:
    assert (avsbench.THRESHOLDS == GRID).all() and avsbench.THRESHOLDS.dtype == np.float32
    below = np.nextafter(np.float32(1), np.float32(0))
    curve = avsbench.frame_curves([[[1, below], [0, 0]]], [[[1, 1], [0, 0]]])[1][0]
    assert curve[0] == pytest.approx(1.3 * 2 / 4.6)
    assert curve[1] == curve[253] == 1.0
    assert curve[254] == pytest.approx(1.3 / 1.6)


def test_j_needs_more_than_the_cut_and_f_as_much_as_the_threshold() -> None:
    jaccard, curves = avsbench.frame_curves([[[0.5, 0.0]]], [[[1, 0]]])
    assert jaccard[0] == 0.0 and curves[0, 127] == 1.0 and curves[0, 128] == 0.0
    assert avsbench.frame_curves([[[0.5, 0.0]]], [[[1, 0]]], cut=0.4)[0][0] == 1.0


def test_a_short_last_batch_counts_as_a_full_one() -> None:
    said, truth = [rows(0, 5)] * 4 + [rows(5, 10)], [rows(0, 5)] * 5
    assert avsbench.jaccard_f(said, truth, batch_frames=4)["J"] == 0.5
    assert avsbench.jaccard_f(said, truth, batch_frames=5)["J"] == pytest.approx(0.8)


def test_default_is_four_videos_of_five_frames() -> None:
    said, truth = [rows(0, 5)] * 20 + [rows(5, 10)], [rows(0, 5)] * 21
    assert avsbench.jaccard_f(said, truth)["J"] == 0.5


def test_batches_of_curves_give_the_same_numbers() -> None:
    for predicted, truth, batch_frames in cases(20):
        measured = avsbench.frame_curves(predicted, truth)
        assert avsbench.batch_means(*measured, batch_frames) == avsbench.jaccard_f(predicted, truth, batch_frames)


def test_frames_may_come_one_by_one_and_in_sizes() -> None:
    truth = (rows(0, side // 2, side) for side in (4, 10))
    said = (rows(0, side // 2, side) * np.uint8(1) for side in (4, 10))
    assert avsbench.jaccard_f(said, truth) == {"J": 1.0, "F": pytest.approx(1.0)}


def test_foreground_of_the_truth_is_what_is_not_zero() -> None:
    for value in (1, 255, 0.5):
        assert avsbench.jaccard_f([rows(0, 5)], [rows(0, 5) * value])["J"] == 1.0


def test_numbers_are_plain() -> None:
    for numbers in (avsbench.jaccard_f(SAID, TRUTH), avsbench.plain_frame_means(SAID, TRUTH)):
        assert all(type(value) is float for value in numbers.values())


def test_sigmoid() -> None:
    scores = avsbench.sigmoid([-1000, -2, 0, 2, 17, 1000])
    assert scores.dtype == np.float32 and scores[[0, 2, 4, 5]].tolist() == [0, 0.5, 1, 1]
    assert scores[[1, 3]] == pytest.approx([0.1192029, 0.8807971])


def test_plain_frames_by_hand() -> None:
    truth = [rows(0, 5), rows(0, 2), rows(0, 0), rows(0, 0), rows(0, 4)]
    said = [rows(0, 5), None, None, rows(0, 1), rows(2, 8)]
    half = 1.3 * 20 / (60 + 0.3 * 40)
    expected = [[1, 1], [0, 0], [1, 1], [0, 0], [0.25, half]]
    assert avsbench.plain_frames(said, truth) == pytest.approx(np.array(expected))
    assert avsbench.plain_frame_means(said, truth) == pytest.approx({"frame_J": 2.25 / 5, "frame_F": (2 + half) / 5})


def test_plain_frames_against_precision_and_recall() -> None:
    for predicted, truth, _ in cases(300):
        for scores, true in zip(predicted, truth, strict=True):
            said = scores > np.float32(0.5)
            hit, both = (said & true).sum(), (said | true).sum()
            precision, recall = hit / max(said.sum(), 1), hit / max(true.sum(), 1)
            f = 1.3 * precision * recall / (0.3 * precision + recall) if hit else float(not both)
            j = hit / both if both else 1.0
            assert avsbench.plain_frames([scores], [true])[0] == pytest.approx([j, f], abs=1e-9)


@pytest.mark.parametrize("function", [avsbench.jaccard_f, avsbench.plain_frame_means])
@pytest.mark.parametrize(
    ("said", "truth", "message"),
    [
        ([], [], "1 or more wanted"),
        ([None], [], "only 0 true"),
        ([None], [[[1]], [[1]]], "only 1 predicted"),
        ([None], [[1, 0]], "frame 0: a true mask"),
        ([None], [np.zeros((0, 4))], "frame 0: a true mask"),
        ([None], [[[float("nan")]]], "frame 0: a true mask of finite"),
        ([None, [[1, 0]]], [[[1]], [[1]]], r"frame 1: scores of the true mask's shape \(1, 1\) wanted, got \(1, 2\)"),
        ([[1, 0]], [[[1, 0]]], "frame 0: scores .height, width. wanted"),
        ([[[-2.0, 3.0]]], [[[1, 0]]], "frame 0: scores 0..1 wanted .logits go through sigmoid., got -2.0 to 3.0"),
        ([[[1.5, 0.0]]], [[[1, 0]]], "scores 0..1"),
        ([[[-0.5, 0.0]]], [[[1, 0]]], "scores 0..1"),
        ([[[float("nan"), 0.0]]], [[[1, 0]]], "scores 0..1"),
        ([[[0, 255]]], [[[0, 255]]], "scores 0..1"),
    ],
)
def test_bad_frames_are_refused(function, said: list, truth: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(said, truth)


@pytest.mark.parametrize("batch_frames", [0, -5])
def test_a_batch_without_frames_is_refused(batch_frames: int) -> None:
    with pytest.raises(ValueError, match="batch_frames: at least 1"):
        avsbench.jaccard_f(SAID, TRUTH, batch_frames)
    with pytest.raises(ValueError, match="batch_frames: at least 1"):
        avsbench.batch_means(*avsbench.frame_curves(SAID, TRUTH), batch_frames)


def test_curves_of_other_frames_are_refused() -> None:
    jaccard, curves = avsbench.frame_curves(SAID, TRUTH)
    with pytest.raises(ValueError, match="got 1, 2"):
        avsbench.batch_means(jaccard[:1], curves, 5)
