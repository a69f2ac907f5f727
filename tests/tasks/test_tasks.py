"""Prompts, targets and parsers of the task keys, and the packs that word them."""

from pathlib import Path

import pytest

from crabplus.schema import Event, EventsAnswer, Media, Object, ObjectsAnswer, Sample, TextAnswer
from crabplus.tasks import TASKS, default_pack, get_task, load_pack

TINY = load_pack(Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml")
CLIP = Media("clip", "video", "a.mp4")
SAMPLES = {
    "ave": Sample("1", "d", "ave", "test", (CLIP,), answer=EventsAnswer((Event("dog", 3, 7),)), reasoning="I hear it."),
    "avqa": Sample("2", "d", "avqa", "test", (CLIP,), "Where?", answer=TextAnswer("left"), reasoning="I hear it."),
    "arig": Sample("3", "d", "arig", "test", (Media("frame", "image", "a.jpg"), Media("sound", "audio", "a.wav")),
                   answer=ObjectsAnswer((Object("dog", (0.25, 0.5, 0.5, 0.75)),)), reasoning="I hear it."),
}  # fmt: skip


@pytest.mark.parametrize("pack", [TINY, default_pack()], ids=["tiny", "omni"])
@pytest.mark.parametrize("key", SAMPLES)
def test_target_is_read_back(key, pack):
    task, sample = get_task(key), SAMPLES[key]
    text = task.target(sample, pack)
    assert text.startswith("I hear it. <")
    assert ("> " in text) == pack.spaced
    assert task.parse(text, sample, pack) == sample.answer
    assert task.read(text, sample, pack).reasoning == "I hear it."
    assert task.target(sample, pack, reasoning=False).startswith("<")


@pytest.mark.parametrize("pack", [TINY, default_pack()], ids=["tiny", "omni"])
@pytest.mark.parametrize("key", SAMPLES)
def test_prompt_shows_media_in_order_then_asks(key, pack):
    sample = SAMPLES[key]
    turn = get_task(key).prompt(sample, pack)[-1]
    assert [part.media for part in turn.parts if part.media] == list(sample.media)
    assert turn.parts[-1].kind == "text" and turn.role == "user"
    assert (sample.question or "") in (turn.parts[-1].text or "")
    assert all(part.frames == pack.frames for part in turn.parts if part.kind == "video")


def test_published_settings_are_the_default():
    assert default_pack().canvas == default_pack().size == (224, 224)
    assert default_pack().frames == 10


def test_every_key_has_a_wording_in_both_packs():
    for pack in (TINY, default_pack()):
        assert set(TASKS) <= set(pack.keys)


def test_paraphrase_is_fixed_by_the_sample():
    chosen = {TINY.instruction("ave", str(n)) for n in range(40)}
    assert chosen == set(TINY.keys["ave"].instructions)
    assert TINY.instruction("ave", "7") == TINY.instruction("ave", "7")


def test_no_answer_says_why():
    parsed = get_task("ave").read("It barks.", SAMPLES["ave"], TINY)
    assert parsed.answer is None and "<event>" in (parsed.reason or "")


def test_unknown_key_names_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'arig'"):
        get_task("arigg")


def test_target_without_an_answer_is_refused():
    with pytest.raises(ValueError, match="'?4'?.*true answer"):
        get_task("ave").target(Sample("4", "d", "ave", "test", (CLIP,)), TINY)


def test_judge_counts_no_answer_as_wrong():
    for key, sample in SAMPLES.items():
        task = get_task(key)
        assert task.judge([(sample, sample.answer), (sample, None)])[task.metric] == pytest.approx(
            0.5 if key != "ave" else (10 + 6) / 20
        )


def test_wrong_pack_names_file_and_field(tmp_path):
    path = tmp_path / "pack.yaml"
    path.write_text("name: x\nversion: 1\ncolour: red\n")
    with pytest.raises(ValueError, match="pack.yaml(.|\n)*colour"):
        load_pack(path)
