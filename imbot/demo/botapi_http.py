"""The HTTP face of our Bot API server: routes, parameters in all the ways Telegram takes them, answers, faults; and
`serve`, which runs any ASGI application in this process on a loopback port and ends it cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from imbot.demo.botapi_checks import MAX_DOWNLOAD, ApiError, Params, Upload
from imbot.demo.botapi_faults import Fault, Faults, Throttle
from imbot.demo.botapi_methods import METHODS, get_updates
from imbot.demo.botapi_state import BotState

_PACED = ("sendmessage", "sendphoto", "senddocument", "sendmediagroup", "editmessagetext", "editmessagereplymarkup")
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


class _Broken(Response):
    """An answer that breaks off: the headers promise more than ever comes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"ok":', "more_body": True})


def _answer(status: int, body: Any) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


def _misfortune(fault: Fault) -> Response:
    if fault.mode == "drop":
        return _Broken()
    if fault.mode == "html":
        return Response(_PAGE.format(fault.status), status_code=fault.status, media_type="text/html")
    words = fault.description or "Internal Server Error"
    return _answer(fault.status, ApiError(fault.status, words, fault.parameters).body())


async def read_params(request: Request) -> Params:
    """Query, JSON body, urlencoded or multipart form: the later wins over the earlier."""
    values: dict[str, Any] = dict(request.query_params)
    files: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        values |= orjson.loads(body) if body else {}
    elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = Upload(value.filename or "", value.content_type or "", await value.read())
                else:
                    values[name] = value
    return Params(values, files)


class Front:
    """The two routes. `called` hears of each call: the method as it was written, and its parameters."""

    def __init__(
        self, state: BotState, faults: Faults, throttle: Throttle | None, called: Callable[[str, Params], None]
    ) -> None:
        self._state = state
        self._faults = faults
        self._throttle = throttle
        self._called = called

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/bot{token}/{method}", self._call, methods=["GET", "POST"]),
                Route("/file/bot{token}/{path:path}", self._download, methods=["GET"]),
            ]
        )

    async def _call(self, request: Request) -> Response:
        if request.path_params["token"] != self._state.token:
            return _answer(401, ApiError(401, "Unauthorized").body())
        name = request.path_params["method"]
        method = name.lower()
        handler: Callable[[BotState, Params], Any | Awaitable[Any]] | None
        handler = get_updates if method == "getupdates" else METHODS.get(method)
        if handler is None:
            return _answer(404, ApiError(404, "Not Found").body())
        try:
            params = await read_params(request)
        except ValueError:
            return _answer(400, ApiError(400, "Bad Request: can't parse the request").body())
        self._called(name, params)
        fault = self._faults.take(name)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.mode != "delay" and not fault.after:
            return _misfortune(fault)
        try:
            if self._throttle is not None and method in _PACED:
                self._throttle.check(params.text("chat_id"))
            result = handler(self._state, params)
            answer = _answer(200, {"ok": True, "result": await result if inspect.isawaitable(result) else result})
        except ApiError as refused:
            answer = _answer(refused.status, refused.body())
        return _misfortune(fault) if fault is not None and fault.after else answer

    async def _download(self, request: Request) -> Response:
        if request.path_params["token"] != self._state.token:
            return _answer(401, ApiError(401, "Unauthorized").body())
        fault = self._faults.take("file")
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.mode != "delay":
            return _misfortune(fault)
        stored = self._state.files.by_path.get(request.path_params["path"])
        if stored is None or stored.lost or stored.size > MAX_DOWNLOAD:
            return _answer(404, ApiError(404, "Not Found").body())
        return FileResponse(stored.path, media_type=stored.content_type or "application/octet-stream")


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to whoever runs this process, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.ended.wait()  # uvicorn's own looks ten times a second whether it should end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@dataclass(slots=True)
class RunningServer:
    """A server that listens. `close` may be called twice."""

    url: str
    port: int
    _server: _Server
    _task: asyncio.Task[None]
    _on_close: Callable[[], None] | None

    async def close(self) -> None:
        if self._on_close is not None:
            self._on_close()
        self._server.should_exit = True
        self._server.ended.set()
        await self._task


async def serve(app: Any, port: int = 0, *, on_close: Callable[[], None] | None = None) -> RunningServer:
    """Run the ASGI application on 127.0.0.1. `on_close` (default: `app.state.on_close`, if any) is called first at the
    end, to let long polls go. Raises OSError where the port is taken."""
    listener = socket.create_server(("127.0.0.1", port))
    number = int(listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        date_header=False,  # kept fresh by the loop that is not run
        http="h11",
        ws="none",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=75,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http server on port {number}")
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        listener.close()
        await task
        raise RuntimeError("the server ended before it listened")
    hook = on_close or getattr(getattr(app, "state", None), "on_close", None)
    return RunningServer(f"http://127.0.0.1:{number}", number, server, task, hook)
