"""The grammar of answers: what is written is read back, other forms are understood, nothing is made up or raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.schema import Event, Object
from crabplus.tasks.tags import (
    read_answer,
    read_events,
    read_object,
    split_reasoning,
    to_units,
    write_answer,
    write_events,
    write_object,
)

words = st.text("abcdefgh ,'", min_size=1, max_size=14).map(lambda s: s.strip(" ,'")).filter(bool)
times = st.integers(0, 100).map(lambda tenths: tenths / 10)


@given(words)
def test_answer_there_and_back(word):
    assert read_answer(f"Because of this. {write_answer(word)}") == (word, "")


@given(st.lists(st.tuples(words, times, times), min_size=1, max_size=4))
def test_events_there_and_back(rows):
    events = [Event(label, min(a, b), max(a, b) + 0.5) for label, a, b in rows]
    found, reason = read_events(write_events(events))
    assert reason == ""
    assert sorted(found, key=repr) == sorted(events, key=repr)


@given(words, st.tuples(*[st.integers(0, 27)] * 4))
def test_object_there_and_back(label, units):
    x1, y1, x2, y2 = min(units[0], units[2]), min(units[1], units[3]), max(units[0], units[2]), max(units[1], units[3])
    thing = Object(label, (x1 / 28, y1 / 28, (x2 + 1) / 28, (y2 + 1) / 28))
    found, reason = read_object(write_object(thing, (28, 28)), (28, 28))
    assert reason == "" and found == thing


@pytest.mark.parametrize("text", [
    "<obj>dog (3,4)(10,20)</obj>", "<OBJ> dog ( 3 , 4 ) , (10, 20)", "so <obj>dog: [3, 4, 10, 20]</obj>.",
    "<obj>dog (3 4) (10 20)</obj>",
])  # fmt: skip
def test_object_in_other_forms(text):
    assert read_object(text, (28, 28))[0] == Object("dog", (3 / 28, 4 / 28, 10 / 28, 20 / 28))


@pytest.mark.parametrize("text", [
    "<event>Violin, fiddle, (3 8)</event>", "<event> Violin, fiddle (3,8)", "<EVENT>Violin, fiddle, ( 3 - 8 )</EVENT>",
])  # fmt: skip
def test_event_with_a_comma_in_its_name(text):
    assert read_events(text)[0] == [Event("Violin, fiddle", 3, 8)]


def test_several_ranges_and_events():
    found, _ = read_events("<event>dog, (0 3)(7 10)</event><event>cat, (1 2)</event>")
    assert found == [Event("dog", 0, 3), Event("dog", 7, 10), Event("cat", 1, 2)]


@pytest.mark.parametrize(("read", "text"), [
    (read_answer, ""), (read_answer, "left"), (read_answer, "<answer></answer>"), (read_answer, "<answer> . "),
    (read_events, "dog, (3 8)"), (read_events, "<event>dog</event>"), (read_events, "<event>(3 8)</event>"),
    (read_events, "<event>dog, (8 3)</event>"), (read_events, "<event>dog, (3 3)</event>"),
])  # fmt: skip
def test_nothing_is_made_up(read, text):
    found, reason = read(text)
    assert not found and reason


@pytest.mark.parametrize("text", [
    "<obj>dog (3,4)(30,20)</obj>", "<obj>dog (10,4)(3,20)</obj>", "<obj>dog (3,4)</obj>", "dog (3,4)(10,20)",
    "<obj>dog (-3,4)(10,20)</obj>",
])  # fmt: skip
def test_no_box_outside_the_canvas(text):
    found, reason = read_object(text, (28, 28))
    assert found is None and reason


@given(st.text(st.sampled_from("<>/answerevntobj (),[]0123456789.-é\n"), max_size=80))
def test_no_text_raises(text):
    for found, reason in (read_answer(text), read_events(text), read_object(text, (28, 28))):
        assert bool(found) != bool(reason)
    split_reasoning(text)


def test_reasoning_stands_before_the_first_tag():
    assert split_reasoning("I hear it. <answer>yes</answer> and more") == "I hear it."
    assert split_reasoning("<answer>yes</answer>") is None


def test_a_box_is_at_least_one_unit():
    assert to_units((0.999, 0.999, 1.0, 1.0), (28, 28)) == (27, 27, 28, 28)
