"""The endpoint through OpenAI's own client: what it answers is what the model says."""

import base64
import threading
from pathlib import Path
from typing import Any

import openai
import pytest

from crabplus.serve.engine import Wanted, _Row
from crabplus.serve.limits import Limits
from serve_world import data_url, part_of, running  # noqa: F401


@pytest.fixture
def client(served: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0)


def ask(client: openai.OpenAI, *content: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": list(content)}], **more)


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "crabplus"
    with pytest.raises(openai.NotFoundError, match="no model 'other'"):
        client.models.retrieve("other")


def test_a_task_is_asked_in_the_words_of_the_pack_and_its_answer_is_read(client: Any, world: Any, plus: Any) -> None:
    folder, samples = world
    clip = folder / samples["ave"].media[0].path
    said = ask(client, part_of("video", clip), extra_body={"task": "ave"})
    wanted = plus.ask(clip, task="ave")
    assert said.choices[0].message.content == wanted.text and said.choices[0].finish_reason == "stop"
    read = said.crabplus
    assert read["task"] == "ave" and read["reason"] is None and read["reasoning"] == wanted.reasoning
    (event,) = read["answer"]["events"]
    assert (event["label"], event["start"], event["end"]) == (
        wanted.answer.events[0].label, wanted.answer.events[0].start, wanted.answer.events[0].end,
    )  # fmt: skip
    assert read["confidence"] == pytest.approx(wanted.confidence, abs=0.05)  # another of the paraphrases
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens > 100


def test_what_was_cut_off_is_read_and_said_to_be_so(client: Any, world: Any) -> None:
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    whole = ask(client, clip, extra_body={"task": "caption"})
    cut = ask(client, clip, extra_body={"task": "caption"}, max_tokens=whole.usage.completion_tokens - 3)
    assert whole.choices[0].finish_reason == "stop" and whole.crabplus["reason"] is None
    assert cut.choices[0].finish_reason == "length" and cut.crabplus["reason"].startswith("it was cut off")
    text = cut.crabplus["answer"]["text"]
    assert text and text != whole.crabplus["answer"]["text"]
    begun = ask(client, clip, extra_body={"task": "events"}, max_tokens=2).crabplus
    assert begun["answer"] is None and begun["reason"].startswith("no <event> tag; it was cut off")


def test_a_free_chat_shows_the_model_what_is_sent_as_it_is_sent(client: Any, world: Any, plus: Any) -> None:
    """In the pack's own words it is the task."""
    folder, samples = world
    clip, question = folder / samples["avqa"].media[0].path, samples["avqa"].question
    free = ask(client, part_of("video", clip), {"type": "text", "text": question})
    assert free.choices[0].message.content == plus.ask(clip, task="avqa", question=question).text
    assert not hasattr(free, "crabplus")


def test_a_picture_with_a_sound(client: Any, world: Any, plus: Any) -> None:
    folder, samples = world
    frame, sound = (folder / item.path for item in samples["arig"].media)
    heard = {"data": base64.b64encode(sound.read_bytes()).decode(), "format": "wav"}
    said = ask(client, part_of("image", frame), {"type": "input_audio", "input_audio": heard},
               extra_body={"task": "boxes"})  # fmt: skip
    assert said.choices[0].message.content == plus.ask(frame, task="boxes", sound=sound).text


def test_two_films_and_a_sound(client: Any, world: Any, plus: Any) -> None:
    folder, samples = world
    sound, one, two = (folder / item.path for item in samples["a2v"].media)
    said = ask(client, part_of("video", one), part_of("video", two), part_of("audio", sound),
               extra_body={"task": "match"})  # fmt: skip
    assert said.choices[0].message.content == plus.ask([one, two], task="match", sound=sound).text


def test_a_stream_is_the_same_text_in_pieces(client: Any, world: Any) -> None:
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    whole = ask(client, clip, extra_body={"task": "ave"})
    chunks = list(ask(client, clip, stream=True, stream_options={"include_usage": True}, extra_body={"task": "ave"}))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces) == whole.choices[0].message.content and len(pieces) > 10
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-2].crabplus == whole.crabplus
    assert chunks[-1].usage == whole.usage and len({chunk.id for chunk in chunks}) == 1


def test_an_answer_ends_where_it_is_told_to(client: Any, world: Any) -> None:
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    whole = ask(client, clip, extra_body={"task": "ave"}).choices[0].message.content
    assert " see " in whole
    for stream in (False, True):
        made = ask(client, clip, stop=[" see ", "never"], stream=stream, extra_body={"task": "ave"})
        text = "".join(c.choices[0].delta.content or "" for c in made) if stream else made.choices[0].message.content
        assert text == whole[: whole.index(" see ")]
    short = ask(client, clip, max_tokens=3, extra_body={"task": "ave"})
    assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3
    assert short.crabplus["answer"] is None and short.crabplus["reason"]


def test_a_seed_draws_the_same_and_another_another(client: Any, world: Any) -> None:
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    draws = [ask(client, clip, temperature=2.0, seed=seed, max_tokens=12).choices[0].message.content
             for seed in (1, 1, 2)]  # fmt: skip
    assert draws[0] == draws[1] != draws[2]
    best = ask(client, clip, max_tokens=12).choices[0].message.content
    assert ask(client, clip, temperature=2.0, top_p=1e-9, max_tokens=12).choices[0].message.content == best


def test_answers_are_held_to_labels(client: Any, world: Any) -> None:
    clip = part_of("video", world[0] / world[1]["ks"].media[0].path)
    said = ask(client, clip, extra_body={"task": "action", "labels": ["napping", "yawning"]})
    assert said.crabplus["answer"]["label"] in ("napping", "yawning")


def test_requests_that_wait_are_answered_together(plus: Any, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first are held, the others come: they are answered by eights."""
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    with running(plus, Limits(batch=8)) as served:
        client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0)
        engine, sizes, answer, all_wait = served.endpoint.engine, [], served.endpoint.engine._answer, threading.Event()

        def held(jobs: Any) -> None:
            sizes.append(len(jobs))
            assert all_wait.wait(120)
            answer(jobs)

        monkeypatch.setattr(engine, "_answer", held)
        said: list[str] = []
        threads = [
            threading.Thread(target=lambda: said.append(
                ask(client, clip, extra_body={"task": "ave"}).choices[0].message.content
            ))
            for _ in range(16)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        served.wait_for(lambda: engine.queued + sum(sizes) == 16)
        all_wait.set()
        for thread in threads:
            thread.join()
        alone = ask(client, clip, extra_body={"task": "ave"}).choices[0].message.content
        assert said == [alone] * 16
        assert [*filter(None, (sizes[0], 8, 8 - sizes[0])), 1] == sizes and engine.batches == len(sizes)


def test_characters_of_several_tokens_come_whole(plus: Any) -> None:
    text = "a 漢字 é 🦀!"
    told: list[Any] = []

    class Job:
        wanted, tell = Wanted(100), told.append
        gone = threading.Event()

    row = _Row(Job, plus.model)  # type: ignore[arg-type]
    for token in plus.model.processor.tokenizer(text).input_ids:
        row.take(token, False)
    assert "".join(told) == text == row.text and all("\ufffd" not in piece for piece in told) and len(told) > 4


def test_a_file_below_the_folder(client: Any, world: Any) -> None:
    path = world[1]["ave"].media[0].path
    sent = ask(client, part_of("video", world[0] / path), extra_body={"task": "ave"})
    for address in (path, f"file:{world[0] / path}", f"file://localhost{world[0] / path}", f"./{path}"):
        named = ask(client, {"type": "video_url", "video_url": {"url": address}}, extra_body={"task": "ave"})
        assert named.choices[0].message.content == sent.choices[0].message.content


def test_data_urls_are_as_they_are_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    assert data_url("image", path) == "data:image/png;base64,eA=="
