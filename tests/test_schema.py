"""The records: they travel as JSON unchanged, and a wrong one is refused with field and value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Part,
    Prediction,
    Reply,
    Sample,
    SchemaError,
    TextAnswer,
    Window,
    from_json,
    to_json,
)

unit = st.floats(0, 1).map(lambda x: round(x, 6))
boxes = st.tuples(unit, unit, unit, unit).filter(lambda b: b[0] < b[2] and b[1] < b[3])
labels = st.text(min_size=1, max_size=12)
events = st.builds(lambda n, s, d: Event(n, s, s + d), labels, st.floats(0, 99), st.floats(0, 9))
answers = st.one_of(
    st.builds(TextAnswer, st.text(max_size=20)),
    st.builds(EventsAnswer, st.lists(events, max_size=3).map(tuple)),
    st.builds(ObjectsAnswer, st.lists(st.builds(Object, labels, boxes), max_size=3).map(tuple)),
)


@given(answers, st.text(max_size=20))
def test_json_there_and_back(answer, question):
    media = (Media("clip", "video", "a.mp4", 1, 2.5, sound="file", size=(4, 3)), Media("sound", "audio", "a.wav"))
    sample = Sample("x", "d", "ave", "test", media, question, answer=answer, meta={"type": ["Audio", "Counting"]})
    line = to_json(sample)
    assert "\n" not in line
    assert from_json(line, Sample) == sample
    said = Prediction("x", "ave", "text", answer, settings={"a": 1})
    assert from_json(to_json(said), Prediction) == said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"id": "q7"}', ["Sample 'q7'", "dataset", "required"]),
        ('{"id": "q7", "dataset": "d", "task": "t", "split": "s", "colour": 3}', ["'q7'", "colour", "3"]),
        ('{"id":"q","dataset":"d","task":"t","split":"s","media": [{"role": "r", "kind": "smell", "path": "p"}]}',
         ["media.0.kind", "smell"]),
        ("{", ["not JSON"]),
    ],
)  # fmt: skip
def test_error_names_record_field_and_value(text, parts):
    with pytest.raises(SchemaError) as error:
        from_json(text, Sample)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Event("dog", 3, 1),
        lambda: Event("dog", -1, 1),
        lambda: Object("dog", (0.5, 0, 0.2, 1)),
        lambda: Object("dog", (0, 0, 1.2, 1)),
        lambda: Media("frame", "image", "a.jpg", sound="track"),
        lambda: Media("clip", "video", "a.mp4", start=5, end=2),
        lambda: ObjectsAnswer((Object("dog"),), present=False),
        lambda: Sample("x", "d", "a2v", "test", options=("one", "two"), answer=ChoiceAnswer(2)),
        lambda: Part(kind="text"),
        lambda: Part(kind="video", text="no"),
        lambda: Event("dog", float("nan"), 2),
    ],
)
def test_impossible_records_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


def test_sound_of_media_is_stated():
    assert Media("clip", "video", "a.mp4").sound == "track"
    assert Media("frame", "image", "a.jpg").sound == "none"


def test_boxes_of_a_reply_in_pixels():
    things = (
        Object("dog", (0.1, 0.25, 0.5, 0.75), time=3.0, confidence=0.5),
        Object("speck", (0.999, 0.999, 1.0, 1.0)),
    )
    film = Media("clip", "video", "a.mp4", size=(640, 360))
    reply = Reply(
        "a.mp4", "arig", answer=ObjectsAnswer((*things, Object("point", points=((0.5, 0.5),)))), media=(film,)
    )
    dog, speck = reply.pixel_boxes
    assert dog == ("dog", 64, 90, 320, 270, 3.0, 0.5) and (dog.x1, dog.time) == (64, 3.0)
    assert (speck.x1, speck.y1, speck.x2, speck.y2) == (639, 359, 640, 360)
    assert Reply("a", "avqa", answer=TextAnswer("x")).pixel_boxes == []
    with pytest.raises(ValueError, match="not known"):
        _ = Reply("a.mp4", "arig", answer=ObjectsAnswer(things)).pixel_boxes


def test_a_reply_is_read_where_predictions_are():
    windows = (Window(0, 10, text="x", reason="no tag"), Window(8, 18, answer=TextAnswer("y"), confidence=0.5))
    reply = Reply("a.mp4", "avqa", answer=TextAnswer("y"), media=(Media("clip", "video", "a.mp4"),), windows=windows)
    assert from_json(to_json(reply), Reply) == from_json(to_json(reply), Prediction) == reply
    with pytest.raises(SchemaError):
        from_json('{"id": "a", "task": "ave", "windows": []}', Prediction)
