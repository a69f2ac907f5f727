"""What visitors who mean harm, or are many, can do to a running page: they are refused or served, and it goes on."""

import http.client
import json
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ui.bombs import png, ten_hours
from ui.conftest import Server

pytestmark = pytest.mark.slow
SECRET = "a text that nobody uploaded"
LIMIT = 120.0  # seconds for an answer, on a busy machine


class Visitor:
    """Speaks to the page as its script does, without a browser."""

    def __init__(self, server: Server) -> None:
        self.web = httpx.Client(base_url=server.address, timeout=LIMIT, trust_env=False)
        self.session = secrets.token_hex(6)
        config = self.web.get("/config").json()
        self.ask_index = next(item["id"] for item in config["dependencies"] if item["api_name"] == "ask")

    def upload(self, name: str, content: bytes) -> str:
        reply = self.web.post("/gradio_api/upload", files={"files": (name, content)})
        reply.raise_for_status()
        return reply.json()[0]

    def join(self, file: object, task: object = "events", **fields: object) -> httpx.Response:
        data = [file, task, None, fields.get("labels"), None, fields.get("start"), fields.get("end"), False]
        question = {"data": data, "fn_index": self.ask_index, "session_hash": self.session}
        return self.web.post("/gradio_api/queue/join", json=question)

    def ask(self, path: str, **fields: object) -> str:
        """What the page shows in answer."""
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        self.join(file, **fields).raise_for_status()
        with self.web.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                told = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if told.get("msg") == "process_completed":
                    assert told["success"], told
                    return str(told["output"]["data"][0])
        raise AssertionError("the page ended the stream without an answer")


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    made = Visitor(server)
    yield made
    made.web.close()


def served(visitor: Visitor, clip: Path) -> bool:
    return 'class="answer"' in visitor.ask(visitor.upload("clip.mp4", clip.read_bytes()))


def raw(server: Server, method: str, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """A request whose path is sent as it is."""
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.putrequest(method, target, skip_host=bool(headers and "Host" in headers))
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    status, body = reply.status, reply.read()
    connection.close()
    return status, body


def test_paths_lead_nowhere(server: Server, visitor: Visitor, tmp_path: Path, clip: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    good = visitor.upload("clip.mp4", clip.read_bytes())
    ups = "../" * 12
    targets = [
        f"/gradio_api/file={secret}", f"/gradio_api/file={ups}{secret}", f"/gradio_api/file={good}/../..{secret}",
        f"/gradio_api/file=file://{secret}", f"/gradio_api/file/{secret}", f"/static/{ups}{secret}",
        f"/assets/{ups}{secret}", f"/assets/%2e%2e/%2e%2e{secret}", f"/gradio_api/file=%2e%2e%2f{secret}",
        f"//{secret}", f"/gradio_api/proxy=file://{secret}", "/gradio_api/file=/proc/self/environ",
        f"/gradio_api/file={server.folder}/work", f"/gradio_api/file={server.folder}",
        f"/gradio_api/custom_component/file/client/x/{ups}{secret}",
    ]  # fmt: skip
    for target in targets:
        status, body = raw(server, "GET", target)
        assert status in (403, 404) and SECRET.encode() not in body, target
    assert raw(server, "GET", f"/gradio_api/file={good}")[0] == 200
    files = [str(secret), f"{Path(good).parent}/../../../../{secret}", f"file://{secret}", "/proc/self/environ", 5,
             None, "/dev/zero", str(server.folder), f"{good}\0", ""]  # fmt: skip
    for path in files:
        for field in ({"path": path, "meta": {"_type": "gradio.FileData"}}, {"path": path}, [{"path": path}]):
            reply = visitor.join(field)
            assert reply.status_code == 403 and SECRET not in reply.text
    reply = visitor.join(None, task={"path": str(secret), "meta": {"_type": "gradio.FileData"}})
    assert reply.status_code == 403
    assert served(visitor, clip)


def test_names_of_files_stay_names(server: Server, visitor: Visitor, clip: Path) -> None:
    content = clip.read_bytes()
    for name in ("../../../escaped.mp4", "/etc/cron.d/escaped.mp4", "..", ".", "", "a\0b.mp4", "..\\..\\escaped.mp4",
                 "x" * 4000 + ".mp4", "<img src=x onerror=alert(1)>.mp4"):  # fmt: skip
        reply = visitor.web.post("/gradio_api/upload", files={"files": (name, content)})
        for path in reply.json() if reply.status_code == 200 else []:
            assert Path(path).resolve().parent.parent == server.folder / "uploads"
    assert list(server.temporary.rglob("escaped*")) and not list(server.temporary.parent.glob("escaped*"))
    shown = visitor.ask(visitor.upload("<img src=x onerror=alert(1)>.mp4", content))
    assert "<img src=x" not in shown


def test_the_page_fetches_nothing(server: Server, visitor: Visitor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.5)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/a.mp4"
        for field in ({"path": address, "meta": {"_type": "gradio.FileData"}}, {"path": address, "url": address}):
            assert visitor.join(field).status_code == 403
        for target in (f"/gradio_api/file={address}", f"/gradio_api/proxy={address}"):
            assert raw(server, "GET", target)[0] in (403, 404)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_other_pages_may_not_ask(server: Server) -> None:
    assert raw(server, "GET", "/", {"Host": "evil.example"})[0] == 403
    evil = {"Origin": "http://evil.example", "Content-Length": "0"}
    for target in ("/gradio_api/upload", "/gradio_api/queue/join"):
        assert raw(server, "POST", target, evil)[0] == 403
    for target in ("/gradio_api/run/ask", "/gradio_api/call/ask", "/gradio_api/vibe-edit/", "/login",
                   "/gradio_api/component_server", "/gradio_api/process_recording"):  # fmt: skip
        assert raw(server, "POST", target, {"Content-Length": "0"})[0] == 404


def test_oversized_uploads_end(server: Server, visitor: Visitor, clip: Path) -> None:
    before = set(server.uploads())
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="big.mp4"\r\n\r\n'
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield head
        for _ in range(4000):  # 262 MB, of which 2 may come in
            sent += 65_536
            yield bytes(65_536)

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        status = visitor.web.post("/gradio_api/upload", content=endless(), headers=form).status_code
    except httpx.TransportError:  # the server has hung up
        status = 413
    assert status == 413 and sent < 100 * 2**20
    assert raw(server, "POST", "/gradio_api/upload", {**form, "Content-Length": str(10**12)})[0] == 413
    many = [("files", (f"{number}.mp4", bytes(900_000))) for number in range(4)]
    with suppress(httpx.TransportError):
        assert visitor.web.post("/gradio_api/upload", files=many).status_code == 413
    parts = urlsplit(server.address)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as broken:
        lines = ["POST /gradio_api/upload HTTP/1.1", f"Host: {parts.netloc}", "Content-Length: 1000000",
                 "Content-Type: multipart/form-data; boundary=b", "", ""]  # fmt: skip
        broken.sendall("\r\n".join(lines).encode() + head + bytes(70_000))
        time.sleep(1)
    end = time.monotonic() + 30
    while set(server.uploads()) - before and time.monotonic() < end:
        time.sleep(0.2)
    assert set(server.uploads()) - before == set()
    assert visitor.web.post("/gradio_api/queue/join", content=b"[" * 200_000).status_code == 400
    assert served(visitor, clip)


def test_bombs_are_refused_in_words(server: Server, visitor: Visitor, tmp_path: Path, clip: Path) -> None:
    bombs = {
        png(tmp_path / "true.png", 20_000): "pixels are more than this page takes",
        png(tmp_path / "claimed.png", 60_000, whole=False): "pixels are more than this page takes",
        ten_hours(tmp_path / "hours.mp4", 10): "35991 seconds are more than this page looks at",
        ten_hours(tmp_path / "jump.mp4", 18_000): "time stamps jump",
    }
    begin = time.monotonic()
    for path, words in bombs.items():
        shown = visitor.ask(
            visitor.upload(path.name, path.read_bytes()), task="boxes" if path.suffix == ".png" else "events"
        )
        assert words in shown and 'class="refusal"' in shown and str(server.temporary) not in shown
    assert time.monotonic() - begin < LIMIT
    zeros = visitor.upload("zeros.mp4", bytes(1_900_000))
    assert 'class="refusal"' in visitor.ask(zeros)
    assert served(visitor, clip)


def test_ten_users_at_once(server: Server, tmp_path: Path) -> None:
    import numpy as np

    from crabplus.tidepool.film import write_clip
    from crabplus.tidepool.keys.events import ave

    paths = [tmp_path / f"{number}.mp4" for number in range(10)]
    for number, path in enumerate(paths):
        write_clip(path, ave(np.random.default_rng(number)).scene)

    def use(path: Path) -> str:
        visitor = Visitor(server)
        try:
            return visitor.ask(visitor.upload(path.name, path.read_bytes()))
        finally:
            visitor.web.close()

    begin = time.monotonic()
    with ThreadPoolExecutor(10) as users:
        shown = list(users.map(use, paths))
    assert all('class="answer"' in said and path.name in said for said, path in zip(shown, paths, strict=True))
    assert time.monotonic() - begin < LIMIT


def test_the_queue_cannot_be_passed_by(visitor: Visitor, clip: Path) -> None:
    file = {"path": visitor.upload("clip.mp4", clip.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    question = {"data": [file, "events", *[None] * 5, False], "fn_index": visitor.ask_index}
    assert visitor.web.post("/gradio_api/run/predict", json=question).status_code == 404
    assert visitor.web.post("/gradio_api/run/predict", json={"data": [{"path": "/etc/passwd"}]}).status_code == 403


def test_more_than_the_queue_holds_are_sent_away(server: Server, clip: Path) -> None:
    visitors = [Visitor(server) for _ in range(4)]
    path = visitors[0].upload("clip.mp4", clip.read_bytes())
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    with ThreadPoolExecutor(20) as users:
        found = [reply.status_code for reply in users.map(lambda number: visitors[number % 4].join(file), range(60))]
    assert set(found) == {200, 503} and found.count(200) >= 20
    for visitor in visitors:
        visitor.web.close()
    last = Visitor(server)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:  # they were sent away, and may come again
        if last.join(file).status_code == 200:
            break
        time.sleep(0.5)
    else:
        pytest.fail("the queue stays full")
    last.web.close()


def test_nothing_else_was_written_or_told(server: Server) -> None:
    assert [path for folder in (server.current, server.home) for path in folder.rglob("*") if path.is_file()] == []
    assert [path.name for path in server.temporary.iterdir()] == [server.folder.name]
    asked = {
        "hours.mp4",
        "jump.mp4",
        "true.png",
        "claimed.png",
        "zeros.mp4",
        *(f"{number}.mp4" for number in range(10)),
    }
    assert asked & {path.name for path in server.uploads()} == set(), "files go with the answer"
    assert [line for line in server.said if "Traceback" in line] == []
