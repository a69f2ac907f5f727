"""Answers as models really write them: other brackets and marks are forgiven, and nothing is made up."""

import pytest

from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Object,
    ObjectsAnswer,
    Sample,
    TextAnswer,
)
from crabplus.tasks import get_task

DOG = Object("dog", (31 / 224, 40 / 224, 188 / 224, 201 / 224))
CAT = Object("cat", (1 / 224, 1 / 224, 50 / 224, 60 / 224))
BARK = EventsAnswer((Event("dog barking", 0, 3),))


def read(key: str, text: str, *options: str) -> Answer | None:
    return get_task(key).parse(text, Sample("1", "d", key, "test", question="?", options=options))


@pytest.mark.parametrize(
    "text",
    [
        "<event>dog barking, [0, 3]</event>", "<event>dog barking, (0s, 3s)</event>",
        "<event>dog barking (0–3)</event>",
        "<event>dog barking, 0-3</event>", "<event>dog barking from 0 to 3</event>", "<event>dog barking</event> (0 3)",
        "<event>dog barking, (0 to 3 seconds)</event>", "<event>dog barking，（0 3）</event>",
        "<event>**dog barking**: (0，3)</event><|im_end|>",
        "Maybe <event>cat, (0 9)</event>? No: <event>dog barking, (0 3)",
    ],
)  # fmt: skip
def test_events(text: str) -> None:
    assert read("ave", text) == BARK


@pytest.mark.parametrize("word", ["none", "Nothing", "no event", ""])
def test_no_event(word: str) -> None:
    assert read("unav", f"<event>{word}</event>") == EventsAnswer()


def test_several_events_in_one_tag() -> None:
    assert read("avvp", "<audio>Speech, (0 4); Dog, (3 5)(6 7)</audio>") == EventsAnswer((
        Event("Speech", 0, 4, "audio"), Event("Dog", 3, 5, "audio"), Event("Dog", 6, 7, "audio")
    ))  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "<obj>dog ((31,40),(188,201))</obj>", "<obj>dog (31,40) to (188,201)</obj>",
        "<obj>**dog**: [31, 40, 188, 201]</obj>",
        "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(31,40),(188,201)<|box_end|><|im_end|>",
    ],
)  # fmt: skip
def test_boxes(text: str) -> None:
    assert read("arig", text) == ObjectsAnswer((DOG,))


def test_several_things_in_one_tag() -> None:
    assert read("ms3", "<obj>cat (1,1)(50,60); dog (31,40)(188,201)</obj>") == ObjectsAnswer((CAT, DOG))
    found = read("ms3", "<obj>cat (1,1)(50,60) (3,4)(5,6)(7,8), dog (31,40)(188,201) (99,99)</obj>")
    assert isinstance(found, ObjectsAnswer)
    assert [(thing.label, len(thing.points)) for thing in found.objects] == [("cat", 3), ("dog", 1)]


def test_a_box_the_wrong_way_round_is_told() -> None:
    assert "without extent: 188, 201, 31, 40" in (get_task("arig").read("<obj>dog (188,201)(31,40)</obj>").reason or "")


@pytest.mark.parametrize("word", ["second", "The second video", "video two", "2", "the second one", "**two**", "Two."])
def test_choice_of_two(word: str) -> None:
    assert read("a2v", f"<answer>{word}</answer>", "one", "two") == ChoiceAnswer(1)


@pytest.mark.parametrize(
    "word", ["not one", "Neither one", "no one", "None of the two", "not two", "one or two", "1 2"]
)
def test_no_choice_of_two(word: str) -> None:
    assert read("a2v", f"<answer>{word}</answer>", "one", "two") is None


@pytest.mark.parametrize("word", ["**B**", "[B]", "B dog", "B, dog", "Option B", "（B）", "b. Dog", '"dog"', "dog!"])
def test_choice_by_letter_or_text(word: str) -> None:
    assert read("avqa_thu", f"<answer>{word}</answer>", "train", "dog", "rain", "a man") == ChoiceAnswer(1)


@pytest.mark.parametrize("word", ["A dog", "B rain", "E", "C, D"])
def test_no_choice_by_letter(word: str) -> None:
    assert read("avqa_thu", f"<answer>{word}</answer>", "train", "dog", "rain", "a man") is None


@pytest.mark.parametrize(
    "word", ["**bowling**", '"bowling"', "`Bowling`", "bowling!", "bowling。", "bowling<|im_end|>"]
)
def test_labels(word: str) -> None:
    assert read("ks", f"<answer>{word}</answer>", "singing", "bowling") == LabelAnswer("bowling")


def test_parted_words_and_counts() -> None:
    assert read("ucf", "<answer>playing guitar</answer>", "PlayingGuitar") == LabelAnswer("PlayingGuitar")
    assert read("avqa", "<answer>2</answer>") == TextAnswer("two")
    assert read("avqa", "<answer>more than ten</answer>") == TextAnswer("more than ten")


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("<answer>No, it is not</answer><obj>dog (31,40)(188,201)</obj>", False), ("<answer>**false**</answer>", False),
        ("<answer>no, <obj>dog (31,40)(188,201)</obj>", False),
        ("<answer>Yes.</answer><obj>dog (31,40)(188,201)</obj>", True),
        ("<obj>dog (31,40)(188,201)</obj>", True),
    ],
)  # fmt: skip
def test_whether_it_is_there(text: str, there: bool) -> None:
    assert read("ref_avs", text) == (ObjectsAnswer((DOG,)) if there else ObjectsAnswer(present=False))


@pytest.mark.parametrize("word", ["unknown", "not sure", "nobody knows"])
def test_a_box_does_not_stand_for_a_word_that_says_neither(word: str) -> None:
    assert read("ref_avs", f"<answer>{word}</answer><obj>dog (31,40)(188,201)</obj>") is None


def test_tags_in_reasoning_are_left_out_of_a_target() -> None:
    sample = Sample("1", "d", "unav", "test", answer=BARK, reasoning="First <event>cat, (1 2)</event>, then  a dog.")
    text = get_task("unav").target(sample)
    assert text == "First cat, (1 2) , then a dog. <event>dog barking, (0 3)</event>"
    assert get_task("unav").parse(text) == BARK


@pytest.mark.parametrize(
    ("key", "answer", "message"),
    [
        ("ave", LabelAnswer("dog"), "1: answer: ave has EventsAnswer, not LabelAnswer"),
        ("a2v", ChoiceAnswer(2), "a2v has ChoiceAnswer, not ChoiceAnswer"),
        ("ave", EventsAnswer((Event("dog (3 4)", 3, 3),)), "which reads as .*start=3.0, end=4.0"),
        ("arig", ObjectsAnswer(), "cannot be read"),
        ("ref_avs", ObjectsAnswer(), "cannot be read: no <obj> tag"),
    ],
)
def test_what_cannot_be_written_is_told(key: str, answer: Answer, message: str) -> None:
    sample = Sample("1", "d", key, "test", answer=answer, options=("a", "b", "c"))
    with pytest.raises(ValueError, match=message):
        get_task(key).target(sample)


def test_a_short_event_keeps_its_length() -> None:
    sample = Sample("1", "d", "unav", "test", answer=EventsAnswer((Event("dog", 0.01, 0.04),)))
    assert get_task("unav").parse(get_task("unav").target(sample)) == sample.answer
