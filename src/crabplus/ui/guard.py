"""Stands before the server of the page, and lets through only what the page itself asks for."""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from crabplus.ui.folder import Folder
from crabplus.ui.limits import Limits, Refused

__all__ = ["Guard"]

_LOG = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

UPLOAD = "/gradio_api/upload"
_FILE = "/gradio_api/file="
_PRESENT = "/gradio_api/heartbeat/"
_READ = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|login_check)/?|/(assets|static)/[\w./@-]+"
    r"|/gradio_api/(info|startup-events|app_id|login_check|queue/data|queue/status|upload_progress)/?"
    r"|/gradio_api/heartbeat/\w+|/gradio_api/file=.+",
    re.ASCII | re.DOTALL,
)
_WRITE = re.compile(r"/gradio_api/(upload|queue/join|run/predict|cancel|reset)/?")
_JSON_LIMIT = 256 * 1024  # bytes of a question
_FORM = 64 * 1024  # bytes that a form takes beside the file in it
_HEADERS = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin",
}  # fmt: skip
_POLICY = (
    "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; frame-src 'none'; frame-ancestors 'none'; form-action 'none'; "
    "base-uri 'self'"
)
_CLOSED = "default-src 'none'; sandbox"


class _Stop(Exception):
    """A request that is refused while it comes in: HTTP status and words."""


class Guard:
    """ASGI middleware around the application.

    Args:
        app: what is guarded; folder: where uploads lie; limits: see there.
        hosts: names in ``Host`` under which the page is asked for, without port; None for any. A page of another site
            that made its own name point here is refused.
    """

    def __init__(self, app: App, folder: Folder, limits: Limits, hosts: frozenset[str] | None) -> None:
        self.app, self.folder, self.limits, self.hosts = app, folder, limits, hosts
        self._uploads: dict[object, int] = {}  # that are coming in, with the bytes that they may take

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        reply = _Reply(scope, send)
        try:
            self._check(scope)
            if scope["method"] == "POST":
                await self._post(scope, receive, reply)
            elif scope["path"].startswith(_PRESENT):
                await self._while_present(scope, receive, reply)
            else:
                await self.app(scope, receive, reply)
        except _Stop as stop:
            await reply.refuse(*stop.args)
        except Exception as error:  # the application has answered with 500; what it says of itself is for the log
            if not reply.stopped and type(error).__name__ != "ClientDisconnect":
                _LOG.error("%s %s: %s: %s", scope["method"], scope["path"], type(error).__name__, error)

    def _check(self, scope: Message) -> None:
        """Refuses by host, origin, method and path."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and re.sub(r":\d*$", "", host).lower() not in self.hosts:
            raise _Stop(403, "this page is not known under that name")
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise _Stop(403, "asked from another page")
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            raise _Stop(403, "asked from another page")
        method, path = scope["method"], scope["path"]
        allowed = _READ if method in ("GET", "HEAD") else _WRITE if method == "POST" else None
        if allowed is None:
            raise _Stop(405, "not allowed")
        if not allowed.fullmatch(path) or ".." in path.split("/"):
            raise _Stop(404, "nothing is here")
        if path.startswith(_FILE):
            self._uploaded(path.removeprefix(_FILE), 403)

    def _uploaded(self, path: object, status: int) -> Path:
        try:
            return self.folder.check(path)
        except Refused as refusal:
            raise _Stop(status, str(refusal)) from None

    async def _while_present(self, scope: Message, receive: Receive, reply: "_Reply") -> None:
        """The stream that a page keeps open for as long as it is."""
        visitor = scope["path"].removeprefix(_PRESENT)
        self.folder.enter(visitor)
        try:
            await self.app(scope, receive, reply)
        finally:
            self.folder.leave(visitor)

    async def _post(self, scope: Message, receive: Receive, reply: "_Reply") -> None:
        if not scope["path"].startswith(UPLOAD):
            body = await self._question(receive)
            await self.app(scope, _once(body, receive), reply)
            return
        sizes = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        size = int(sizes[0]) if sizes and sizes[0].isdigit() else self.limits.size + _FORM
        key = object()
        self._admit(size)
        self._uploads[key] = size
        try:
            with self.folder.coming_in():
                most = self.limits.size + _FORM
                await self.app(scope, self._counted(receive, most, self.limits.upload), reply)
        finally:
            del self._uploads[key]

    def _admit(self, size: int) -> None:
        """Refuses an upload that is too large, or for which there is no room now."""
        if size > self.limits.size + _FORM:
            raise _Stop(413, self._too_large)
        if len(self._uploads) >= self.limits.uploads:
            raise _Stop(503, "too many files are being uploaded: try again in a moment")
        if self.folder.used() + sum(self._uploads.values()) + size > self.limits.room:
            raise _Stop(503, "there is no room for more files now: try again later")

    @property
    def _too_large(self) -> str:
        return f"larger than {self.limits.size / 1e6:g} MB, the most that this page takes"

    async def _question(self, receive: Receive) -> bytes:
        """The body of a question, in which only uploaded files are named."""
        counted = self._counted(receive, _JSON_LIMIT, self.limits.stall)
        body, more = b"", True
        while more:
            message = await counted()
            if message["type"] == "http.disconnect":
                raise _Stop(400, "broken off")
            body, more = body + message.get("body", b""), message.get("more_body", False)
        try:
            question = json.loads(body or b"null")
            named = list(_paths(question))
        except (ValueError, RecursionError):
            raise _Stop(400, "no JSON") from None
        files = [self._uploaded(path, 403) for path in named]
        if files and isinstance(question, dict):
            self.folder.hold(str(question.get("session_hash")), files, also=True)
        return body

    def _counted(self, receive: Receive, most: int, limit: float) -> Receive:
        """Receives a body of at most ``most`` bytes, which neither stalls nor takes longer than ``limit`` seconds."""
        end, size, more = time.monotonic() + limit, 0, True

        async def counted() -> Message:
            nonlocal size, more
            if not more:  # waits for the end of the connection
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), min(self.limits.stall, max(end - time.monotonic(), 0.001)))
            except TimeoutError:
                raise _Stop(408, "this took too long to come in") from None
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
            if size > most:
                raise _Stop(413, self._too_large)
            return message

        return counted


class _Reply:
    """Sends what the application answers, with the headers that keep a browser careful, unless it was refused."""

    def __init__(self, scope: Message, send: Send) -> None:
        self.started = self.stopped = False
        self._send = send
        self._page = scope["path"] == "/"
        self._closed = scope["path"].startswith(_FILE)
        self._hang_up = scope["method"] == "POST"  # where it is refused: more of it may be under way
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message = {}
        self._body = b""
        if self._page:  # it comes as it is, so that its scripts can be marked
            scope["headers"] = [item for item in scope["headers"] if item[0].lower() != b"accept-encoding"]

    async def __call__(self, message: Message) -> None:
        if self.stopped:
            return
        if message["type"] == "http.response.start":
            self.started = True
            self._hang_up = self._hang_up and message["status"] >= 400
            message = {**message, "headers": [*self._kept(message["headers"]), *self._headers()]}
        if not self._page:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page()

    async def _send_page(self) -> None:
        body = self._body.replace(b"<script", b'<script nonce="%s"' % self._nonce.encode())
        self._start["headers"].append((b"content-length", str(len(body)).encode()))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})

    def _kept(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        dropped = {name.encode() for name in _HEADERS} | ({b"content-length"} if self._page else set())
        return [item for item in headers if item[0].lower() not in dropped]

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        if self._hang_up:
            yield b"connection", b"close"
        policy = _CLOSED if self._closed else _POLICY.format(nonce=self._nonce)
        for name, value in {**_HEADERS, "content-security-policy": policy}.items():
            yield name.encode(), value.encode()

    async def refuse(self, status: int, words: str) -> None:
        """Answer in place of the application, if it has not begun to."""
        if self.started and not self._page:
            self.stopped = True
            return
        self.stopped = True
        self._hang_up = True
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": words.encode()})


def _once(body: bytes, receive: Receive) -> Receive:
    """A body that has come in already; then what comes after it."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _paths(data: Any) -> Iterator[Any]:
    """All that a body names as path of a file."""
    if isinstance(data, dict):
        if "path" in data:
            yield data["path"]
        for value in data.values():
            yield from _paths(value)
    elif isinstance(data, list):
        for value in data:
            yield from _paths(value)
