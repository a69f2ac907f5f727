"""The grammar of answers: what is written is read back, other forms are understood, nothing is made up or raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.schema import Event, Object
from crabplus.tasks.tags import (
    read_answer,
    read_caption,
    read_events,
    read_object,
    read_objects,
    read_sense_events,
    read_truth,
    split_reasoning,
    to_units,
    write_answer,
    write_caption,
    write_events,
    write_object,
    write_sense_events,
)

words = st.text("abcdefgh ,'", min_size=1, max_size=14).map(lambda s: " ".join(s.strip(" ,'").split())).filter(bool)
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


@given(st.lists(st.tuples(words, times, times, st.sampled_from(["audio", "visual"])), min_size=1, max_size=4))
def test_events_of_one_sense_there_and_back(rows):
    events = [Event(label, min(a, b), max(a, b) + 0.5, sense) for label, a, b, sense in rows]
    found, reason = read_sense_events(write_sense_events(events))
    assert reason == ""
    assert sorted(found, key=repr) == sorted(events, key=repr)


units = st.integers(0, 27)
points = st.lists(st.tuples(units, units).map(lambda p: ((p[0] + 0.5) / 28, (p[1] + 0.5) / 28)), max_size=4)


def box_of(four):
    x1, y1, x2, y2 = min(four[0], four[2]), min(four[1], four[3]), max(four[0], four[2]), max(four[1], four[3])
    return x1 / 28, y1 / 28, (x2 + 1) / 28, (y2 + 1) / 28


@given(st.lists(st.tuples(words, st.tuples(*[units] * 4).map(box_of), points.map(tuple)), min_size=1, max_size=3))
def test_objects_there_and_back(rows):
    things = [Object(*row) for row in rows]
    text = "".join(write_object(thing, (28, 28)) for thing in things)
    assert read_objects(text, (28, 28)) == (things, "")
    assert read_object(text, (28, 28)) == (things[-1], "")


@given(st.booleans())
def test_truth_there_and_back(there):
    assert read_truth(f"I look. {write_answer(str(there).lower())}.") == (there, "")


@given(st.text("abc <>.,", min_size=1).map(lambda s: " ".join(s.replace("<", "").split())).filter(bool))
def test_caption_there_and_back(caption):
    assert read_caption(f"I hear it. {write_caption(caption)}") == (caption, "")
    assert read_caption(caption) == (caption, "")


@pytest.mark.parametrize("text", [
    "<obj>dog (3,4)(10,20)</obj>", "<OBJ> dog ( 3 , 4 ) , (10, 20)", "so <obj>dog: [3, 4, 10, 20]</obj>.",
    "<obj>dog (3 4) (10 20)</obj>", "<obj>\ndog\n(3,\n4)(10,20)\n</obj>", "<obj>dog [3,4],[10,20]</obj>",
])  # fmt: skip
def test_object_in_other_forms(text):
    assert read_object(text, (28, 28))[0] == Object("dog", (3 / 28, 4 / 28, 10 / 28, 20 / 28))


@pytest.mark.parametrize("text", [
    "<obj>dog [3,4,10,20] [5,6] [7, 8]</obj>", "<obj>dog (3,4)(10,20) (5,6)(7,8)</obj>",
    "<obj>dog (3,4),(10,20), (5,6), (7,8)",
    "<obj>dog (3,4)(10,20) (5,6)(7,8)(28,3)(2,-1)</obj>",
])  # fmt: skip
def test_points_in_other_forms(text):
    found = read_object(text, (28, 28))[0]
    assert found == Object("dog", (3 / 28, 4 / 28, 10 / 28, 20 / 28), ((5.5 / 28, 6.5 / 28), (7.5 / 28, 8.5 / 28)))


def test_boxes_in_bare_text():
    found, _ = read_objects("A dog at [3,4,10,20], [5,6]; a cat [0, 0, 9, 9].", (28, 28))
    assert [(thing.label, thing.box[2] * 28, len(thing.points)) for thing in found] == [
        ("object", 10, 1),
        ("object", 9, 0),
    ]


def test_a_box_over_the_edge_is_cut_off_there():
    assert read_object("<obj>dog (-3,4)(30,28)</obj>", (28, 28))[0] == Object("dog", (0.0, 4 / 28, 1.0, 1.0))


@pytest.mark.parametrize("text", [
    "<audio>Speech,(0 4)</audio><visual>Dog,(2 10)</visual>", "<AUDIO_EVENT> Speech (0,4) <visual_event>Dog, (2-10)",
    "heard: <audio>Speech, (0 to 4)</audio>, seen: <visual> Dog,( 2 10 )</visual>.",
])  # fmt: skip
def test_events_of_one_sense_in_other_forms(text):
    assert read_sense_events(text)[0] == [Event("Speech", 0, 4, "audio"), Event("Dog", 2, 10, "visual")]


def test_an_event_of_both_senses_stands_in_both():
    found, _ = read_sense_events(write_sense_events([Event("Dog", 1, 2)]))
    assert found == [Event("Dog", 1, 2, "audio"), Event("Dog", 1, 2, "visual")]


@pytest.mark.parametrize("text", [
    "<event>Violin, fiddle, (3 8)</event>", "<event> Violin, fiddle (3,8)", "<EVENT>Violin, fiddle, ( 3 - 8 )</EVENT>",
])  # fmt: skip
def test_event_with_a_comma_in_its_name(text):
    assert read_events(text)[0] == [Event("Violin, fiddle", 3, 8)]


def test_ranges_behind_the_event():
    text = "A dog <event> Violin, fiddle </event>, at <range> 0,3 </range> and <range>(7 10)</range>.</s><unk>"
    assert read_events(text)[0] == [Event("Violin, fiddle", 0, 3), Event("Violin, fiddle", 7, 10)]
    assert read_events("<event>a</event> <range>1,2</range> <event>b</event> <range>3,4</range>")[0] == [
        Event("a", 1, 2), Event("b", 3, 4)
    ]  # fmt: skip
    assert read_sense_events("<audio>a</audio><visual>b</visual><range>1,2</range>")[0] == [Event("b", 1, 2, "visual")]
    assert read_events("<event>a (1 2)</event> <range>3,4</range>")[0] == [Event("a", 1, 2)]
    assert read_events("<range>1,2</range> <event>a</event>") == ([], read_events("<event>a</event>")[1])


@pytest.mark.parametrize("read", [read_events, read_sense_events])
def test_empty_tags_say_that_nothing_happens(read):
    write = write_events if read is read_events else write_sense_events
    assert read(f"It is quiet. {write([])}") == ([], "")


def test_several_ranges_and_events():
    found, _ = read_events("<event>dog, (0 3)(7 10)</event><event>cat, (1 2)</event>")
    assert found == [Event("dog", 0, 3), Event("dog", 7, 10), Event("cat", 1, 2)]


@pytest.mark.parametrize(("read", "text"), [
    (read_answer, ""), (read_answer, "left"), (read_answer, "<answer></answer>"), (read_answer, "<answer> . "),
    (read_events, "dog, (3 8)"), (read_events, "<event>dog</event>"), (read_events, "<event>(3 8)</event>"),
    (read_events, "<event>dog, (8 3)</event>"), (read_events, "<event>dog, (3 3)</event>"),
    (read_sense_events, "<event>dog, (3 8)</event>"), (read_truth, "<answer>maybe</answer>"), (read_truth, "true"),
    (read_caption, " \n"), (read_caption, "I see. <caption> </caption>"),
])  # fmt: skip
def test_nothing_is_made_up(read, text):
    found, reason = read(text)
    assert not found and reason
    assert found is not False


@pytest.mark.parametrize("text", [
    "<obj>dog (28,4)(30,20)</obj>", "<obj>dog (10,4)(3,20)</obj>", "<obj>dog (3,4)</obj>", "dog (3,4)(10,20)",
    "<obj>dog (-3,4)(0,20)</obj>", "<obj>dog (12345678,4)(123456789,20)</obj>",
])  # fmt: skip
def test_no_box_outside_the_canvas(text):
    found, reason = read_object(text, (28, 28))
    assert found is None and reason


READERS = (
    read_answer, read_events, read_sense_events, read_truth, read_caption, lambda text: read_objects(text, (28, 28)),
    lambda text: read_object(text, (28, 28)),
)  # fmt: skip
PIECES = [*"<>/ (),[]0123456789.-é\n", "<answer>", "</answer>", "<event>", "<audio>", "<visual_event>", "<obj>",
          "</obj>", "<caption>", "dog", "true", "(3 8)", "(3,4)", "[1,2,3,4]"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_no_text_raises(text):
    for read in READERS:
        found, reason = read(text)
        assert found in (None, []) if reason else found is not None
    split_reasoning(text)


def test_reasoning_stands_before_the_first_tag():
    assert split_reasoning("I hear it. <answer>yes</answer> and more") == "I hear it."
    assert split_reasoning("<answer>yes</answer>") is None


def test_a_box_is_at_least_one_unit():
    assert to_units((0.999, 0.999, 1.0, 1.0), (28, 28)) == (27, 27, 28, 28)
