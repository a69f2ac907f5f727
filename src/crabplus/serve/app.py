"""The endpoint as an ASGI application: ``/v1/chat/completions``, ``/v1/models``, ``/health``, ``/metrics``."""

import asyncio
import hmac
import json
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crabplus.serve.completion import Completion
from crabplus.serve.engine import Done, Engine, Job
from crabplus.serve.limits import Limits, Refused
from crabplus.serve.meters import Meters
from crabplus.serve.prompt import prompt_of
from crabplus.serve.request import ChatRequest, read_request

__all__ = ["Endpoint"]

_LOG = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """Answers chat completions with a model.

    Args:
        plus: the :class:`crabplus.CrabPlus` that answers; name: under which it is asked for; limits: see there.

    Attributes:
        app: the ASGI application; engine, meters: see there.
    """

    def __init__(self, plus: Any, name: str, limits: Limits) -> None:
        self.plus, self.name, self.limits = plus, name, limits
        self.engine = Engine(plus.model, limits.waiting, limits.batch, limits.answer)
        self.meters = Meters(self.engine)
        self.began = int(time.time())
        self._reading = 0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._guarded(self._complete, True), methods=["POST"]),
                Route("/v1/models", self._guarded(self._models), methods=["GET"]),
                Route("/v1/models/{name:path}", self._guarded(self._models), methods=["GET"]),
                Route("/metrics", self._guarded(self._metrics), methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
            ],
            exception_handlers={404: _nothing, 405: _nothing},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(self.engine.close)

    def _guarded(self, handler: Handler, counted: bool = False) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                self._check(request)
                response = await handler(request)
            except Refused as refused:
                # more of a body that was not read may be under way
                headers = {"connection": "close"} | ({"retry-after": "1"} if refused.status == 429 else {})
                response = JSONResponse(refused.body(), refused.status, headers)
            except ClientDisconnect:
                response = Response(status_code=499)
            except Exception:
                logging.getLogger("crabplus.serve").exception("a mistake in the answer to a request")
                told = Refused(500, "a mistake inside, told in the log of the server", "server_error")
                response = JSONResponse(told.body(), told.status)
            if counted:
                self.meters.answered(response.status_code)
            return response

        return guarded

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if self.limits.keys and not any(hmac.compare_digest(given, key.encode()) for key in self.limits.keys):
            raise Refused(401, "this server wants its API key as a Bearer token", code="invalid_api_key")

    async def _models(self, request: Request) -> Response:
        entry = {"id": self.name, "object": "model", "created": self.began, "owned_by": "crabplus"}
        name = request.path_params.get("name")
        if name is None:
            return JSONResponse({"object": "list", "data": [entry]})
        self._known(name)
        return JSONResponse(entry)

    async def _metrics(self, request: Request) -> Response:
        return Response(self.meters.text(), media_type=Meters.KIND)

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok") if self.engine.alive else PlainTextResponse("the engine has ended", 503)

    def _known(self, name: str) -> None:
        if name != self.name:
            raise Refused(404, f"no model {name!r:.80}; this server has {self.name!r}", param="model",
                          code="model_not_found")  # fmt: skip

    async def _complete(self, request: Request) -> Response:
        asked = read_request(await self._body(request))
        self._known(asked.model)
        with tempfile.TemporaryDirectory(prefix="crabplus-serve-") as folder:
            completion = await asyncio.to_thread(self._prepared, asked, Path(folder))
        told: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(news: Any) -> None:
            with suppress(RuntimeError):  # the loop has ended before the engine
                loop.call_soon_threadsafe(told.put_nowait, news)

        job = Job(completion.encoded, completion.wanted, tell)
        self.engine.put(job)
        if asked.stream:
            return _Stream(completion, job, told, request, self.limits.stall, self.meters)
        try:
            done = await _end_of(told, job, request)
        finally:
            job.gone.set()
        self.meters.said(done.tokens)
        return JSONResponse(completion.whole(done))

    def _prepared(self, asked: ChatRequest, folder: Path) -> Completion:
        prompt = prompt_of(asked, self.plus.pack, folder, self.limits)
        return Completion.of(asked, prompt, self.plus, self.name, folder)

    async def _body(self, request: Request) -> bytes:
        """The whole body, if it is not too large, and comes in time."""
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else self.limits.body
        if size > self.limits.body:
            raise Refused(413, f"a body of at most {self.limits.body / 1e6:g} MB is taken")
        if self._reading + size > self.limits.room:
            raise Refused(429, "too much is being sent at a time: try again in a moment", "rate_limit_error")
        self._reading += size
        body, parts = bytearray(), request.stream()
        try:
            while True:
                part = await asyncio.wait_for(anext(parts, None), self.limits.stall)
                if part is None:
                    return bytes(body)
                body += part
                if len(body) > self.limits.body:
                    raise Refused(413, f"a body of at most {self.limits.body / 1e6:g} MB is taken")
        except TimeoutError:
            raise Refused(408, f"nothing came in for {self.limits.stall:g} seconds") from None
        finally:
            self._reading -= size


async def _end_of(told: "asyncio.Queue[Any]", job: Job, request: Request) -> Done:
    """Wait for the end of an answer; the row is ended where the client hangs up."""
    hung_up = asyncio.ensure_future(_hung_up(request))
    try:
        while True:
            news = asyncio.ensure_future(told.get())
            await asyncio.wait({news, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not news.done():
                news.cancel()
                job.gone.set()
                raise ClientDisconnect
            found = news.result()
            if isinstance(found, Refused):
                raise found
            if isinstance(found, Done):
                return found
    finally:
        hung_up.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Stream(Response):
    """Server-sent events, as OpenAI's clients read them; ends the row where they stop reading."""

    def __init__(self, completion: Completion, job: Job, told: "asyncio.Queue[Any]", request: Request, stall: float,
                 meters: Meters) -> None:  # fmt: skip
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store"})
        self.completion, self.job, self.told, self.request = completion, job, told, request
        self.stall, self.meters = stall, meters
        del self.headers["content-length"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends until the answer ends, the client hangs up, or takes nothing for too long."""
        hung_up = asyncio.ensure_future(_hung_up(self.request))
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait({hung_up, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except (TimeoutError, OSError):
            _LOG.info("a client took nothing for %g seconds", self.stall)
        finally:
            self.job.gone.set()
            hung_up.cancel()
            sending.cancel()

    async def _send(self, send: Any) -> None:
        async def event(content: Any) -> None:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            body = {"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True}
            await asyncio.wait_for(send(body), self.stall)

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await event(self.completion.first())
        while True:
            news = await self.told.get()
            if isinstance(news, str):
                await event(self.completion.piece(news))
                continue
            if isinstance(news, Done):
                self.meters.said(news.tokens)
                for chunk in self.completion.last(news):
                    await event(chunk)
            else:
                await event(news.body())
            break
        await event("[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _nothing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    words = "not allowed here" if status == 405 else "nothing is here; the endpoint is /v1/chat/completions"
    return JSONResponse(Refused(status, f"{request.method} {request.url.path[:100]}: {words}").body(), status)
