"""Replies about own files: batches across files and windows, joined answers, several threads."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crabplus import CrabPlus, answers
from crabplus.answers import NOTES, Plan, reply_to, summed_up
from crabplus.models import resolve
from crabplus.own import AskError
from crabplus.schema import EventsAnswer, Prediction, Reply, Sample, TextAnswer, Window, from_json, to_json
from crabplus.tasks import default_pack, get_task, load_pack
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip

FEW = load_pack(Path(resolve("tiny")) / "pack.yaml")
FEW = FEW.model_copy(update={"keys": {"ave": FEW.keys["ave"]}})


@pytest.fixture(scope="module")
def plus():
    return CrabPlus.from_pretrained("tiny")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Clips one by one, and all in one file."""
    out = tmp_path_factory.mktemp("films")
    scenes = [ask("ave", "test", number, 77).scene for number in range(4)]
    write_clip(out / "all.mp4", *scenes)
    for number, scene in enumerate(scenes):
        write_clip(out / f"{number}.mp4", scene)
    return out


def test_a_long_file_is_answered_as_its_clips_are(plus, films):
    single = [plus.ask(films / f"{number}.mp4", task="events").answer.events for number in range(4)]
    made = plus.ask(films / "all.mp4", task="events")
    told = [[(e.label, e.start + 10 * n, e.end + 10 * n) for e in events] for n, events in enumerate(single)]
    found = [(event.label, event.start, event.end) for event in made.answer.events]
    joined = [[event for event in found if 10 * n <= event[1] < 10 * n + 10] for n in range(4)]
    # the long file was compressed anew, which may change the answer to one clip
    assert sum(a == b for a, b in zip(joined, told, strict=True)) >= 3
    assert [w.start for w in made.windows] == pytest.approx([0, 10, 20, 30], abs=0.2)
    assert all(0 < event.confidence <= 1 for event in made.answer.events)
    assert from_json(to_json(made), Reply) == made == from_json(to_json(made), Prediction)


def test_boxes_are_in_pixels_at_the_second_of_their_picture(plus, films):
    made = plus.ask(films / "all.mp4", task="boxes")
    assert [box.time for box in made.pixel_boxes] == pytest.approx([5, 15, 25, 35], abs=0.2)
    assert all(0 <= box.x1 < box.x2 <= 160 and 0 <= box.y1 < box.y2 <= 160 for box in made.pixel_boxes)
    masks = plus.segment(made)
    assert [mask.label for mask in masks] == [box.label for box in made.pixel_boxes]
    assert all(mask.score.shape == (160, 160) for mask in masks)


def test_many_files_have_a_reply_each_whatever_is_wrong_with_one(plus, films, tmp_path):
    (tmp_path / "cut.mp4").write_bytes((films / "0.mp4").read_bytes()[:3000])
    made = list(plus.predict([films / "0.mp4", tmp_path / "cut.mp4", films / "1.mp4"], task="events"))
    assert [reply.id for reply in made] == ["0.mp4", "cut.mp4", "1.mp4"]
    assert "cut.mp4" in made[1].error and not made[1].answer
    assert made[2].answer == plus.ask(films / "1.mp4", task="events").answer
    with pytest.raises(AskError, match="it knows events"):
        CrabPlus(plus.model, FEW).predict(films, task="caption")


def test_own_labels_are_kept_to(plus, films):
    made = plus.ask(films / "0.mp4", task="events", labels=("gong", "harp"))
    assert {event.label for event in made.answer.events} <= {"gong", "harp"} and made.settings["constrained"]


@pytest.mark.slow
def test_threads_share_a_model(plus, films):
    paths = [films / f"{number % 4}.mp4" for number in range(8)]
    alone = [plus.ask(path, task="events").answer for path in paths[:4]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: plus.ask(path, task="events").answer, paths))
    assert together == alone * 2


def test_routing_is_told_by_kind_of_token(plus, films):
    made, routing = plus.routing(films / "0.mp4", task="events")
    assert made.answer == plus.ask(films / "0.mp4", task="events").answer
    assert {row.kind for row in routing.rows()} >= {"video", "audio", "text"}


def window(number, text):
    answer = get_task("avqa").parse(text)
    return Window(10 * number, 10 * number + 10, text, answer, reason=None if answer else "no <answer> tag")


def reply(*windows):
    return Reply("a.mp4", "avqa", answer=TextAnswer("red"), question="What colour?", windows=windows)


@pytest.fixture
def asked(monkeypatch):
    """What is asked of a model that says ``blue`` to everything."""
    samples = []

    def predict(model, data, pack, batch_size, origin=None, **options):
        samples.append(list(data.samples))
        text = "It is in the notes. <answer>blue</answer>"
        return iter([Prediction(s.id, s.task, text, TextAnswer("blue"), "It is in the notes.") for s in data.samples])

    monkeypatch.setattr(answers, "predict", predict)
    return samples


def test_what_was_said_of_the_windows_is_summed_up_by_the_model(asked):
    texts = ["I see a <answer>red</answer>", "nothing to read", "Then <answer>blue</answer>"]
    made = summed_up(None, default_pack(), reply(*(window(n, text) for n, text in enumerate(texts))))
    assert made.answer == TextAnswer("blue") and made.reasoning == "It is in the notes." and len(made.windows) == 3
    ((sample,),) = asked
    prompt = get_task("avqa").prompt(sample, default_pack())[-1].parts
    assert len(prompt) == 2 or len(prompt) == 1
    words = prompt[-1].text
    assert "What colour?" in words and "From 0 to 10 s: I see a red\nFrom 20 to 30 s: Then blue" in words
    assert not re.search("<answer>(red|blue)", words)


def test_many_windows_are_summed_up_in_steps(asked):
    many = reply(*(window(n, "<answer>red</answer>") for n in range(NOTES * 2 + 1)))
    assert summed_up(None, default_pack(), many).answer == TextAnswer("blue")
    assert [len(samples) for samples in asked] == [3, 1]


def test_without_words_for_it_or_with_one_window_the_joined_answer_stays(plus, asked):
    two = reply(window(0, "<answer>red</answer>"), window(1, "<answer>red</answer>"))
    assert summed_up(None, plus.pack, two) == two
    one = reply(window(0, "<answer>red</answer>"), window(1, "nothing"))
    assert summed_up(None, default_pack(), one) == one and asked == []


def test_a_sum_that_cannot_be_read_leaves_the_joined_answer(asked, monkeypatch):
    two = reply(window(0, "<answer>red</answer>"), window(1, "<answer>red</answer>"))
    said = Prediction("a", "avqa", "no idea", reason="no <answer> tag")
    monkeypatch.setattr(answers, "predict", lambda *args, **more: iter([said]))
    assert summed_up(None, default_pack(), two) == two


def test_a_file_that_cannot_be_asked_about_has_its_error():
    plan = Plan(Sample("a.mp4", "own", "ave", "own"), error="a.mp4: is empty")
    made = reply_to(plan, [], {"model": "tiny"})
    assert (made.error, made.settings, plan.samples) == ("a.mp4: is empty", {"model": "tiny"}, [])


def test_batches_go_across_files(plus, films, monkeypatch):
    sizes, real = [], answers.predict

    def predict(model, data, *rest, **options):
        sizes.append(len(data.samples))
        return real(model, data, *rest, **options)

    monkeypatch.setattr(answers, "predict", predict)
    made = list(plus.predict([films / "all.mp4", films / "0.mp4"], task="events"))
    assert sizes == [5] and isinstance(made[0].answer, EventsAnswer) and len(made[0].windows) == 4
    assert made[1] == plus.ask(films / "0.mp4", task="events")
