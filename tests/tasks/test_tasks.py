"""Prompts, targets and parsers of the task keys, and the packs that word them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Object,
    ObjectsAnswer,
    Sample,
    TextAnswer,
)
from crabplus.tasks import TASKS, default_pack, get_task, load_pack
from every_key import CLIP, SAMPLES, sample_of

TINY = load_pack(Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml")
OMNI = default_pack().model_copy(update={"canvas": (28, 28)})
PACK = {key: TINY if number % 2 else OMNI for number, key in enumerate(SAMPLES)}


def test_there_are_nineteen_keys():
    assert set(TASKS) == set(SAMPLES) and len(TASKS) == 19 and len({task.family for task in TASKS.values()}) == 7


@pytest.mark.parametrize("key", SAMPLES)
def test_target_is_read_back(key):
    task, sample, pack = get_task(key), SAMPLES[key], PACK[key]
    text = task.target(sample, pack)
    assert text.startswith("I hear it. <")
    assert ("> " in text) == pack.spaced
    assert task.parse(text, sample, pack) == sample.answer
    assert task.read(text, sample, pack).reasoning == "I hear it."
    assert task.target(sample, pack, reasoning=False).startswith("<")


@pytest.mark.parametrize("pack", [TINY, OMNI], ids=lambda pack: pack.name)
@pytest.mark.parametrize("key", SAMPLES)
def test_prompt_shows_media_in_order_then_asks(key, pack):
    sample = SAMPLES[key]
    turn = get_task(key).prompt(sample, pack)[-1]
    assert [part.media for part in turn.parts if part.media] == list(sample.media)
    assert turn.parts[-1].kind == "text" and turn.role == "user"
    assert (sample.question or "") in (turn.parts[-1].text or "")
    assert all(part.frames == pack.frames_of(key) for part in turn.parts if part.kind == "video")
    assert "{" not in (turn.parts[-1].text or "")
    if key == "avqa_thu" or (pack is OMNI and key in ("ks", "meld")):
        assert all(option in (turn.parts[-1].text or "") for option in sample.options)


def test_published_settings_are_the_default():
    assert default_pack().canvas == default_pack().size == (224, 224)
    frames = {key: default_pack().frames_of(key) for key in TASKS}
    assert set(TASKS) == set(default_pack().keys)
    assert {key for key, count in frames.items() if count == 4} == {"meld", "mer24", "cremad", "mafw", "dfew"}
    assert set(frames.values()) == {4, 10}


def test_paraphrase_is_fixed_by_the_sample():
    chosen = {TINY.instruction("ave", str(n)) for n in range(40)}
    assert chosen == set(TINY.keys["ave"].instructions)
    assert TINY.instruction("ave", "7") == TINY.instruction("ave", "7")


def test_another_draw_may_give_another_paraphrase():
    texts = TINY.keys["ave"].instructions
    assert [texts.index(TINY.instruction("ave", str(n))) for n in range(10)] == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert {TINY.instruction("ave", "7", draw) for draw in range(20)} == set(texts)
    assert TINY.instruction("ave", "7", 3) == TINY.instruction("ave", "7", 3)
    asked = {get_task("ave").prompt(SAMPLES["ave"], TINY, draw=draw)[-1].parts[-1].text for draw in range(20)}
    assert asked == set(texts)


@pytest.mark.parametrize("key", SAMPLES)
def test_a_prompt_without_reasoning_says_so(key):
    pack = PACK[key].model_copy(update={"direct": "Answer at once."})
    asked, bare = (get_task(key).prompt(SAMPLES[key], pack, reasoning) for reasoning in (True, False))
    assert asked == get_task(key).prompt(SAMPLES[key], PACK[key])
    assert bare[:-1] == asked[:-1] and bare[-1].parts[:-1] == asked[-1].parts[:-1]
    assert bare[-1].parts[-1].text == f"{asked[-1].parts[-1].text} Answer at once."
    assert default_pack().direct


def test_no_answer_says_why():
    parsed = get_task("ave").read("It barks.", SAMPLES["ave"], TINY)
    assert parsed.answer is None and "<event>" in (parsed.reason or "")


def test_unknown_key_names_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'arig'"):
        get_task("arigg")


def test_target_without_an_answer_is_refused():
    with pytest.raises(ValueError, match="'?4'?.*true answer"):
        get_task("ave").target(Sample("4", "d", "ave", "test", (CLIP,)), TINY)


# two identical samples, one of them unanswered: 0.5 but for segments of background, and for what is not an accuracy
HALF = {"ave": (10 + 6) / 20, "meld": 2 / 3, "mer24": 2 / 3}


@pytest.mark.parametrize("key", [key for key in SAMPLES if key not in ("avcap", "unav")])
def test_judge_counts_no_answer_as_wrong(key):
    task, sample = get_task(key), SAMPLES[key]
    assert task.judge([(sample, sample.answer)])[task.metric] == 1
    assert task.judge([(sample, sample.answer), (sample, None)])[task.metric] == pytest.approx(HALF.get(key, 0.5))


def test_judge_of_detections_and_captions():
    unav, sample = get_task("unav"), SAMPLES["unav"]
    assert unav.judge([(sample, sample.answer)])["average_map"] == 1
    assert unav.judge([(sample, sample.answer), (sample, None)])["average_map"] < 0.7
    said = [
        (sample_of("avcap", TextAnswer(text)), TextAnswer(text)) for text in ("a dog barks loud", "two men laugh at it")
    ]
    full, half = get_task("avcap").judge(said), get_task("avcap").judge([said[0], (said[1][0], None)])
    assert full["cider_d"] == pytest.approx(10) and half["cider_d"] == pytest.approx(5)
    assert full["rouge_l"] == 1 and half["rouge_l"] == 0.5


@pytest.mark.parametrize(("key", "text", "answer"), [
    ("a2v", "<answer>1</answer>.", ChoiceAnswer(0)), ("a2v", "<answer>The second video</answer>", ChoiceAnswer(1)),
    ("a2v", "<answer>one or two</answer>", None), ("a2v", "<answer>three</answer>", None),
    ("ks", "<answer>Tapping_Pen.</answer>", LabelAnswer("tapping pen")), ("ks", "<answer>swimming</answer>", None),
    ("ucf", "<answer>anything</answer>", LabelAnswer("anything")),
    ("avqa_thu", "<answer>b</answer>", ChoiceAnswer(1)), ("avqa_thu", "<answer>(C) rain</answer>", ChoiceAnswer(2)),
    ("avqa_thu", "<answer>a man sings</answer>", ChoiceAnswer(3)), ("avqa_thu", "<answer>B. rain</answer>", None),
    ("avqa_thu", "<answer>A</answer>", ChoiceAnswer(0)), ("avqa_thu", "<answer>E</answer>", None),
    ("ref_avs", "<answer>false</answer>", ObjectsAnswer(present=False)), ("ref_avs", "<answer>true</answer>", None),
    ("ref_avs", "It is there: [7,14,14,21]", ObjectsAnswer((Object("object", (0.25, 0.5, 0.5, 0.75)),))),
    ("s4", "<obj></obj>", ObjectsAnswer()), ("arig", "<obj></obj>", None), ("s4", "<obj>dog</obj>", None),
    ("ave", "<event></event>", EventsAnswer()), ("avcap", "A dog.", TextAnswer("A dog.")),
])  # fmt: skip
def test_other_forms_of_answers(key, text, answer):
    found = get_task(key).read(text, SAMPLES[key], PACK[key])
    assert found.answer == answer and (answer is not None or found.reason)


def test_options_that_read_alike_are_no_answer():
    twice = sample_of("avqa_thu", ChoiceAnswer(0), question="What?", options=("dog", "Dog", "cat", "man"))
    assert get_task("avqa_thu").parse("<answer>dog</answer>", twice) is None
    assert get_task("avqa_thu").parse("<answer>(B)</answer>", twice) == ChoiceAnswer(1)


@given(st.text(max_size=60), st.sampled_from(sorted(SAMPLES)))
def test_no_text_raises_in_any_key(text, key):
    for wrapped in (text, f"<answer>{text}</answer>", f"<obj>{text}</obj>", f"<event>{text}"):
        found = get_task(key).read(wrapped, SAMPLES[key], PACK[key])
        assert (found.answer is None) == bool(found.reason)


def test_wrong_pack_names_file_and_field(tmp_path):
    path = tmp_path / "pack.yaml"
    path.write_text("name: x\nversion: 1\ncolour: red\n")
    with pytest.raises(ValueError, match="pack.yaml(.|\n)*colour"):
        load_pack(path)


def test_a_tasks_own_resampling_is_that_of_judging_each_draw():
    rng = np.random.default_rng(0)
    words = ["joy", "anger", "fear"]
    labels = [LabelAnswer(words[n]) for n in rng.integers(0, 3, 80)]
    events = [EventsAnswer((Event(words[a], 0, b + 1, "audio"), Event(words[a - 1], a, 9, "visual")))
              for a, b in rng.integers(0, 3, (80, 2))]  # fmt: skip
    for key, answers in {"meld": labels, "dfew": labels, "ks": labels, "avvp": events, "unav": events}.items():
        task = get_task(key)
        pairs = [(sample_of(key, true), said) for true, said in zip(answers[:40], answers[40:], strict=True)]
        resampled = task.resampler(pairs)
        for _ in range(5):
            drawn = np.sort(rng.integers(0, 40, 40))  # in order: equally sure detections rank as they stand
            anew = task.judge([pairs[n] for n in drawn])[task.metric]
            assert resampled(drawn) == pytest.approx(anew) and 0 < anew < 1


def test_detections_are_ranked_by_confidence():
    truth = [Sample(str(n), "d", "unav", "test", answer=EventsAnswer((Event("dog", 0, 4),))) for n in range(2)]
    wrong, right = Event("dog", 6, 9), Event("dog", 0, 4)

    def score(unsure: float, sure: float) -> float:
        said = EventsAnswer((Event("dog", wrong.start, wrong.end, confidence=unsure),
                             Event("dog", right.start, right.end, confidence=sure)))  # fmt: skip
        return get_task("unav").judge([(sample, said) for sample in truth])["average_map"]

    assert score(0.2, 0.9) == pytest.approx(1.0) and score(0.9, 0.2) < 0.7


def test_only_captions_cannot_be_judged_alone() -> None:
    assert [key for key in TASKS if not get_task(key).alone] == ["avcap"]
