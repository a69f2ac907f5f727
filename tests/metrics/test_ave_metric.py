"""AVE segment accuracy: golden values by hand, the two rules for ends, and a naive loop as reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.metrics import ave

LABELS = st.sampled_from(["Bark", "bark ", "Violin, fiddle", "Frying (food)", "background"])
TIMES = st.tuples(st.floats(0, 12), st.floats(0, 12)).map(sorted)
EVENTS = st.lists(st.tuples(LABELS, TIMES).map(lambda event: (event[0], *event[1])), max_size=4)


def test_half_open_rule() -> None:
    labels = ave.segment_labels([("Violin, fiddle", 3, 8)])
    assert labels == ["background"] * 3 + ["violin, fiddle"] * 5 + ["background"] * 2


def test_lab_variant_marks_the_end_second_too() -> None:
    labels = ave.inclusive_segment_labels([("Violin, fiddle", 3, 8)])
    assert labels == ["background"] * 3 + ["violin, fiddle"] * 6 + ["background"]


def test_zero_length_event_is_all_background() -> None:
    assert ave.segment_labels([("Bark", 0, 0)]) == ["background"] * 10
    assert ave.inclusive_segment_labels([("Bark", 0, 0)]) == ["bark"] + ["background"] * 9


def test_first_event_keeps_the_segment() -> None:
    assert ave.segment_labels([("cat", 0, 3), ("dog", 2, 5)], seconds=5) == ["cat"] * 3 + ["dog"] * 2


def test_fractions_of_seconds() -> None:
    assert ave.segment_labels([("dog", 0.5, 2.5)], seconds=4) == ["background", "dog", "dog", "background"]


@pytest.mark.parametrize("event", [("dog", 12, 15), ("dog", -5, -3), ("dog", 10, 10)])
def test_events_outside_the_clip_mark_nothing(event: tuple[str, float, float]) -> None:
    assert ave.segment_labels([event]) == ["background"] * 10


def test_label_outside_the_vocabulary_is_background() -> None:
    events = [("unicorn", 0, 4), ("Dog", 2, 4)]
    assert ave.segment_labels(events, 4, vocabulary=["dog "]) == ["background"] * 2 + ["dog"] * 2


def test_accuracy_by_hand() -> None:
    truth = [ave.segment_labels([("bark", 0, 10)]), ave.segment_labels([("bus", 2, 6)])]
    said = [ave.segment_labels([("bark", 0, 5)]), ave.segment_labels([("cat", 2, 6)])]
    assert ave.segment_accuracy(truth, said) == {"segment_accuracy": pytest.approx(11 / 20)}


def test_always_background_scores_the_background_share() -> None:
    """The reference's 715 of 4,020 test segments, laid out as 402 clips."""
    truth = np.array(["background"] * 715 + ["flute"] * 3305).reshape(402, 10)
    score = ave.segment_accuracy(truth, np.full((402, 10), "background"))["segment_accuracy"]
    assert round(score, 4) == 0.1779


def test_labels_compare_in_any_case_and_stripped() -> None:
    assert ave.segment_accuracy([["Bark", "BUS"]], [[" bark ", "bus"]]) == {"segment_accuracy": 1.0}


@pytest.mark.parametrize("said", [[["a"]], [["a", "b"], ["a", "b"]], ["a", "b"]])
def test_other_shapes_are_refused(said: list[object]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        ave.segment_accuracy([["a", "b"]], said)


def test_no_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="no clip"):
        ave.segment_accuracy(np.empty((0, 10), dtype=str), np.empty((0, 10), dtype=str))


@given(EVENTS)
def test_rules_against_a_naive_loop(events: list[tuple[str, float, float]]) -> None:
    open_, closed = ["background"] * 10, ["background"] * 10
    for i in range(10):
        open_[i] = next((e[0].strip().lower() for e in events if e[1] <= i < e[2]), "background")
        closed[i] = next((e[0].strip().lower() for e in events if e[1] <= i <= e[2]), "background")
    assert ave.segment_labels(events) == open_
    assert ave.inclusive_segment_labels(events) == closed


@given(st.lists(st.tuples(EVENTS, EVENTS), min_size=1, max_size=5))
def test_accuracy_against_a_naive_loop(clips: list[tuple[list, list]]) -> None:
    truth = [ave.segment_labels(true) for true, _ in clips]
    said = [ave.segment_labels(said) for _, said in clips]
    right = sum(truth[n][i] == said[n][i] for n in range(len(clips)) for i in range(10))
    score = ave.segment_accuracy(truth, said)["segment_accuracy"]
    assert score == pytest.approx(right / (10 * len(clips)))
    assert score == ave.segment_accuracy(said, truth)["segment_accuracy"]
