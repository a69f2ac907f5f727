"""What is no request, too much, or meant badly: a clear 4xx, and the server goes on."""

import base64
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from crabplus.serve.limits import Limits
from serve_world import part_of, running

HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)
WAVE = base64.b64encode(b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(40)).decode()


def post(served: Any, body: Any, **more: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{served.url}/v1/chat/completions", content=content, timeout=60, **more)


def shown(part: Any, **more: Any) -> dict[str, Any]:
    return {**HELLO, "messages": [{"role": "user", "content": [part]}], **more}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


BODIES: list[tuple[Any, int, str]] = [
    (b"", 400, "no JSON"),
    (b"{", 400, "no JSON"),
    (b"\xff\xfe", 400, "no JSON"),
    (b"[" * 100_000, 400, "no JSON"),
    ([], 400, "a JSON object wanted"),
    ({}, 400, "Field required"),
    ({"model": "tiny"}, 400, "messages: Field required"),
    ({**HELLO, "model": "gpt"}, 404, "no model 'gpt'"),
    ({**HELLO, "messages": []}, 400, "messages"),
    ({**HELLO, "messages": "hello"}, 400, "messages"),
    ({**HELLO, "messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role"),
    ({**HELLO, "messages": [{"role": "user", "content": None}]}, 400, "messages.0.content"),
    ({**HELLO, "messages": [{"role": "user", "content": "x" * 501}]}, 400, "at most 500 letters"),
    ({**HELLO, "messages": [{"role": "user", "content": "x"}] * 65}, 400, "at most 64, got 65"),
    ({**HELLO, "messages": [{"role": "user", "content": "is <|AUDIO|> it?"}]}, 400, "special token"),
    ({**HELLO, "max_tokens": 0}, 400, "max_tokens"),
    ({**HELLO, "max_tokens": 10**9}, 400, "more than the 4096 that this model takes"),
    ({**HELLO, "temperature": 3}, 400, "temperature"),
    ({**HELLO, "top_p": 0}, 400, "top_p"),
    ({**HELLO, "n": 2}, 400, "n: "),
    ({**HELLO, "stop": ["a"] * 5}, 400, "stop: List should have at most 4 items"),
    ({**HELLO, "top_k": 3}, 400, "'top_k' is no field that is known here; did you mean 'top_p'?"),
    ({**HELLO, "Tsak": "ave"}, 400, "'Tsak' is no field that is known here; did you mean 'task'?"),
    ({**HELLO, "\ud800": 1}, 400, "is no field that is known here"),
    ({**HELLO, "messages": [{"role": "user", "content": "\ud800"}]}, 400, "half of a letter"),
    (shown({"type": "text", "text": "a\udc00"}), 400, "half of a letter"),
    ({**HELLO, "tools": [{"type": "function"}]}, 400, "tools is not supported here"),
    ({**HELLO, "response_format": {"type": "json_object"}}, 400, "response_format is not supported"),
    ({**HELLO, "logprobs": True}, 400, "logprobs is not supported"),
    ({**HELLO, "task": "ave"}, 400, "one message of media"),
    ({**HELLO, "labels": ["a"]}, 400, "labels: they belong to a task"),
    (shown({"type": "hologram"}), 400, "messages.0.content.0.type: Input should be 'text', 'image_url', "),
    (shown({"type": "image_url"}), 400, "messages.0.content.0: a part of type image_url needs a field image_url"),
    (shown({"type": "text", "txt": "hello"}), 400, "messages.0.content.0: a part of type text needs a field text"),
    (shown(image("https://example.com/cat.png")), 400, "only data: URLs are taken"),
    (shown(image("ftp://example.com/cat.png")), 400, "only data: URLs are taken"),
    (shown(image("file://example.com/cat.png")), 400, "only data: URLs are taken"),
    (shown(image("data:image/png;base64,!!!!")), 400, "not base64"),
    (shown(image("data:image/png;base64,")), 400, "no bytes"),
    (shown(image("data:image/svg+xml;base64,eA==")), 400, "no image/svg+xml is known here"),
    (shown(image("data:text/html;base64,eA==")), 400, "data:image/...;base64,... wanted"),
    (shown(image("data:image/png;base64,eHh4eA==")), 400, "medium 1 (png): holds no known picture"),
    (
        shown(image(f"data:image/jpeg;base64,{WAVE}")),
        400,
        "medium 1 (jpg): is mislabelled: it is called jpg, and holds",
    ),
    (shown({"type": "video_url", "video_url": {"url": PIXEL}}), 400, "data:video/...;base64,... wanted"),
    (
        shown({"type": "input_audio", "input_audio": {"data": "eA==", "format": "exe"}}),
        400,
        "no audio/exe is known here; known: flac, m4a",
    ),
    (shown(image(PIXEL), task="ave"), 400, "has no sound, and ave asks for what is heard: send a sound file"),
    (shown(image(PIXEL), task="boxes"), 400, "no sound"),
    (shown(image(PIXEL), task="avee"), 400, "did you mean 'ave'"),
    (shown(image("../../../etc/passwd")), 400, "no such file"),
    (shown(image("/etc/passwd")), 400, "no such file"),
    (shown(image("file:///etc/passwd")), 400, "no such file"),
    (shown(image("file:///%2e%2e/%2e%2e/etc/passwd")), 400, "no such file"),
    (shown(image("a\0b")), 400, "no such file"),
]


@pytest.mark.parametrize(("body", "status", "words"), BODIES, ids=[words[:24] for _, _, words in BODIES])
def test_a_clear_error_in_openais_form(served: Any, body: Any, status: int, words: str) -> None:
    said = post(served, body)
    assert said.status_code == status, said.text
    error = said.json()["error"]
    assert words in error["message"] and set(error) == {"message", "type", "param", "code"}
    assert "/tmp" not in error["message"] and error["type"] == "invalid_request_error"


def test_it_still_answers(served: Any) -> None:
    assert post(served, HELLO).status_code == 200
    assert not served.endpoint.engine.queued and not served.endpoint._reading


def test_links_out_of_the_folder_lead_nowhere(served: Any, world: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    for name, target in (("link.png", tmp_path / "secret.png"), ("linked", tmp_path)):
        os.symlink(target, world[0] / name)
    for address in ("link.png", "linked/secret.png", "."):
        assert "no such file" in post(served, shown(image(address))).json()["error"]["message"]


def test_without_a_folder_no_file_is_read(plus: Any, world: Any) -> None:
    with running(plus, Limits()) as served:
        said = post(served, shown(image(str(world[0] / world[1]["arig"].media[0].path))))
    assert said.status_code == 400 and "this server reads no files" in said.text


def test_nothing_of_a_request_stays_on_the_disk(served: Any, world: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    clip = part_of("video", world[0] / world[1]["ave"].media[0].path)
    assert post(served, shown(clip, task="ave")).status_code == 200
    assert post(served, shown(image("data:image/png;base64,eHh4eA=="))).status_code == 400
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_here(served: Any) -> None:
    assert httpx.get(f"{served.url}/v1/embeddings").status_code == 404
    assert httpx.get(f"{served.url}/v1/chat/completions").status_code == 405
    assert httpx.post(f"{served.url}/health").status_code == 405
    assert "the endpoint is /v1/chat/completions" in httpx.get(served.url).json()["error"]["message"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(served: Any) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), 30) as raw:
        raw.sendall(head)
        assert b" 413 " in raw.recv(1000)

    def endless() -> Any:
        while True:
            yield b"x" * 65536

    with _either():
        said = httpx.post(f"{served.url}/v1/chat/completions", content=endless(), timeout=30)
        assert said.status_code == 413


class _either:
    """A client that is still sending may see the end of the connection before the answer."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return kind is not None and issubclass(kind, httpx.HTTPError)


def test_who_sends_nothing_is_told_so(served: Any) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", served.port), 60) as raw:
        raw.sendall(head)
        assert b" 408 " in raw.recv(1000)
    assert served.endpoint._reading == 0


def test_a_key_is_wanted_where_there_is_one(plus: Any) -> None:
    with running(plus, Limits(keys=("right",))) as served:
        good = openai.OpenAI(base_url=f"{served.url}/v1", api_key="right", max_retries=0)
        assert len(list(good.models.list())) == 1
        bad = openai.OpenAI(base_url=f"{served.url}/v1", api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            bad.models.list()
        assert post(served, HELLO).status_code == 401 and httpx.get(f"{served.url}/metrics").status_code == 401
        assert httpx.get(f"{served.url}/health").text == "ok"


def test_more_than_may_wait_are_told_to_come_again(plus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(plus, Limits(waiting=2, batch=1)) as served:
        engine, told = served.endpoint.engine, threading.Event()
        answer = engine._answer

        def held(jobs: Any) -> None:
            """The first is held, however soon it would end, so that the others wait."""
            assert told.wait(120)
            answer(jobs)

        monkeypatch.setattr(engine, "_answer", held)
        long = {**HELLO, "max_tokens": 2000, "temperature": 2.0}
        clients = [httpx.Client(timeout=120) for _ in range(3)]
        streams = []
        for number, client in enumerate(clients):
            stream = client.stream("POST", f"{served.url}/v1/chat/completions", json={**long, "stream": True})
            streams.append((stream, stream.__enter__()))
            served.wait_for(lambda n=number: engine.queued == n and engine.running)
        said = post(served, HELLO)
        assert said.status_code == 429 and said.headers["retry-after"] == "1"
        assert said.json()["error"]["type"] == "rate_limit_error"
        for client in clients:  # they hang up, and what they asked for is not answered any more
            client.close()
        told.set()
        served.wait_for(lambda: not engine.queued and not engine.running)
        assert post(served, HELLO).status_code == 200


def test_who_hangs_up_frees_the_model(served: Any) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 60) as raw:
        body = json.dumps({**HELLO, "max_tokens": 3000, "temperature": 2.0}).encode()
        raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        served.wait_for(lambda: served.endpoint.engine.running == 1)
    began = time.monotonic()
    served.wait_for(lambda: served.endpoint.engine.running == 0)
    assert time.monotonic() - began < 30


def test_who_reads_slowly_holds_nobody_up(served: Any) -> None:
    body = json.dumps({**HELLO, "max_tokens": 400, "temperature": 2.0, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", served.port), 60) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert post(served, HELLO).status_code == 200


def test_health_and_numbers(served: Any) -> None:
    assert httpx.get(f"{served.url}/health").text == "ok"
    before = numbers(served)
    post(served, HELLO)
    post(served, b"{")
    after = numbers(served)
    assert after['crabplus_requests_total{status="200"}'] == before.get('crabplus_requests_total{status="200"}', 0) + 1
    assert after['crabplus_requests_total{status="400"}'] == before.get('crabplus_requests_total{status="400"}', 0) + 1
    assert after["crabplus_generated_tokens_total"] > before["crabplus_generated_tokens_total"]
    assert after["crabplus_requests_waiting"] == 0


def numbers(served: Any) -> dict[str, float]:
    lines = httpx.get(f"{served.url}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_a_mistake_inside_is_a_500_and_not_the_end(plus: Any, monkeypatch: Any) -> None:
    from crabplus.serve import engine

    real = engine._generate
    with running(plus, Limits()) as served:
        monkeypatch.setattr(engine, "_generate", lambda *a: (_ for _ in ()).throw(KeyError("secret")))
        said = post(served, HELLO)
        assert said.status_code == 500 and "secret" not in said.text
        monkeypatch.setattr(engine, "_generate", real)
        assert post(served, HELLO).status_code == 200


def test_where_memory_is_short_halves_are_answered(plus: Any, monkeypatch: Any) -> None:
    import torch

    from crabplus.serve import engine

    real, sizes = engine._generate, []

    def short(model: Any, rows: Any, deadline: float) -> None:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        real(model, rows, deadline)

    monkeypatch.setattr(engine, "_generate", short)
    made = engine.Engine(plus.model, 8, 4, 60)
    told: list[Any] = []
    encoded = _hello(plus)
    gate = threading.Event()
    monkeypatch.setattr(made, "_answer", _after(gate, made._answer))
    for _ in range(4):
        made.put(engine.Job(encoded, engine.Wanted(2), told.append))
    gate.set()
    end = time.monotonic() + 60
    while sum(isinstance(news, engine.Done) for news in told) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    made.close()
    assert sum(isinstance(news, engine.Done) for news in told) == 4 and sizes.count(1) == 4


def _after(gate: threading.Event, call: Any) -> Any:
    def later(jobs: Any) -> None:
        gate.wait(60)
        call(jobs)

    return later


def _hello(plus: Any) -> Any:
    from crabplus.models.source import Files
    from crabplus.schema import Message, Part

    return plus.model.encode([Message("user", (Part(kind="text", text="hello"),))], Files())
