"""The parts of the web page, without a browser and mostly without a model."""

import asyncio
import json
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus.report.piece import HeadShares, Region, refusal, reply_piece
from crabplus.schema import Event, EventsAnswer, LabelAnswer, Media, Object, ObjectsAnswer, Reply
from crabplus.ui.answers import Answers, Question, in_words, stated_size, tasks_of
from crabplus.ui.folder import Folder
from crabplus.ui.guard import Guard
from crabplus.ui.limits import Limits, Refused
from crabplus.ui.worker import Worker
from ui.bombs import png
from ui.sleeper import Sleeper, broken

HOSTS = frozenset({"127.0.0.1"})
SECRET = "a file that nobody uploaded"


@pytest.fixture
def folder():
    made = Folder()
    yield made
    made.close()
    assert not made.root.exists()


def uploaded(folder: Folder, name: str = "clip.mp4", content: bytes = b"film", hashed: str = "ab12") -> Path:
    path = folder.path / hashed / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_only_uploaded_files_are_opened(folder, tmp_path):
    good = uploaded(folder)
    assert folder.check(str(good)) == good
    outside = tmp_path / "secret.txt"
    outside.write_text(SECRET)
    (good.parent / "link.mp4").symlink_to(outside)
    (good.parent / "inner.mp4").symlink_to(good)
    (folder.path / "linked").symlink_to(tmp_path)
    (folder.path / "tmp123").write_bytes(b"half of a film")
    (folder.work / "notes").write_bytes(b"of a library")
    os.mkfifo(good.parent / "pipe.mp4")
    for path in (
        str(outside), "/etc/passwd", "/dev/zero", "", ".", "/", f"{good.parent}/../../../etc/passwd", "etc/passwd",
        f"{good}/", f"{good}\0.mp4", f"{good.parent}/link.mp4", f"{good.parent}/inner.mp4", str(good.parent),
        f"{folder.path}/linked/secret.txt", f"{folder.path}/tmp123", f"{folder.work}/notes", f"{good.parent}/pipe.mp4",
        f"{good.parent}/none.mp4", "http://127.0.0.1/a.mp4", f"file://{good}", f"{good.parent}/../ab12/clip.mp4",
        "x" * 5000, None, 7, ["a"], {"path": str(good)},
    ):  # fmt: skip
        if path != f"{good}/":
            with pytest.raises(Refused):
                folder.check(path)


def test_files_go_with_the_last_who_holds_them(folder):
    first, second = uploaded(folder), uploaded(folder, "sound.wav", hashed="cd34")
    folder.hold("anna", [first, second])
    folder.hold("bert", [first])
    folder.hold("anna", [first])  # she has taken another file
    assert not second.parent.exists() and first.exists()
    folder.leave("anna")
    assert first.exists()
    folder.leave("bert")
    assert not first.parent.exists()
    folder.leave("nobody")


def test_files_of_who_asks_without_the_page_go_with_the_answer(folder):
    path = uploaded(folder)
    folder.enter("anna")
    folder.hold("anna", [path])
    folder.answered("anna")
    assert path.exists()
    folder.hold("robot", [path], also=True)
    folder.leave("anna")
    assert path.exists()
    folder.answered("robot")
    assert not path.exists()


def test_a_file_that_was_uploaded_anew_stays(folder):
    path = uploaded(folder)
    folder.hold("anna", [path])
    other = folder.path / "tmp1"
    other.write_bytes(b"film")
    os.replace(other, path)  # as the server does when somebody uploads the same
    folder.leave("anna")
    assert path.exists()


def test_nothing_goes_from_under_an_upload(folder):
    path = uploaded(folder)
    folder.hold("anna", [path])
    with folder.coming_in():
        folder.leave("anna")
        assert path.parent.exists()  # into which the same file may be moved right now
    assert not path.parent.exists()


def test_old_files_and_halves_of_files_are_swept(folder):
    old, new, half = uploaded(folder), uploaded(folder, hashed="cd34"), folder.path / "tmp1"
    half.write_bytes(b"fi")
    os.utime(old, (0, 0))
    os.utime(half, (0, 0))
    asked, unasked = uploaded(folder, hashed="ef56"), uploaded(folder, hashed="ef78")
    for path in (asked, unasked):
        os.utime(path, (time.time() - 1000,) * 2)
    folder.hold("anna", [asked])
    folder.sweep(keep=3600)
    assert (asked.exists(), unasked.exists()) == (True, False)
    assert (old.parent.exists(), new.exists(), half.exists()) == (False, True, False)
    half.write_bytes(b"fi")
    with folder.coming_in(), folder.coming_in():
        pass
    assert new.exists() and not half.exists()


class Echo:
    """An application that takes the whole body and says how long it was; it notes what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        self.reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<script>1</script>%d" % size})


def ask(guard, method, path, headers=(), body=(b"",), pause=0.0):
    """Status, headers and body of an answer to a request that comes in pieces."""
    sent: list[dict] = []
    pieces = list(body)

    async def receive():
        await asyncio.sleep(pause)
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message):
        sent.append(message)

    named = {"host": "127.0.0.1:7860", **dict(headers)}
    scope = {"type": "http", "scheme": "http", "query_string": b"", "http_version": "1.1", "method": method,
             "path": path, "headers": [(name.encode(), value.encode()) for name, value in named.items()]}  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    start, *rest = sent
    return start["status"], dict(start["headers"]), b"".join(message["body"] for message in rest)


def guarded(folder, hosts=HOSTS, **limits):
    echo = Echo()
    return Guard(echo, folder, Limits(**limits), hosts), echo


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/assets/index-ab12.js", {}, 200),
        ("GET", "/gradio_api/queue/data", {}, 200),
        ("GET", "/", {"host": "evil.example"}, 403),
        ("GET", "/", {"host": ""}, 403),
        ("GET", "/config", {"origin": "http://evil.example"}, 403),
        ("GET", "/config", {"origin": "null"}, 403),
        ("GET", "/config", {"origin": "http://127.0.0.1:7860"}, 200),
        ("GET", "/config", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("POST", "/gradio_api/queue/join", {"origin": "http://evil.example"}, 403),
        ("DELETE", "/", {}, 405),
        ("POST", "/", {}, 404),
        ("POST", "/gradio_api/run/ask", {}, 404),
        ("POST", "/gradio_api/vibe-edit", {}, 404),
        ("POST", "/gradio_api/component_server", {}, 404),
        ("POST", "/gradio_api/process_recording", {}, 404),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:80/", {}, 404),
        ("GET", "/gradio_api/deep_link", {}, 404),
        ("GET", "/monitoring", {}, 404),
        ("GET", "/docs", {}, 404),
        ("GET", "/assets/../../../etc/passwd", {}, 404),
        ("GET", "/static/..\\..\\etc", {}, 404),
        ("GET", "/gradio_api/file=/etc/passwd", {}, 403),
        ("GET", "/gradio_api/file=../../etc/passwd", {}, 404),
        ("GET", "/gradio_api/file=http://127.0.0.1/", {}, 403),
        ("GET", "/gradio_api/file/etc/passwd", {}, 404),
    ],
)  # fmt: skip
def test_only_what_the_page_needs_comes_through(folder, method, path, headers, status):
    guard, echo = guarded(folder)
    found, sent, _ = ask(guard, method, path, headers, body=(b"{}",))
    assert found == status and bool(echo.reached) == (status == 200)
    assert sent[b"x-content-type-options"] == b"nosniff"


def test_a_host_that_others_reach_takes_any_name_but_no_other_origin(folder):
    guard, _ = guarded(folder, hosts=None)
    assert ask(guard, "GET", "/", {"host": "crab.example:7860"})[0] == 200
    assert ask(guard, "GET", "/", {"host": "crab.example:7860", "origin": "http://evil.example"})[0] == 403


def test_scripts_of_the_page_run_and_no_others(folder):
    guard, _ = guarded(folder)
    _, first, body = ask(guard, "GET", "/")
    _, second, _ = ask(guard, "GET", "/")
    policy = first[b"content-security-policy"].decode()
    nonce = body.split(b'nonce="')[1].split(b'"')[0].decode()
    assert f"script-src 'nonce-{nonce}'" in policy and "unsafe-inline'" not in policy.split(";")[1]
    assert "connect-src 'self'" in policy and nonce not in second[b"content-security-policy"].decode()
    assert int(first[b"content-length"]) == len(body)


def test_an_uploaded_file_is_read_without_scripts(folder):
    guard, _ = guarded(folder)
    status, headers, _ = ask(guard, "GET", f"/gradio_api/file={uploaded(folder, 'page.html')}")
    assert status == 200 and headers[b"content-security-policy"] == b"default-src 'none'; sandbox"


def test_uploads_end_at_the_limit(folder):
    guard, echo = guarded(folder, size=100_000)
    piece = b"x" * 50_000
    assert ask(guard, "POST", "/gradio_api/upload", body=[piece] * 3)[0] == 200
    assert ask(guard, "POST", "/gradio_api/upload", body=[piece] * 4)[0] == 413
    assert ask(guard, "POST", "/gradio_api/upload", {"content-length": "900000"})[0] == 413
    assert len(echo.reached) == 1
    uploaded(folder, content=bytes(1000))
    full, _ = guarded(folder, room=900)
    status, _, words = ask(full, "POST", "/gradio_api/upload", {"content-length": "9"})
    assert status == 503 and b"no room" in words


def test_uploads_that_stall_end(folder):
    guard, echo = guarded(folder, stall=0.05)
    assert ask(guard, "POST", "/gradio_api/upload", body=[b"a", b"b"], pause=0.5)[0] == 408
    slow, _ = guarded(folder, upload=0.3)
    assert ask(slow, "POST", "/gradio_api/upload", body=[b"a"] * 30, pause=0.05)[0] == 408
    assert echo.reached == [] and guard._uploads == {}


@pytest.mark.parametrize("value", ["/etc/passwd", "http://127.0.0.1:1/a.mp4", "../x", 7, None, {"path": "/etc/passwd"}])
def test_questions_name_uploaded_files_alone(folder, value):
    guard, echo = guarded(folder)
    data = {"data": ["hidden in a text", {"deep": [{"path": value, "meta": {"_type": "gradio.FileData"}}]}]}
    status, _, words = ask(guard, "POST", "/gradio_api/queue/join", body=[json.dumps(data).encode()])
    assert (status, echo.reached) == (403, []) and b"passwd" not in words
    path = uploaded(folder)
    data["data"][1]["deep"][0]["path"], data["session_hash"] = str(path), "anna"
    assert ask(guard, "POST", "/gradio_api/queue/join", body=[json.dumps(data).encode()])[0] == 200
    assert path.exists()
    ask(guard, "GET", "/gradio_api/heartbeat/anna")  # she comes, and leaves
    assert not path.exists()


def test_questions_that_are_no_questions(folder):
    guard, _ = guarded(folder)
    for body, status in ((b"[" * 100_000, 400), (b"not json", 400), (b"x" * 300_000, 413)):
        assert ask(guard, "POST", "/gradio_api/queue/join", body=[body])[0] == status


def test_a_question_that_takes_too_long_harms_itself_alone(tmp_path):
    worker = Worker(Sleeper, limit=3.0, folder=tmp_path / "none")
    try:
        worker.wait()
        before = worker.call("pid")
        with pytest.raises(Refused, match="longer than 3 seconds"):
            worker.call("sleep", 60)
        after = worker.call("pid")
        assert after != before and not _alive(before)
        with pytest.raises(Refused, match="log of the server") as failed:
            worker.call("fail")
        assert "secret" not in str(failed.value)
        with pytest.raises(Refused, match="memory"):
            worker.call("die")
        assert worker.call("sleep", 0) == "slept"
        last = worker.call("pid")
    finally:
        worker.close()
    assert not _alive(last)
    with pytest.raises(Refused, match="shut down"):
        worker.call("pid")


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else False


def test_a_model_that_cannot_be_loaded_says_why(tmp_path):
    worker = Worker(broken, limit=5.0, folder=tmp_path / "none")
    try:
        with pytest.raises(Refused, match="no such model"):
            worker.wait()
    finally:
        worker.close()


NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} {{7*7}} '\""


def test_what_a_model_or_a_file_name_says_is_text(tmp_path):
    media = (Media("clip", "video", str(tmp_path / "none.mp4"), 0, 10, duration=10.0),)
    replies = [
        Reply("a", "ave", "text " + NASTY, EventsAnswer((Event(NASTY, 1, 2),)), NASTY, media=media, question=NASTY),
        Reply("b", "ks", NASTY, LabelAnswer(NASTY), media=media, options=(NASTY,)),
        Reply("c", "arig", NASTY, ObjectsAnswer((Object(NASTY, (0.1, 0.1, 0.5, 0.5)),)), media=media),
        Reply("d", "ave", NASTY, reason=NASTY, error=NASTY, media=media),
    ]
    pieces = [reply_piece(reply, NASTY, (), [HeadShares(NASTY, 3, (0.5, 0.5))], {NASTY: NASTY}) for reply in replies]
    for piece in [*pieces, refusal(NASTY)]:
        assert "<script" not in piece and "<img src=x" not in piece and "&lt;script&gt;" in piece


def test_a_mask_lies_over_the_picture_of_its_time(tmp_path):
    picture = tmp_path / "picture.png"
    png(picture, 32)
    thing = Object("fish", (0.0, 0.0, 0.5, 0.5))
    reply = Reply(
        "a", "arig", "", ObjectsAnswer((thing,)), media=(Media("frame", "image", str(picture), size=(32, 32)),)
    )
    mask = np.zeros((32, 32), bool)
    mask[:16, :16] = True
    piece = reply_piece(reply, "picture.png", [Region("fish", mask)])
    assert piece.count('class="mask"') == 1 and piece.count('<rect class="halo"') == 2
    assert 'class="mask"' not in reply_piece(reply, "picture.png")


class Plus:
    """A model that says what it was asked."""

    pack = SimpleNamespace(keys={"ave": 1, "avqa": 1, "arig": 1}, name="fake")
    error = None

    def ask(self, path, **options):
        self.asked = options
        if self.error:
            raise self.error
        return Reply("a", "ave", "said", EventsAnswer(()), media=(Media("frame", "image", path, size=(32, 32)),))


def test_limits_of_what_is_looked_at(tmp_path, monkeypatch):
    plus = Plus()
    answers = Answers(plus, "fake", None, Limits(pixels=4000, seconds=60))
    small, large, claimed = (png(tmp_path / f"{side}.png", side, whole) for side, whole in (
        (32, True), (100, True), (60_000, False)))  # fmt: skip
    assert "32.png" in answers.answer(Question(str(small), "events", labels=("a",)))
    assert plus.asked["labels"] == ("a",) and plus.asked["question"] is None
    for path in (large, claimed):
        with pytest.raises(Refused, match=f"^{path.name}: .* pixels are more"):
            answers.answer(Question(str(path), "events"))
    probed = SimpleNamespace(size=None, duration=36_000.0)
    monkeypatch.setattr("crabplus.media.probe", lambda path: probed)
    with pytest.raises(Refused, match="36000 seconds are more than this page looks at"):
        answers.answer(Question("long.mp4", "events"))
    with pytest.raises(Refused, match="seconds are more"):
        answers.answer(Question("long.mp4", "events", start=5.0, end=100.0))
    assert answers.answer(Question("long.mp4", "events", start=35_000.0, end=35_010.0))
    plus.error = ValueError("this model was not taught 'emotion'")
    with pytest.raises(Refused, match="not taught"):
        answers.answer(Question("long.mp4", "emotion", end=1.0))


def test_sizes_of_pictures_are_known_before_they_are_decoded(tmp_path):
    assert stated_size(str(png(tmp_path / "a.png", 50, whole=False))) == (50, 50)
    assert stated_size(str(png(tmp_path / "b.png", 60_000, whole=False))) == (2**16, 2**16)
    (tmp_path / "c.png").write_bytes(b"\x89PNG")
    assert stated_size(str(tmp_path / "c.png")) is None


def test_errors_name_files_and_no_paths_or_options():
    path = "/somewhere/crabplus-ui-1/uploads/ab/clip.mp4"
    error = ValueError(f"{path} has no sound, and ave asks for what is heard: name a sound file (--sound FILE)")
    assert in_words(error, [path], "events") == "clip.mp4 has no sound, and events asks for what is heard"


def test_tasks_by_plain_names():
    from crabplus.tasks.packs import default_pack

    known = {task.name: task.asks for task in tasks_of(default_pack())}
    assert known["question"] and not known["events"] and "v2a" in known and "match" not in known
    assert [task.name for task in tasks_of(Plus.pack)] == ["events", "boxes", "masks", "question"]


@pytest.mark.parametrize(
    ("text", "second"), [("", None), (None, None), ("12.5", 12.5), (" 1:15 ", 75), ("1:00:02.5", 3602.5)]
)
def test_times_as_people_write_them(text, second):
    from crabplus.ui.page import second as read

    assert read(text) == second


@pytest.mark.parametrize("text", ["soon", "-1", "1e9", "nan", "1:2:3:4", "١", "1:", "99999999999999"])
def test_what_is_no_time(text):
    from crabplus.ui.page import second as read

    with pytest.raises(Refused):
        read(text)


def test_the_page_asks_nobody_else_and_runs_behind_the_guard():
    from crabplus.ui.answers import About, Task
    from crabplus.ui.server import application, uploads

    about = About("tiny", (Task("events", "Events", False), Task("question", "Question", True)), True, True)
    with uploads() as folder:
        application_ = application(SimpleNamespace(call=None), about, folder, Limits(), "127.0.0.1")
        status, headers, body = ask(application_, "GET", "/")
        config = json.loads(ask(application_, "GET", "/config")[2])
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder.path)
    assert status == 200 and b"fonts.googleapis" not in body and b"Tidepool" in body
    assert config["connect_heartbeat"], "pages are known to be there"
    assert not config["analytics_enabled"] and config["stylesheets"] == [] and config["max_file_size"] == Limits().size
    assert not folder.root.exists() and "GRADIO_TEMP_DIR" not in os.environ


def test_what_the_button_refuses(folder):
    from crabplus.ui.answers import About, Task
    from crabplus.ui.page import _asking

    called = []
    worker = SimpleNamespace(call=lambda name, question: called.append(question) or "<p>answer</p>")
    about = About("m", (Task("events", "Events", False), Task("question", "Question", True)), False, False)
    asking = _asking(worker, about, folder, Limits())
    path, anna = str(uploaded(folder)), SimpleNamespace(session_hash="anna")
    assert "no file yet" in asking(None, "events", None, None, None, "", "", False, anna)
    assert "no question yet" in asking(path, "question", " ", None, None, "", "", False, anna)
    assert "2000 letters" in asking(path, "question", "x" * 3000, None, None, "", "", False, anna)
    assert "uploaded here" in asking("/etc/passwd", "events", None, None, None, "", "", False, anna)
    assert called == []
    assert asking(path, "events", "hidden", "a, b ,,a", [path], "1", "0:09", True, anna) == "<p>answer</p>"
    assert called == [Question(path, "events", "", ("a", "b"), (path,), 1.0, 9.0, True)]


def test_the_command_says_what_is_wrong_and_who_can_reach_it(monkeypatch):
    from crabplus.cli import app
    from crabplus.ui import server

    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["ui", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2 and "name another --port" in result.output and "warning" not in result.output
    monkeypatch.setattr(server, "serve", lambda *arguments: None)
    assert "asks for no password" in CliRunner().invoke(app, ["ui", "--host", "0.0.0.0"]).output
    assert [server.is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.7")] == [
        True, True, True, False, False,
    ]  # fmt: skip
