"""Windows of long media, and how what was said of them becomes one answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Sample,
    TextAnswer,
    Window,
)
from crabplus.windows import SHORTEST, SLACK, join, merge_events, on_the_clock, plan, split

FILM = Sample("a", "own", "ave", "own", media=(Media("clip", "video", "a.mp4", 0, 40, duration=40),))


def test_windows_overlap_and_the_last_one_ends_at_the_end():
    assert plan(0, 26, 10, 2) == [(0, 10), (8, 18), (16, 26)]
    assert plan(5, 30, 10, 2) == [(5, 15), (13, 23), (20, 30)]
    assert plan(0, 10, 2, 0.4)[-2:] == [(6.4, 8.4), (8.0, 10.0)]  # and not the last one twice
    assert plan(0, 10.048, 2, 0.4)[-1] == (8.0, 10.0)
    assert plan(0, 10.4, 10, 2) == [(0, 10)] and plan(0, 7, 10, 2) == [(0, 7)]


def test_windows_end_at_cuts_where_enough_is_left_of_them():
    assert plan(3, 40, 10, 2, [10, 20, 30]) == [(3, 10), (10, 20), (20, 30), (30, 40)]
    assert plan(0, 20, 10, 2, [1.0]) == [(0, 10), (8, 18), (10, 20)]  # too soon after the start
    assert plan(0, 20, 10, 2, [9.0]) == [(0, 9), (9, 19), (10, 20)]
    assert plan(0, 30, 10, 2, [18.5, 9.5, 9.0]) == [(0, 9.5), (9.5, 18.5), (18.5, 28.5), (20, 30)]
    assert plan(0, 25, 10, 2, [9.0, 24.9])[-1] == (15, 25)  # what is behind the last cut is too short


@settings(max_examples=300)
@given(
    st.floats(0, 50), st.floats(0.1, 300), st.floats(1.5, 60), st.floats(0, 0.5),
    st.lists(st.floats(0, 350), max_size=40),
)  # fmt: skip
def test_windows_leave_nothing_out(start, seconds, length, share, cuts):
    end = start + seconds
    found = plan(start, end, length, share * length, cuts)
    assert found[0][0] == start and found[-1][1] == pytest.approx(end, abs=SLACK)
    assert all(0 < high - low <= length + 1e-6 for low, high in found)
    assert all(low < after[0] <= high + 0.05 for (low, high), after in zip(found, found[1:], strict=False))
    assert len(set(found)) == len(found)
    assert len(found) == 1 or min(high - low for low, high in found) >= min(SHORTEST, length) - 1e-6


@pytest.mark.parametrize(("length", "overlap"), [(0, 0), (-1, 0), (10, 6), (10, -1)])
def test_windows_that_cannot_be(length, overlap):
    with pytest.raises(ValueError, match="half a window"):
        plan(0, 100, length, overlap)


def test_a_sample_is_split_on_its_own_clock():
    pair = (Media("frame", "image", "a.mp4", 0, 40), Media("sound", "audio", "a.wav", 0, 12, duration=12))
    still = Media("frame", "image", "a.jpg")
    first, second = split(Sample("a", "own", "arig", "own", media=(*pair, still)), [(0, 10), (8, 18)])
    assert (first.id, second.id) == ("a#0-10", "a#8-18")
    assert [(item.start, item.end) for item in second.media] == [(8, 18), (8, 12), (None, None)]
    assert split(FILM, [(3, 9)])[0].id == "a" and split(FILM, []) == [FILM]


def test_times_are_those_of_the_file_and_end_with_the_window():
    events = EventsAnswer((Event("bell", 2, 9), Event("horn", 8, 9)))
    assert on_the_clock(events, 3, 10) == EventsAnswer((Event("bell", 5, 10),))
    assert on_the_clock(events, 0, 8.5) == EventsAnswer((Event("bell", 2, 8.5), Event("horn", 8, 8.5)))
    things = on_the_clock(ObjectsAnswer((Object("dog", (0, 0, 1, 1)),)), 20, 30)
    assert things.objects[0].time == 25
    assert on_the_clock(None, 0, 1) is None and on_the_clock(TextAnswer("x"), 0, 1) == TextAnswer("x")


def claim(label, start, end, window, confidence=None):
    return Event(label, start, end, confidence=confidence), window


def test_an_event_over_several_windows_is_one():
    windows = [(0, 10), (8, 18), (16, 26)]
    claims = [claim("dog", 6, 10, (0, 10)), claim("dog", 8, 18, (8, 18)), claim("Dog", 16, 21, (16, 26))]
    assert merge_events(claims, windows) == [Event("dog", 6, 21)]


def test_times_that_two_windows_saw_are_weighed_by_confidence():
    windows = [(0, 10), (5, 15)]
    claims = [claim("dog", 6, 10, (0, 10), 0.9), claim("dog", 7, 12, (5, 15), 0.3)]
    (event,) = merge_events(claims, windows)
    assert (event.start, event.end) == (pytest.approx(6.25), 12)  # only the second saw it end
    assert event.confidence == pytest.approx(0.6)


def test_windows_that_did_not_see_an_event_speak_against_it():
    windows = [(0, 10), (5, 15), (20, 30)]
    (event,) = merge_events([claim("dog", 6, 9, (0, 10), 0.8)], windows)
    assert event.confidence == pytest.approx(0.4)
    (alone,) = merge_events([claim("dog", 0, 4, (0, 10), 0.8)], windows)
    assert alone.confidence == pytest.approx(0.8)


def test_other_labels_senses_and_times_stay_apart():
    heard = Event("dog", 0, 4, "audio")
    claims = [(heard, (0, 10)), claim("dog", 0, 4, (0, 10)), claim("cat", 0, 4, (0, 10)), claim("dog", 6, 8, (0, 10))]
    assert len(merge_events(claims, [(0, 10)])) == 4


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 90), st.floats(0.1, 10)), max_size=12))
def test_merged_events_never_overlap_and_hide_nothing(rows):
    claims = [claim(label, start, start + seconds, (0, 100), 0.5) for label, start, seconds in rows]
    merged = merge_events(claims, [(0, 100)])
    for label in "ab":
        own = [event for event in merged if event.label == label]
        assert all(one.end < other.start for one, other in zip(own, own[1:], strict=False))
        assert {c.label for c, _ in claims} == {e.label for e in merged}


def window(start, answer, confidence=1.0, **more):
    return Window(start, start + 10, answer=answer, confidence=confidence, **more)


def joined(*windows):
    return join(FILM, windows, {})


def test_words_and_labels_are_voted_on():
    said = joined(window(0, TextAnswer("red"), 0.4), window(10, TextAnswer("blue"), 0.9, reasoning="It is."),
                  window(20, TextAnswer("Red"), 0.4))  # fmt: skip
    assert (said.answer, said.reasoning, said.confidence) == (TextAnswer("blue"), "It is.", 0.9)
    assert joined(window(0, LabelAnswer("a"), 0.6), window(10, LabelAnswer("b"), 0.5), window(20, LabelAnswer("b"), 0.4)
                  ).answer == LabelAnswer("b")  # fmt: skip
    assert (
        joined(window(0, ChoiceAnswer(1)), window(10, ChoiceAnswer(1)), window(20, ChoiceAnswer(0))).answer.index == 1
    )


def test_sentences_follow_each_other_once():
    rows = [TextAnswer("A dog barks."), TextAnswer("A dog barks."), TextAnswer("It runs off.")]
    assert joined(*(window(10 * n, row) for n, row in enumerate(rows))).answer.text == "A dog barks. It runs off."


def test_things_are_listed_with_their_times():
    dog, cat = (Object(name, (0, 0, 1, 1), time=time) for name, time in (("dog", 5), ("cat", 15)))
    said = joined(
        window(0, ObjectsAnswer((dog,))), window(10, ObjectsAnswer(present=False)), window(20, ObjectsAnswer((cat,)))
    )
    assert said.answer == ObjectsAnswer((dog, cat))
    assert joined(window(0, ObjectsAnswer(present=False))).answer == ObjectsAnswer(present=False)


def test_windows_without_an_answer_are_kept_and_do_not_hide_the_others():
    broken = Window(10, 20, error="a.mp4: is damaged at 12 s")
    said = joined(window(0, EventsAnswer((Event("dog", 1, 2),))), broken, Window(20, 30, reason="no <event> tag"))
    assert said.answer == EventsAnswer((Event("dog", 1, 2),)) and not said.error and len(said.windows) == 3
    assert joined(broken, broken).error == broken.error
    assert joined(broken, Window(20, 30, reason="no <event> tag")).reason == "no <event> tag"
