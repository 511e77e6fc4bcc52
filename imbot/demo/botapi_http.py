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
from imbot.demo.botapi_state import BotState, Kept

_Handler = Callable[[BotState, Params], Any | Awaitable[Any]]
# What shows something in a chat; it is that which Telegram counts.
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


def _meant(fault: Fault) -> ApiError:
    """What a fault on order comes to, for the witness."""
    why = fault.description if fault.mode == "error" else f"{fault.mode} {fault.description}".strip()
    return ApiError(fault.status, why + (" (after)" if fault.after else ""), fault.parameters)


def _as_shown(kept: Kept) -> dict[str, Any]:
    wire = kept.wire
    rows = wire.get("reply_markup", {}).get("inline_keyboard", [])
    return {
        "chat": wire["chat"]["id"],
        "message": wire["message_id"],
        "text": wire.get("text", wire.get("caption", "")),
        "buttons": [[{"label": one["text"], "value": one.get("callback_data", "")} for one in row] for row in rows],
        "silent": kept.silent,
        "files": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in kept.files],
        "reply_to": wire.get("reply_to_message", {}).get("message_id"),
    }


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
        self.throttle = throttle
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
        handler: _Handler | None = get_updates if method == "getupdates" else METHODS.get(method)
        if handler is None:
            return _answer(404, ApiError(404, "Not Found").body())
        try:
            params = await read_params(request)
        except ValueError:
            return _answer(400, ApiError(400, "Bad Request: can't parse the request").body())
        self._called(name, params)
        if method == "getupdates":
            self._state.hear("polled", offset=params.values.get("offset"))
        answer = await self._carried_out(request, name, params, handler)
        if self._state.witness is not None:
            await self._state.witness.settle()
        return answer

    async def _carried_out(self, request: Request, name: str, params: Params, handler: _Handler) -> Response:
        method = name.lower()
        fault = self._faults.take(name, str(params.values.get("chat_id", "")))
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.mode != "delay" and not fault.after:
            self._hear_refusal(name, params, _meant(fault), ordered=True)
            return _misfortune(fault)
        try:
            if self.throttle is not None and method in _PACED:
                self.throttle.check(params.text("chat_id"))
            result = handler(self._state, params)
            result = await result if inspect.isawaitable(result) else result
            answer = _answer(200, {"ok": True, "result": result})
        except ApiError as refused:
            answer = _answer(refused.status, refused.body())
            self._hear_refusal(name, params, refused, ordered=False)
        else:
            await self._hear_result(request, method, params, result, fault.delay if fault is not None else 0.0)
        if fault is None or not fault.after:
            return answer
        self._hear_refusal(name, params, _meant(fault), ordered=True)
        return _misfortune(fault)

    async def _hear_result(self, request: Request, method: str, params: Params, result: Any, late: float) -> None:
        """`late`: seconds that passed between the call and its being carried out, on order."""
        if self._state.witness is None:
            return
        if method == "getupdates":
            gone = await request.is_disconnected()
            self._state.hear("poll", offset=params.values.get("offset"), given=len(result), gone=gone)
        elif method in _PACED:
            for wire in result if isinstance(result, list) else [result]:
                kept = self._state.chats[wire["chat"]["id"]].messages[wire["message_id"]]
                waited = {"late": late} if late else {}
                self._state.hear("saw", **_as_shown(kept), edit=method.startswith("edit"), **waited)

    def _hear_refusal(self, name: str, params: Params, refused: ApiError, *, ordered: bool) -> None:
        self._state.hear(
            "refused",
            method=name,
            chat=params.values.get("chat_id"),
            status=refused.status,
            why=refused.description,
            retry_after=(refused.parameters or {}).get("retry_after"),
            ordered=ordered,
        )

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
