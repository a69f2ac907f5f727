"""MUSIC-AVQA answer accuracy: golden values by hand, empty cells, and what counts as the same word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.metrics.music_avqa import CELLS, answer_accuracy, normalise

ANSWERS = st.lists(st.tuples(st.booleans(), st.sampled_from([*CELLS, ("Audio", "Location")])), min_size=1)


def test_micro_averages_by_hand() -> None:
    correct = [True, False, True, True, False]
    types = [("Audio", "Counting"), ("Audio", "Counting"), ("Audio", "Comparative"),
             ("Audio-Visual", "Existential"), ("Audio-Visual", "Temporal")]  # fmt: skip
    numbers = answer_accuracy(correct, types)
    assert numbers == {
        "accuracy": pytest.approx(3 / 5), "Audio": pytest.approx(2 / 3), "Visual": None, "Audio-Visual": 0.5,
        "Audio/Counting": 0.5, "Audio/Comparative": 1.0, "Visual/Counting": None, "Visual/Location": None,
        "Audio-Visual/Existential": 1.0, "Audio-Visual/Counting": None, "Audio-Visual/Location": None,
        "Audio-Visual/Comparative": None, "Audio-Visual/Temporal": 0.0,
    }  # fmt: skip


def test_other_cells_get_their_own_numbers() -> None:
    numbers = answer_accuracy([1, 0], [("Smell", "Counting"), ("Audio", "Location")])
    assert numbers["Smell"] == numbers["Smell/Counting"] == 1.0
    assert numbers["Audio/Location"] == 0.0 and numbers["accuracy"] == 0.5


@given(ANSWERS)
def test_averages_weigh_every_question_alike(answers: list[tuple[bool, tuple[str, str]]]) -> None:
    correct, types = [right for right, _ in answers], [kind for _, kind in answers]
    numbers = answer_accuracy(correct, types)
    assert numbers["accuracy"] == pytest.approx(sum(correct) / len(correct))
    for name in ("Audio", "Visual", "Audio-Visual"):
        cell = [right for right, kind in answers if kind[0] == name]
        assert numbers[name] == (pytest.approx(sum(cell) / len(cell)) if cell else None)


@pytest.mark.parametrize(("correct", "types"), [([], []), ([True], []), ([[True]], [("Audio", "Counting")])])
def test_answers_without_type_are_refused(correct: list, types: list) -> None:
    with pytest.raises(ValueError, match="one pair per answer"):
        answer_accuracy(correct, types)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Acoustic_guitar.", "acoustic guitar"), ("  more  than ten ", "more than ten"), ("YES .", "yes"), ("", "")],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_a_substring_is_not_the_answer() -> None:
    assert normalise("no") != normalise("piano")


@given(st.text())
def test_normalise_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
