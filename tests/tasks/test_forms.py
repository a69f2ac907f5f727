"""The forms of answers: every answer that is written has its form, and whatever has the form is read as an answer."""

import re
from functools import cache
from pathlib import Path

import pytest
import regex
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
)
from crabplus.tasks import TASKS, default_pack, forms, get_task, load_pack
from crabplus.tasks.perception import PERCEPTION
from crabplus.tasks.tags import spaced
from every_key import CLIP, SAMPLES, sample_of

OMNI = default_pack()
TINY = load_pack(Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml")
PACKS = (OMNI, TINY)
LABELS = st.sampled_from(["dog", "Fixed-wing aircraft, airplane", "3D printer", "Baby_cry", "Hund über Zaun", "犬"])
WORDS = st.sampled_from(["yes", "left", "2", "more than ten", "flûte à bec", "O'Neill!"])
SPATIAL = ("arig", "s4", "ms3", "ref_avs")
NO_LOOK_AHEAD = [key for key in TASKS if key not in SPATIAL]


@st.composite
def events(draw, modality=("audio-visual",), labels=LABELS):
    """An event of a tenth of a second or more, within the ten seconds that the smaller pack shows."""
    start, end = sorted(draw(st.lists(st.integers(0, 100), min_size=2, max_size=2, unique=True)))
    return Event(draw(labels), start / 10, end / 10, draw(st.sampled_from(modality)))


@st.composite
def things(draw, most):
    (x1, x2), (y1, y2) = (
        sorted(draw(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2, unique=True))) for _ in range(2)
    )
    points = draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=most))
    return Object(draw(LABELS), (x1, y1, x2, y2), tuple(points))


def many(strategy, least=0):
    return st.lists(strategy, min_size=least, max_size=4).map(tuple)


def answers(key):
    """Valid answers to the sample of a key."""
    sample = SAMPLES[key]
    if key in ("a2v", "v2a", "avqa_thu"):
        return st.integers(0, len(sample.options) - 1).map(ChoiceAnswer)
    if key == "ave":
        return LABELS.flatmap(lambda label: many(events(labels=st.just(label)))).map(EventsAnswer)
    if key in ("unav", "avvp"):
        return many(events(("audio-visual",) if key == "unav" else ("audio", "visual"))).map(EventsAnswer)
    if key in SPATIAL:
        one = things(0 if key == "arig" else 3)
        found = st.tuples(one) if key == "arig" else many(one, least=key == "ref_avs")
        return found.map(ObjectsAnswer) | (st.just(ObjectsAnswer(present=False)) if key == "ref_avs" else st.nothing())
    if key in ("avqa", "avcap"):
        return WORDS.map(TextAnswer)
    return (st.sampled_from(sample.options) if sample.options else WORDS).map(LabelAnswer)


@cache
def texts(key, number):
    """Whatever has the form of a key in one of the packs; kept, since such a strategy takes long to build."""
    return st.from_regex(get_task(key).form(SAMPLES[key], PACKS[number]), fullmatch=True)


def is_read(key, text, sample, pack):
    found = get_task(key).read(text, sample, pack).answer
    options = [LabelAnswer(option) for option in sample.options] if isinstance(found, LabelAnswer) else []
    return found is not None and (not options or found in options)


def test_every_task_has_a_form_and_its_tags():
    assert {key: TASKS[key].opening(SAMPLES[key]) for key in ("a2v", "ave", "avvp", "s4", "ref_avs", "avcap")} == {
        "a2v": ("<answer>",), "ave": ("<event>",), "avvp": ("<audio>", "<visual>"), "s4": ("<obj>",),
        "ref_avs": ("<answer>",), "avcap": ("<caption>",),
    }  # fmt: skip
    for key, task in TASKS.items():
        assert task.target(SAMPLES[key], OMNI, reasoning=False).startswith(task.opening(SAMPLES[key]))
    for key, task in PERCEPTION.items():
        sample = Sample("1", "d", key, "test", (CLIP,))
        assert re.fullmatch(task.form(sample, TINY), "frog from 3 to 7, bell from 0 to 5") and not task.opening(sample)


@pytest.mark.parametrize("engine", [re, regex])
@pytest.mark.parametrize("key", SAMPLES)
def test_the_true_answer_has_the_form(key, engine):
    task, sample = get_task(key), SAMPLES[key]
    for pack in PACKS:
        text = task.write(sample.answer, sample, pack)
        assert engine.fullmatch(task.form(sample, pack), text), text
        assert bool(engine.fullmatch(task.form(sample, pack), spaced(text))) == pack.spaced
        assert not engine.fullmatch(task.form(sample, pack), f"{text}."), text


@pytest.mark.parametrize("key", SAMPLES)
@settings(max_examples=50)
@given(data=st.data())
def test_every_answer_that_is_written_has_the_form(key, data):
    task, sample, answer = get_task(key), SAMPLES[key], data.draw(answers(key))
    for pack in PACKS:
        text = task.write(answer, sample, pack)
        assert re.fullmatch(task.form(sample, pack), text), text
        assert not pack.spaced or re.fullmatch(task.form(sample, pack), spaced(text)), text


@pytest.mark.parametrize("key", NO_LOOK_AHEAD)
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_has_the_form_is_read(key, data):
    for number, pack in enumerate(PACKS):
        text = data.draw(texts(key, number))
        assert is_read(key, text, SAMPLES[key], pack), text


@pytest.mark.parametrize("key", SPATIAL)
@settings(max_examples=100)
@given(data=st.data())
def test_boxes_and_points_have_the_form_where_they_are_within_the_canvas(key, data):
    pack = data.draw(st.sampled_from(PACKS))
    wide, high = pack.canvas
    across, down = st.integers(0, wide + 1), st.integers(0, high + 1)
    (x1, x2, x), (y1, y2, y) = ([data.draw(side) for _ in range(3)] for side in (across, down))
    label = data.draw(st.from_regex(forms._NAME, fullmatch=True))
    point = data.draw(st.sampled_from(["", f" ({x},{y})"])) if key != "arig" else ""
    text = f"{'<answer>true</answer>' * (key == 'ref_avs')}<obj>{label} ({x1},{y1})({x2},{y2}){point}</obj>"
    within = x1 < x2 <= wide and y1 < y2 <= high and not (point and (x >= wide or y >= high))
    assert bool(re.fullmatch(get_task(key).form(SAMPLES[key], pack), text)) == within
    assert not within or is_read(key, text, SAMPLES[key], pack), text


@pytest.mark.parametrize(("key", "text"), [
    ("ave", "<event>dog, (7 3)</event>"), ("ave", "<event>dog, (3.5 3.5)</event>"), ("ave", "<event>3, (3 7)</event>"),
    ("ave", "<event>dog, (3 99)</event>"), ("ave", "<event>dog, (03 7)</event>"), ("ave", "<event>dog</event>"),
    ("ave", "<event>dog, (3 7)</event><event>cat, (3 7)</event>"), ("avvp", "<audio>dog, (3 7)</audio>"),
    ("ref_avs", "<answer>true</answer>"), ("ref_avs", "<answer>no</answer>"), ("avqa", "<answer> </answer>"),
    ("avcap", "<caption></caption>"), ("ks", "<answer>swimming</answer>"), ("a2v", "<answer>three</answer>"),
    ("arig", "<obj></obj>"), ("arig", "<obj>dog (3,4)(3,5)</obj>"), ("arig", "It is <obj>dog (3,4)(5,6)</obj>"),
])  # fmt: skip
def test_what_is_no_answer_has_not_the_form(key, text):
    assert not any(re.fullmatch(get_task(key).form(SAMPLES[key], pack), text) for pack in PACKS)


def test_times_reach_as_far_as_the_media():
    long = sample_of("unav", None, (Media("clip", "video", "a.mp4", duration=83.2),))
    text = "<event>dog, (70.5 83)</event>"
    assert re.fullmatch(get_task("unav").form(long, OMNI), text)
    assert not re.fullmatch(get_task("unav").form(SAMPLES["unav"], OMNI), text)


def test_options_that_cannot_be_read_are_left_out():
    twice = sample_of("avqa_thu", ChoiceAnswer(0), question="What?", options=("dog", "Dog", "cat (a|b)", "man"))
    form = get_task("avqa_thu").form(twice, OMNI)
    said = [option for option in twice.options if re.fullmatch(form, f"<answer>{option}</answer>")]
    assert said == ["cat (a|b)", "man"]


@given(st.integers(0, 1100), st.integers(0, 1100))
def test_whole_numbers(low, high):
    form = re.compile(forms.whole(low, max(low, high)))
    matched = [n for n in range(1200) if form.fullmatch(str(n))]
    assert matched == list(range(low, max(low, high) + 1)) and not form.fullmatch(f"0{low}")
