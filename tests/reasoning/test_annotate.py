"""Annotation against a local endpoint that misbehaves: nothing is paid for twice, nothing false gets in."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.datasets.avuie import read, write
from crabplus.reasoning.annotate import Rules, Said, annotate
from crabplus.reasoning.folder import journal_path
from crabplus.reasoning.journal import Journal
from crabplus.reasoning.teacher import Endpoint, Local, by_template
from crabplus.schema import Event, EventsAnswer, Media, Message, Sample, TextAnswer
from crabplus.tidepool.build import build

GOOD = "The tower swings its bell, and each stroke is heard with it. <event>bell, (2 8)</event>"
WRONG = GOOD.replace("(2 8)", "(2 9)")


def samples(count: int) -> list[Sample]:
    media = (Media("clip", "video", "a.mp4", duration=10, size=(640, 480)),)
    answer = EventsAnswer((Event("bell", 2, 8),))
    return [Sample(f"s{n}", "own", "ave", "train", media, answer=answer) for n in range(count)]


class Drawn:
    """Pictures and sound out of nothing."""

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[Any, float]:
        return np.zeros((count, size[1], size[0], 3), np.uint8), 10.0

    def image(self, media: Media, size: tuple[int, int]) -> Any:
        return np.zeros((size[1], size[0], 3), np.uint8)

    def wave(self, media: Media, rate: int) -> Any:
        return np.zeros(rate, np.float32)


class Server(ThreadingHTTPServer):
    """Answers each call with what ``script`` says for its number, the last for all later ones; keeps what came."""

    def __init__(self, script: tuple[Any, ...]) -> None:
        self.script, self.asked, self.lock = script, [], threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def next(self, body: dict[str, Any]) -> Any:
        with self.lock:
            self.asked.append(body)
            return self.script[min(len(self.asked), len(self.script)) - 1]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        what = self.server.next(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if what == "cut":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"choices"')
            return
        if what == "slow":
            time.sleep(1.5)
        status = what if isinstance(what, int) else 200
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": what}}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        made = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        body = b"{broken" if what == "json" else json.dumps(made if status == 200 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    made: list[Server] = []

    def start(*script: Any) -> Server:
        made.append(Server(script))
        threading.Thread(target=made[-1].serve_forever, daemon=True).start()
        return made[-1]

    yield start
    for server in made:
        server.shutdown()


def run(server: Server, tmp_path: Path, count: int = 1, retries: int = 3, seconds: float = 20.0, **rules: Any) -> Any:
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    teacher = Endpoint("m", Drawn(), url, retries=retries, seconds=seconds, frames=2)
    with Journal(tmp_path / "journal.jsonl") as journal:
        made = annotate(samples(count), teacher, "m", journal, Rules(**{"concurrency": 1, **rules}))
    return made, journal


def last_text(asked: dict[str, Any]) -> str:
    return str(asked["messages"][1]["content"][-1]["text"])


def test_media_question_and_truth_are_sent(serve: Any, tmp_path: Path) -> None:
    server = serve(GOOD)
    made, journal = run(server, tmp_path, price_in=2.0, price_out=10.0)
    assert made.reasoning == {"s0": GOOD[: GOOD.index(" <event>")]}
    kinds = [part["type"] for part in server.asked[0]["messages"][1]["content"]]
    assert kinds == ["image_url", "image_url", "input_audio", "text"]
    assert "<event>bell, (2 8)</event>" in last_text(server.asked[0])
    assert journal.cost == pytest.approx(0.003)


@pytest.mark.parametrize("trouble", [429, 500, "cut"])
def test_calls_that_fail_are_made_again(serve: Any, tmp_path: Path, trouble: Any) -> None:
    server = serve(trouble, GOOD)
    made, journal = run(server, tmp_path)
    assert list(made.reasoning) == ["s0"] and len(server.asked) == 2 and len(journal.entries) == 1


def test_a_slow_endpoint_has_its_limit(serve: Any, tmp_path: Path) -> None:
    server = serve("slow", GOOD)
    made, _ = run(server, tmp_path, seconds=0.5)
    assert list(made.reasoning) == ["s0"]


def test_trouble_that_stays_is_told_and_the_rest_goes_on(serve: Any, tmp_path: Path) -> None:
    server = serve("json", "json", GOOD)
    made, journal = run(server, tmp_path, count=2, retries=0, attempts=2)
    assert list(made.reasoning) == ["s1"] and list(made.failed) == ["s0"]
    assert len(journal.entries) == 3 and journal.entries[0].error


def test_calls_that_failed_use_nothing_up(serve: Any, tmp_path: Path) -> None:
    down = serve(500)
    made, _ = run(down, tmp_path, retries=0, attempts=2)
    assert "InternalServerError" in made.failed["s0"] and len(down.asked) == 2
    made, _ = run(serve(GOOD), tmp_path, attempts=2)
    assert list(made.reasoning) == ["s0"]


def test_a_sample_with_another_answer_is_asked_anew(serve: Any, tmp_path: Path) -> None:
    run(serve(GOOD), tmp_path)
    changed = replace(samples(1)[0], answer=EventsAnswer((Event("bell", 2, 9),)))
    teacher = Local(lambda messages: WRONG)  # which is right now
    with Journal(tmp_path / "journal.jsonl") as journal:
        made = annotate([changed], teacher, "m", journal, Rules())
    assert list(made.reasoning) == ["s0"] and len(journal.entries) == 2


def test_another_teacher_is_asked_anew(serve: Any, tmp_path: Path) -> None:
    run(serve(GOOD), tmp_path)
    with Journal(tmp_path / "journal.jsonl") as journal:
        made = annotate(samples(1), by_template, "template", journal, Rules())
    assert made.reasoning["s0"] != GOOD[: GOOD.index(" <event>")] and len(journal.entries) == 2


def test_a_wrong_one_is_asked_again_with_the_reason(serve: Any, tmp_path: Path) -> None:
    server = serve(WRONG, GOOD)
    made, journal = run(server, tmp_path)
    assert list(made.reasoning) == ["s0"] and journal.entries[0].problems
    assert "it ends in <event>bell, (2 9)" in last_text(server.asked[1])


def test_attempts_end_and_are_not_paid_for_again(serve: Any, tmp_path: Path) -> None:
    server = serve(WRONG)
    for _ in range(2):  # the second run asks nothing
        made, journal = run(server, tmp_path, attempts=2)
        assert "it ends in" in made.failed["s0"] and len(server.asked) == len(journal.entries) == 2


def test_nothing_is_paid_for_twice(serve: Any, tmp_path: Path) -> None:
    server = serve(GOOD)
    run(server, tmp_path, count=3)
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text()[:-30])  # killed while it wrote the last line
    made, journal = run(server, tmp_path, count=5, concurrency=4)
    assert len(made.reasoning) == 5 and len(server.asked) == 3 + 3
    assert set(Counter(entry.id for entry in journal.entries).values()) == {1}
    with Journal(path) as again:
        assert len(again.entries) == 5


def test_the_budget_stops_the_run(serve: Any, tmp_path: Path) -> None:
    server = serve(GOOD)
    made, journal = run(server, tmp_path, count=9, budget=0.0025, price_in=1.0)
    assert made.stopped and len(made.reasoning) == 3 and journal.cost == pytest.approx(0.003)
    more, _ = run(server, tmp_path, count=9, price_in=1.0)
    assert len(more.reasoning) == 9 and len(server.asked) == 9


def test_calls_are_made_at_a_time(tmp_path: Path) -> None:
    at_once = [0]
    most = [0]

    async def teacher(sample: Sample, complaint: str | None) -> Said:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        await asyncio.sleep(0.01)
        at_once[0] -= 1
        return Said(GOOD)

    with Journal(tmp_path / "journal.jsonl") as journal:
        made = annotate(samples(20), teacher, "t", journal, Rules(concurrency=4))
    assert most == [4] and len(made.reasoning) == 20


def test_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, "ave", "train", [*samples(3), Sample("none", "own", "ave", "train")])
    told = CliRunner().invoke(app, ["annotate", "--data", str(tmp_path), "--keys", "ave"])
    assert told.exit_code == 1 and "reasoning of template for 3 of 4 samples" in told.output, told.output
    assert "none: no true answer to lead to" in told.output
    after = list(read(tmp_path, "ave", "train"))
    assert [bool(sample.reasoning) for sample in after] == [True, True, True, False]
    assert journal_path(tmp_path, "ave", "train").is_file()
    again = CliRunner().invoke(app, ["annotate", "--data", str(tmp_path), "--keys", "ave"])
    assert again.exit_code == 1 and list(read(tmp_path, "ave", "train")) == after


def test_a_budget_needs_prices(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["annotate", "--data", str(tmp_path), "--keys", "ave", "--budget", "1"])
    assert told.exit_code == 2 and "--budget needs prices" in told.output


def test_a_teacher_may_be_any_function(tmp_path: Path) -> None:
    sample = Sample("1", "own", "avqa", "train", question="How many?", answer=TextAnswer("two"))
    with Journal(tmp_path / "j.jsonl") as journal:
        made = annotate([sample], by_template, "template", journal, Rules())
    assert "two" in made.reasoning["1"] and journal.entries[0].teacher == "template"


def test_a_local_model_is_asked_with_media_and_truth(tmp_path: Path) -> None:
    heard = []

    def answer(messages: tuple[Message, ...]) -> str:
        heard.append(messages)
        return GOOD if "earlier attempt" in str(messages[-1].parts[-1].text) else WRONG

    with Journal(tmp_path / "j.jsonl") as journal:
        made = annotate(samples(3), Local(answer), "local", journal, Rules(concurrency=3))
    assert len(made.reasoning) == 3 and len(heard) == 6
    assert [part.kind for part in heard[0][1].parts] == ["video", "text"]


def test_a_model_that_cannot_write_reasoning_is_told_on_the_command_line(tmp_path: Path) -> None:
    made = list(build(tmp_path, ("ave",), "train", 2, 5))
    write(tmp_path, "ave", "train", [replace(sample, reasoning=None) for sample in made])
    arguments = ["--data", str(tmp_path), "--keys", "ave", "--teacher", "local:tiny", "--attempts", "1"]
    arguments += ["--audit", str(tmp_path / "audit.html")]
    told = CliRunner().invoke(app, ["annotate", *arguments])
    assert told.exit_code == 1 and "reasoning of local:tiny for 0 of 2 samples" in told.output, told.output
    assert "refused: " in (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "without: " in told.output
