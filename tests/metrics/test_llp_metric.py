"""LLP parsing: golden values of the official file, and its formulas written out video by video as reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.metrics.llp import event_grid, parsing_scores, video_scores

CLASSES = ("Speech", "Dog", "Frying_(food)")
NAMES = [f"{level}_{kind}" for level in ("segment", "event")
         for kind in ("audio", "visual", "audio_visual", "type", "event")]  # fmt: skip
TIMES = st.one_of(st.integers(-2, 12), st.floats(-2, 12))
EVENTS = st.lists(st.tuples(st.sampled_from([*CLASSES, "Unicorn"]), TIMES, TIMES), max_size=5)


def grid(*spans: tuple[int, int]) -> np.ndarray:
    """(1, 3, 10): intervals of one class in one video."""
    return event_grid([("Dog", *span) for span in spans], CLASSES)[None]


NOTHING = grid()


# The formulas, slowly: lists of 0 and 1, no shared code.


def slow_runs(row: list[int]) -> list[set[int]]:
    runs: list[set[int]] = []
    for t, mark in enumerate(row):
        if mark and t and row[t - 1]:
            runs[-1].add(t)
        elif mark:
            runs.append({t})
    return runs


def slow_counts(true: list[int], said: list[int], level: str) -> tuple[int, int, int]:
    """True positives, false positives, false negatives of one class in one video."""
    if level == "segment":
        both = sum(1 for g, p in zip(true, said, strict=True) if g and p)
        return both, sum(said) - both, sum(true) - both
    events, found = slow_runs(true), slow_runs(said)
    right = sum(any(len(p & g) / len(p | g) >= 0.5 for g in events) for p in found)
    missed = sum(not any(len(p & g) / len(p | g) >= 0.5 for p in found) for g in events)
    return right, len(found) - right, missed


def slow_f(counts: list[tuple[int, int, int]]) -> float:
    shares = [2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts if tp + fp + fn]
    return sum(shares) / len(shares) if shares else 1.0


def slow_scores(true_a: list, true_v: list, said_a: list, said_v: list) -> dict[str, float]:
    """All ten numbers of one video from lists (C, T)."""

    def both(audio: list, visual: list) -> list:
        return [[x * y for x, y in zip(one, other, strict=True)] for one, other in zip(audio, visual, strict=True)]

    numbers = {}
    for level in ("segment", "event"):
        pairs = {"audio": (true_a, said_a), "visual": (true_v, said_v),
                 "audio_visual": (both(true_a, true_v), both(said_a, said_v))}  # fmt: skip
        counts = {
            kind: [slow_counts(g, p, level) for g, p in zip(*grids, strict=True)] for kind, grids in pairs.items()
        }
        pooled = [
            tuple(x + y for x, y in zip(*pair, strict=True))
            for pair in zip(counts["audio"], counts["visual"], strict=True)
        ]
        for kind, found in counts.items():
            numbers[f"{level}_{kind}"] = slow_f(found)
        numbers[f"{level}_type"] = sum(slow_f(found) for found in counts.values()) / 3
        numbers[f"{level}_event"] = slow_f(pooled)
    return numbers


def random_grids(seed: int) -> list[np.ndarray]:
    """Four grids (N, C, T); the said ones are true ones with some marks flipped, the density differs."""
    draw = np.random.default_rng(seed)
    shape = draw.integers(1, (5, 7, 13))
    true = [draw.random(shape) < draw.choice([0.0, 0.1, 0.5, 0.9]) for _ in range(2)]
    said = [marks ^ (draw.random(shape) < draw.choice([0.0, 0.1, 0.3, 1.0])) for marks in true]
    empty = draw.random(shape[0]) < 0.2
    said[0][empty] = False
    return [*true, *said]


@pytest.mark.parametrize("block", range(5))
def test_equals_the_formulas_written_out(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        grids = random_grids(seed)
        each, whole = video_scores(*grids), parsing_scores(*grids)
        slow = [slow_scores(*(marks.astype(int).tolist() for marks in video)) for video in zip(*grids, strict=True)]
        assert list(each) == list(whole) == NAMES
        for name in NAMES:
            assert each[name].tolist() == pytest.approx([video[name] for video in slow], abs=1e-12), (seed, name)
            assert whole[name] == pytest.approx(sum(video[name] for video in slow) / len(slow), abs=1e-12), seed


def test_of_a_run_at_most_one_other_is_right() -> None:
    """Why pairs can be counted: so it is for all 128 x 128 pairs of rows of seven seconds."""
    rows = [[int(mark) for mark in f"{number:07b}"] for number in range(128)]
    true, said = (np.array([[row] for row in side]) for side in zip(*((g, p) for g in rows for p in rows), strict=True))
    scores = video_scores(true, true, said, said)["event_audio"]
    slow = [slow_f([slow_counts(g, p, "event")]) for g in rows for p in rows]
    assert scores.tolist() == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_truth_and_prediction_may_change_places(seed: int) -> None:
    true_a, true_v, said_a, said_v = random_grids(seed)
    assert parsing_scores(true_a, true_v, said_a, said_v) == parsing_scores(said_a, said_v, true_a, true_v)


# What the official file gives (reference: datasets-temporal-qa, section 2).


def test_nothing_true_and_nothing_said_is_perfect() -> None:
    assert parsing_scores(NOTHING, NOTHING, NOTHING, NOTHING) == dict.fromkeys(NAMES, 1.0)


def test_silence_about_a_true_event_is_zero_where_it_is_and_nowhere_else() -> None:
    scores = parsing_scores(grid((2, 6)), NOTHING, NOTHING, NOTHING)
    for level in ("segment", "event"):
        assert [scores[f"{level}_{kind}"] for kind in ("audio", "visual", "audio_visual")] == [0, 1, 1]
        assert scores[f"{level}_event"] == 0 and scores[f"{level}_type"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("true", "said", "event", "segment"),
    [
        (grid((0, 4)), grid((0, 2)), 1.0, 2 / 3),
        (grid((0, 10)), grid((0, 5), (6, 10)), 2 / 3, 18 / 19),
        (grid((1, 3)), grid((0, 2)), 0.0, 1 / 2),
        (NOTHING, grid((0, 1)), 0.0, 0.0),
    ],
)
def test_golden_values(true: np.ndarray, said: np.ndarray, event: float, segment: float) -> None:
    heard, seen = parsing_scores(true, NOTHING, said, NOTHING), parsing_scores(NOTHING, true, NOTHING, said)
    both = parsing_scores(true, true, said, said)
    for level, value in (("event", event), ("segment", segment)):
        assert heard[f"{level}_audio"] == heard[f"{level}_event"] == seen[f"{level}_visual"] == pytest.approx(value)
        assert heard[f"{level}_visual"] == heard[f"{level}_audio_visual"] == seen[f"{level}_audio"] == 1.0
        assert heard[f"{level}_type"] == pytest.approx((value + 2) / 3)
        assert [both[f"{level}_{kind}"] for kind in ("audio_visual", "type", "event")] == pytest.approx([value] * 3)


def test_event_pools_audio_and_visual_counts_class_by_class() -> None:
    """Heard right, seen wrong: 2 / (2 + 1 + 1) = 1/2; the grid of both senses has no part in it."""
    scores = parsing_scores(grid((0, 4)), grid((6, 10)), grid((0, 4)), grid((0, 4)))
    assert scores["event_audio"] == 1 and scores["event_visual"] == 0 and scores["event_event"] == 0.5
    assert scores["event_audio_visual"] == 0 and scores["event_type"] == pytest.approx(1 / 3)


def test_each_video_by_itself() -> None:
    true, said = np.concatenate([grid((0, 4)), NOTHING]), np.concatenate([grid((0, 2)), grid((3, 5))])
    none = np.zeros_like(true)
    assert video_scores(true, none, said, none)["segment_audio"].tolist() == [pytest.approx(2 / 3), 0.0]
    assert parsing_scores(true, none, said, none)["segment_audio"] == pytest.approx(1 / 3)


# The grid.


@pytest.mark.parametrize("span", [(9, 9), (10, 10), (0, 0), (1, 1), (9, 0)])
def test_intervals_without_length_mark_nothing(span: tuple[int, int]) -> None:
    assert not event_grid([("Dog", *span)], CLASSES).any()


def test_overlapping_repeated_and_touching_events_are_one() -> None:
    merged = grid((2, 8))
    for spans in [((2, 6), (4, 8)), ((2, 8), (2, 8)), ((2, 5), (5, 8)), ((5, 8), (2, 5), (3, 4))]:
        assert (grid(*spans) == merged).all()
        assert parsing_scores(merged, NOTHING, grid(*spans), NOTHING)["event_audio"] == 1.0


def test_labels_compare_stripped_and_in_any_case() -> None:
    marks = event_grid([(" frying_(FOOD)", -3, 2), ("unicorn", 0, 10), ("dog ", 8.5, 99)], CLASSES)
    assert [np.flatnonzero(row).tolist() for row in marks] == [[], [9], [0, 1]]
    assert marks.dtype == np.bool_ and marks.shape == (3, 10)


@given(EVENTS, st.integers(1, 12))
def test_grid_against_a_naive_loop(events: list[tuple[str, float, float]], seconds: int) -> None:
    marks = event_grid(events, CLASSES, seconds)
    for c, label in enumerate(CLASSES):
        for t in range(seconds):
            assert marks[c, t] == any(e[0] == label and e[1] <= t < e[2] for e in events)


def test_vocabulary_with_one_label_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="labels that differ wanted"):
        event_grid([], ["Dog", "dog "])


# What is refused.


@pytest.mark.parametrize("shape", [(1, 3, 9), (2, 3, 10), (3, 10), (0, 3, 10)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one shape wanted"):
        parsing_scores(NOTHING, NOTHING, NOTHING, np.zeros(shape))


def test_empty_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one video"):
        parsing_scores(*[np.zeros((0, 3, 10))] * 4)


@pytest.mark.parametrize("value", [2, 0.5, -1, np.nan])
def test_other_than_zero_and_one_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="said_audio: 0 and 1 wanted"):
        video_scores(NOTHING, NOTHING, np.full((1, 3, 10), value), NOTHING)


def test_zero_and_one_of_any_type_are_taken() -> None:
    true, said = grid((0, 4)), grid((0, 2))
    plain = parsing_scores(true, true, said, said)
    assert parsing_scores(true.astype(float), true.tolist(), said.astype(np.int8), said.astype(int)) == plain
