"""Ref-AVS J, F and S: golden values of the official code, slow loops as reference, and the edge rules."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from crabplus.metrics import avsbench, ref_avs

THRESHOLDS = np.float32([np.float32(i * (1 - 1e-10) / 254) for i in range(255)])


def first_rows(count: int, side: int = 4) -> NDArray:
    mask = np.zeros((side, side), dtype=bool)
    mask[:count] = True
    return mask


SAID = [first_rows(1), first_rows(0)]
TRUTH = [first_rows(2), first_rows(0)]


def as_logits(mask: NDArray) -> NDArray:
    return avsbench.sigmoid(np.where(mask, 100.0, -100.0))


@pytest.mark.parametrize("predicted", [SAID, [SAID[0], None], [as_logits(mask) for mask in SAID]])
def test_golden_values_of_the_official_code(predicted: list) -> None:
    assert ref_avs.jaccard_f(predicted, TRUTH) == {"J": pytest.approx(0.75), "F": pytest.approx(0.8125)}
    assert ref_avs.null_s(predicted)["S"] == pytest.approx(0.35355, abs=1e-5)
    assert ref_avs.null_s(predicted, batch_frames=1)["S"] == pytest.approx(0.25)


@pytest.mark.parametrize("predicted", [SAID, [SAID[0], None]])
def test_golden_value_of_the_later_code(predicted: list) -> None:
    numbers = ref_avs.frame_background_s(predicted)
    assert numbers == {"frame_background_S": pytest.approx(0.28868, abs=1e-5), "infinite_frames": 0.0}


def slow_jaccard_f(predicted: list[NDArray], truth: list[NDArray], batch_frames: int) -> dict[str, float]:
    jaccards, measures = [], []
    for start in range(0, len(truth), batch_frames):
        batch = range(start, min(start + batch_frames, len(truth)))
        jaccard, curve, counted = 0.0, np.zeros(255), 0
        for n in batch:
            said, true = predicted[n] > np.float32(0.4), truth[n]
            if not true.any():
                jaccard += (~said).mean()
                continue
            jaccard += (said & true).sum() / (said | true).sum()
            counted += 1
            for i, threshold in enumerate(THRESHOLDS):
                over = predicted[n] >= threshold
                hit, size = np.count_nonzero(over & true), np.count_nonzero(over)
                precision, recall = hit / max(size, 1), hit / np.count_nonzero(true)
                curve[i] += 1.3 * precision * recall / (0.3 * precision + recall) if hit else 0.0
        jaccards.append(jaccard / len(batch))
        measures.append((curve / counted).max() if counted else 0.0)
    return {"J": float(np.mean(jaccards)), "F": float(np.mean(measures))}


def slow_s(predicted: list[NDArray | None], shape: tuple[int, int], batch_frames: int) -> float:
    values = []
    for start in range(0, len(predicted), batch_frames):
        batch = predicted[start : start + batch_frames]
        marked = sum(int(score > 0.5) for frame in batch if frame is not None for score in frame.ravel().tolist())
        values.append(math.sqrt(marked / (len(batch) * shape[0] * shape[1])))
    return sum(values) / len(values)


def random_frames(random: np.random.Generator) -> list[NDArray]:
    """1 to 8 frames of one small size, smooth, saturated, or on a coarse grid that holds the cuts themselves."""
    shape = int(random.integers(1, 6)), int(random.integers(1, 6))
    frames = []
    for _ in range(random.integers(1, 9)):
        smooth = random.random(shape, dtype=np.float32)
        kinds = [smooth, (smooth > 0.7).astype(np.float32), (np.round(10 * smooth) / 10).astype(np.float32),
                 avsbench.sigmoid(random.normal(-4, 10, shape))]  # fmt: skip
        frames.append(kinds[random.integers(len(kinds))])
    return frames


def test_jaccard_and_f_of_random_cases() -> None:
    random = np.random.default_rng(11)
    for _ in range(200):
        predicted, batch_frames = random_frames(random), int(random.integers(1, 6))
        truth = [random.random(frame.shape) < random.choice([0.0, 0.2, 0.6, 1.0]) for frame in predicted]
        numbers = ref_avs.jaccard_f(predicted, truth, batch_frames)
        assert numbers == pytest.approx(slow_jaccard_f(predicted, truth, batch_frames), abs=1e-9)


def test_s_of_random_cases() -> None:
    random = np.random.default_rng(12)
    for _ in range(300):
        frames, batch_frames = random_frames(random), int(random.integers(1, 6))
        missing = [None if random.random() < 0.2 else frame for frame in frames]
        expected = slow_s(missing, frames[0].shape, batch_frames)
        assert ref_avs.null_s(missing, batch_frames) == {"S": pytest.approx(expected, abs=1e-12)}


def test_s_of_single_frames_of_random_cases() -> None:
    random = np.random.default_rng(13)
    for _ in range(300):
        frames = random_frames(random)
        marked = [(int((frame > 0.5).sum()), frame.size) for frame in frames]
        finite = [math.sqrt(count / (size - count)) for count, size in marked if count < size]
        numbers = ref_avs.frame_background_s(frames)
        assert numbers["infinite_frames"] == len(frames) - len(finite)
        mean = sum(finite) / len(finite) if finite else math.inf
        assert numbers["frame_background_S"] == pytest.approx(mean)


def test_cuts_are_strict_and_differ() -> None:
    cut = np.float32(0.4)
    above = np.nextafter(cut, np.float32(1))
    assert ref_avs.jaccard_f([[[cut, 0]]], [[[1, 0]]])["J"] == 0.0
    assert ref_avs.jaccard_f([[[above, 0]]], [[[1, 0]]])["J"] == 1.0
    assert ref_avs.null_s([[[0.45, 0.5, 0.51, 1.0]]])["S"] == pytest.approx(math.sqrt(0.5))


def test_default_is_forty_frames() -> None:
    said = [first_rows(0)] * 40 + [first_rows(4)]
    assert ref_avs.null_s(said) == {"S": 0.5}
    assert ref_avs.jaccard_f(said, [first_rows(4)] * 41)["J"] == 0.5


def test_empty_and_full_masks() -> None:
    assert ref_avs.null_s([None, None]) == {"S": 0.0}
    assert ref_avs.null_s([first_rows(4)]) == {"S": 1.0}
    assert ref_avs.frame_background_s([None]) == {"frame_background_S": 0.0, "infinite_frames": 0.0}
    assert ref_avs.frame_background_s([first_rows(4)]) == {"frame_background_S": math.inf, "infinite_frames": 1.0}
    assert ref_avs.frame_background_s([first_rows(4), first_rows(2)])["frame_background_S"] == 1.0


def test_numbers_are_plain() -> None:
    for numbers in (ref_avs.jaccard_f(SAID, TRUTH), ref_avs.null_s(SAID), ref_avs.frame_background_s(SAID)):
        assert all(type(value) is float for value in numbers.values())


@pytest.mark.parametrize("function", [ref_avs.null_s, ref_avs.frame_background_s])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "1 or more wanted"),
        ([[[1, 0]], None, [[1]]], r"frame 2: the size \(1, 2\) of the frames before wanted, got \(1, 1\)"),
        ([None, [1, 0]], "frame 1: scores .height, width. wanted"),
        ([[[-3.0, 9.0]]], "frame 0: scores 0..1"),
        ([[[float("nan")]]], "frame 0: scores 0..1"),
    ],
)
def test_bad_frames_are_refused(function, said: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(said)


def test_bad_batches_and_pairs_are_refused() -> None:
    for call in (lambda: ref_avs.null_s(SAID, 0), lambda: ref_avs.jaccard_f(SAID, TRUTH, 0)):
        with pytest.raises(ValueError, match="batch_frames: at least 1"):
            call()
    with pytest.raises(ValueError, match="only 1 true"):
        ref_avs.jaccard_f(SAID, TRUTH[:1])
