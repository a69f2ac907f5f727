"""What a written reasoning may say and what not, and the template writer that always may."""

from dataclasses import replace

import pytest

from crabplus.reasoning import template
from crabplus.reasoning.check import problems
from crabplus.schema import (
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Sample,
    TextAnswer,
)
from crabplus.tasks import TASKS
from every_key import SAMPLES

AVE = Sample(
    "1", "d", "ave", "train", answer=EventsAnswer((Event("Church bell", 2, 8),)),
    options=("Church bell", "Bark", "Male speech, man speaking"),
)  # fmt: skip
END = "<event>Church bell, (2 8)</event>"
JOY = Sample("2", "d", "meld", "train", answer=LabelAnswer("joy"), options=("joy", "anger", "sadness"))
GOOD = "A tower swings its bell from 2 to 8 seconds and the strokes are heard with it."


def test_a_good_one_stands() -> None:
    assert problems(f"{GOOD} {END}", AVE) == []
    assert problems(f"{GOOD} <event> church bell ( 2, 8 )", AVE) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD, "the answer cannot be read"),
        (f"{GOOD} <event>Church bell, (2 9)</event>", "it ends in <event>Church bell, (2 9)</event> and not in"),
        (f"Bells. {END}", "it has 1 words before the answer; 6 to 160"),
        (f"{'bell ' * 161}{END}", "it has 161 words"),
        (f"The given answer is a bell that rings for a while. {END}", "it speaks of 'given answer'"),
        (f"According to the annotation it rings for a long while. {END}", "it speaks of 'annotat'"),
        (f"A tower swings its bell from 4 to 8 seconds, and it is loud. {END}", "it names second 4, at which"),
        (f"The bell of the tower stops at 9.5 s, and then it is silent. {END}", "it names second 9.5"),
        (f"The bell of the tower begins to swing at second 4 of the clip. {END}", "it names second 4"),
        (f"The bell stops at the 9th second, and the square is quiet then. {END}", "it names second 9"),
        (f"A dog's bark is heard while the tower swings its bell. {END}", "it names 'bark', which is not in the true"),
    ],
)
def test_what_may_not_stand(text: str, words: str) -> None:
    assert any(words in problem for problem in problems(text, AVE)), problems(text, AVE)


def test_other_labels_may_be_denied() -> None:
    end = "<answer>joy</answer>"
    assert problems(f"She smiles broadly, and her voice shows no anger at all. {end}", JOY) == []
    assert problems(f"She smiles broadly, yet anger is in her voice as well. {end}", JOY)


@pytest.mark.parametrize("key", TASKS)
def test_the_template_writer_may_always_stand(key: str) -> None:
    for number in range(4):  # other ids take other wordings
        sample = Sample(f"{number}", "d", key, "train", **{
            name: getattr(SAMPLES[key], name) for name in ("media", "question", "options", "answer")
        })  # fmt: skip
        assert problems(template.write(sample), sample) == []


def test_the_template_writer_on_answers_that_say_nothing_is_there() -> None:
    nothing = Sample("1", "d", "unav", "train", answer=EventsAnswer())
    absent = Sample("1", "d", "ref_avs", "train", question="the red one", answer=ObjectsAnswer(present=False))
    plain = Sample("1", "d", "arig", "train", answer=ObjectsAnswer((Object("dog", (0.4, 0, 0.6, 1)),)))
    assert all(problems(template.write(sample), sample) == [] for sample in (nothing, absent, plain))
    assert "in the middle of the picture" in template.write(plain)
    with pytest.raises(ValueError, match="9: reasoning leads to the true answer"):
        template.write(Sample("9", "d", "ave", "train"))


def test_a_sample_without_truth_is_told() -> None:
    assert problems("I see it. <answer>two</answer>", Sample("1", "d", "avqa", "train")) == [
        "the answer cannot be read: no true answer to compare with"
    ]
    assert (
        problems("x " * 7 + "<answer>two</answer>", Sample("1", "d", "avqa", "train", answer=TextAnswer("two"))) == []
    )


def test_what_has_no_sound_is_not_heard() -> None:
    silent = replace(AVE, media=(Media("clip", "video", "a.mp4", sound="none"),))
    assert "has no sound" in problems(f"{GOOD} {END}", silent)[-1]
    assert problems(f"A tower swings its bell from 2 to 8 seconds; no sound is heard with it. {END}", silent) == []
    for key in ("ave", "ucf", "avcap", "avqa", "arig"):
        media = tuple(replace(i, sound="none") for i in SAMPLES[key].media if i.kind != "audio")
        sample = replace(SAMPLES[key], media=media, reasoning=None)
        assert problems(template.write(sample), sample) == []
