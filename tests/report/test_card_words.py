"""Answers in words, verdicts, and where timelines and boxes lie."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.report.card import Card, describe, verdict
from crabplus.report.overlay import overlay
from crabplus.report.timeline import timeline
from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Prediction,
    Sample,
    TextAnswer,
)

Make = Callable[..., Card]
TIMES = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)
EVENTS = st.lists(TIMES.map(lambda times: Event("bell", times[0] / 4, times[1] / 4)), max_size=8).map(tuple)
SAMPLE = Sample("1", "d", "ave", "test", options=("cat", "dog"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "no answer"),
        (LabelAnswer("joy"), "joy"),
        (TextAnswer("two"), "two"),
        (ChoiceAnswer(1), "dog"),
        (ChoiceAnswer(5), "option 6"),
        (EventsAnswer(), "nothing happens"),
        (EventsAnswer((Event("bell", 0, 2.5),)), "bell 0 to 2.5 s"),
        (EventsAnswer((Event("a", 0, 1), Event("b", 1.25, 10, "audio"))), "a 0 to 1 s; b (audio) 1.25 to 10 s"),
        (ObjectsAnswer((Object("cat"), Object("dog"))), "cat, dog"),
        (ObjectsAnswer(), "nothing found"),
        (ObjectsAnswer(present=False), "not in the picture"),
    ],
)  # fmt: skip
def test_answers_in_words(answer: Answer | None, words: str) -> None:
    assert describe(answer, SAMPLE).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("credit", "mark", "words"), [(1.0, "right", "right"), (0.7, "partly", "70% right"), (0.0, "wrong", "wrong")]
)
def test_credit_decides(card: Make, credit: float, mark: str, words: str) -> None:
    judged = verdict(card(TextAnswer("two"), TextAnswer("ten"), credit=credit))
    assert (judged.mark, judged.words) == (mark, words)


def test_an_answer_that_is_none_cannot_be_right(card: Make) -> None:
    failed = Prediction("clip-1", "ave", answer=TextAnswer("two"), error="cut off")
    cut = card(TextAnswer("two"), None, prediction=failed, credit=1.0)
    assert verdict(cut).mark == "wrong" and cut.said is None
    assert verdict(card(TextAnswer("two"), None, credit=1.0)).mark == "wrong"


def test_without_credit_words_are_compared(card: Make) -> None:
    assert verdict(card(TextAnswer("acoustic_guitar"), TextAnswer(" Acoustic guitar."))).mark == "right"
    assert verdict(card(TextAnswer("piano"), TextAnswer("no"))).mark == "wrong"
    assert verdict(card(EventsAnswer(), EventsAnswer())).mark == verdict(card(None, TextAnswer("a"))).mark == "open"


def test_events_that_overlap_get_lanes(card: Make) -> None:
    events = (Event("a", 0, 4), Event("b", 2, 6), Event("c", 4, 5), Event("d", 5.5, 6))
    lanes = timeline(card(EventsAnswer(events), None))
    assert lanes and [bar.lane for bar in lanes.rows[0].bars] == [0, 1, 0, 0]
    assert [row.lanes for row in lanes.rows] == [2, 1]


@given(EVENTS)
def test_bars_of_a_lane_never_overlap(events: tuple[Event, ...]) -> None:
    lanes = timeline(Card(Sample("1", "d", "ave", "test", answer=EventsAnswer(events)), None, Path()))
    assert lanes
    row = lanes.rows[0]
    assert len(row.bars) == len(events) and {bar.lane for bar in row.bars} <= set(range(row.lanes))
    for bar in row.bars:
        assert bar.left >= 0 and bar.left + bar.width <= 100.01
        after = [other for other in row.bars if other.lane == bar.lane and other.left > bar.left]
        assert all(bar.left + bar.width <= other.left + 0.01 for other in after)


@pytest.mark.parametrize(
    ("media", "length"),
    [
        ((), 10.0),
        ((Media("clip", "video", "a.mp4", duration=6.5),), 6.5),
        ((Media("clip", "video", "a.mp4", start=20, end=26, duration=60),), 6.0),
        ((Media("frame", "image", "a.jpg"), Media("sound", "audio", "a.wav", duration=30)), 30.0),
        ((Media("clip", "video", "a.mp4", duration=3),), 4.0),
    ],
)
def test_length_of_a_timeline(card: Make, media: tuple[Media, ...], length: float) -> None:
    lanes = timeline(card(EventsAnswer((Event("bell", 1, 4),)), None, media=media))
    assert lanes and lanes.length == length


@pytest.mark.parametrize(
    ("length", "last"),
    [(10, "10"), (9.5, "9"), (60, "60"), (200, "180"), (600, "600"), (601, "0:10:00"), (7200, "2:00:00"),
     (100_000, "25:00:00")],
)  # fmt: skip
def test_ticks_are_few_and_whole(card: Make, length: float, last: str) -> None:
    lanes = timeline(card(EventsAnswer(), None, media=(Media("clip", "video", "a.mp4", duration=length),)))
    assert lanes and lanes.ticks[0].left == 0 and lanes.ticks[-1].words == last and len(lanes.ticks) <= 13
    assert lanes.ticks[0].words == ("0" if length <= 600 else "0:00:00")


def test_other_answers_have_no_timeline_and_no_boxes(card: Make) -> None:
    words = card(TextAnswer("two"), TextAnswer("two"))
    assert timeline(words) is None and overlay(words, 10, 10) is None


@given(st.tuples(*[st.integers(0, 99)] * 2, *[st.integers(1, 100)] * 2), st.integers(1, 4000), st.integers(1, 4000))
def test_boxes_scale_with_the_picture(box: tuple[int, ...], width: int, height: int) -> None:
    x1, y1 = box[0] / 100, box[1] / 100
    x2, y2 = min(x1 + box[2] / 100, 1.0), min(y1 + box[3] / 100, 1.0)
    truth = ObjectsAnswer((Object("a", (x1, y1, x2, y2)),))
    over = overlay(Card(Sample("1", "d", "arig", "test", answer=truth), None, Path()), width, height)
    assert over and len(over.frames) == 1
    frame = over.frames[0]
    assert frame.x == pytest.approx(x1 * width, abs=0.01) and frame.y == pytest.approx(y1 * height, abs=0.01)
    assert frame.x + frame.width == pytest.approx(x2 * width, abs=0.02)
    assert frame.y + frame.height == pytest.approx(y2 * height, abs=0.02)


def test_objects_without_a_box_are_named_in_words(card: Make) -> None:
    over = overlay(card(ObjectsAnswer((Object("cat", points=((0.5, 0.5),)),)), None), 100, 50)
    assert over and not over.frames and (over.spots[0].x, over.spots[0].y) == (50, 25)
    assert over.words == "True box: cat without a box. Predicted box: none."
