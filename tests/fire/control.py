"""How the rig orders its witnesses about: one JSON object a line over loopback TCP, many calls at a time on one connection;
and what each witness process has in common: its ports on standard output, its end with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]

_LINE = 64 * 1024 * 1024  # bytes: a file of 20 MB travels in base64


class RigError(Exception):
    """A witness could not do what it was told, or is gone."""


async def serve_control(handler: Handler) -> asyncio.Server:
    """Listen on a free loopback port (`port_of`). Each line `{"id", "verb", "args"}` is handled by a task of its own; the
    answer is `{"id", "result"}` or `{"id", "error"}`. Whatever the handler raises travels as an error."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks: set[asyncio.Task[None]] = set()
        try:
            while line := await reader.readline():
                task = asyncio.create_task(_answer(handler, json.loads(line), writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other end is gone, or this process ends
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", 0, limit=_LINE)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def _answer(handler: Handler, order: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    try:
        answer = {"id": order["id"], "result": await handler(order["verb"], order.get("args", {}))}
        line = json.dumps(answer)
    except Exception as error:  # whatever it is, it is for the caller to know
        line = json.dumps({"id": order["id"], "error": f"{order['verb']}: {type(error).__name__}: {error}"})
    with contextlib.suppress(ConnectionError):
        writer.write(line.encode() + b"\n")
        await writer.drain()


class Remote:
    """The client of one witness. Connects at the first call; calls may run side by side (long polls do). To be used from
    one event loop. `call` raises RigError for what the witness refused and where it is gone."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._opening = asyncio.Lock()

    async def call(self, verb: str, **args: Any) -> Any:
        writer = await self._connected()
        self._last += 1
        number = self._last
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(json.dumps({"id": number, "verb": verb, "args": args}).encode() + b"\n")
            await writer.drain()
            return await answer
        except ConnectionError as error:
            raise RigError(f"{verb}: the witness on port {self.port} is gone: {error}") from error
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Closing again does nothing; calls under way get RigError."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        if self._listener is not None:
            await self._listener

    async def __aenter__(self) -> Remote:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=_LINE)
                except OSError as error:
                    raise RigError(f"no witness on port {self.port}: {error}") from error
                self._listener = asyncio.create_task(self._listen(reader))
            if self._listener is not None and self._listener.done():
                raise RigError(f"the witness on port {self.port} is gone")
            return self._writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                said = json.loads(line)
                waiting = self._waiting.get(said["id"])
                if waiting is None or waiting.done():
                    continue
                if "error" in said:
                    waiting.set_exception(RigError(said["error"]))
                else:
                    waiting.set_result(said["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RigError(f"the witness on port {self.port} is gone"))


def announce(**ports: int) -> None:
    """The first and only line of a witness on standard output."""
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()


async def until_told_to_end(stop: asyncio.Event) -> None:
    """Wait for `stop`, a SIGTERM, or the end of the parent, with which standard input ends (a pipe that only it holds)."""
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    with contextlib.suppress(PermissionError):  # a file or /dev/null, which cannot be waited for
        loop.add_reader(0, heard)
    await stop.wait()
