"""A TCP proxy that cuts and freezes, and a line server that follows a script: faults that real servers do not do on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

LONG = 3600.0  # seconds that nobody waits out: what ends such a wait is what the test is about


def in_time() -> asyncio.Timeout:
    """Ends a test that hangs, and decides nothing else."""
    return asyncio.timeout(30)


class Proxy:
    """A TCP proxy on a port of its own: it can cut, freeze, slow down, or cut after so many bytes to the client."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_after: int | None = None  # bytes to the client, counted from when it is set
        self.held = asyncio.Event()  # something came while it was frozen
        self.byte_pause = 0.0  # seconds between single bytes to the client
        self._heard = bytearray()
        self._news = asyncio.Event()
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every connection that is open now; new ones are served."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """Nothing flows any more in either direction, and nobody is told."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def retarget(self, port: int) -> None:
        """New connections go there: a server that has come back on another port."""
        self._target = port

    async def heard(self, words: bytes) -> None:
        """Returns as soon as one side has said `words` since the last call."""
        async with asyncio.timeout(10):
            while words not in self._heard:
                self._news.clear()
                await self._news.wait()
        self._heard.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, far_writer]
        try:
            await asyncio.gather(self._pump(reader, far_writer, False), self._pump(far_reader, writer, True))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_client: bool) -> None:
        while data := await reader.read(4096):
            if not self._flowing.is_set():
                self.held.set()
            await self._flowing.wait()
            self._heard += data
            self._news.set()
            if not to_client:
                writer.write(data)
                await writer.drain()
                continue
            if self.cut_after is not None:
                data, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
            if self.byte_pause:
                for byte in data:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(self.byte_pause)
            else:
                writer.write(data)
                await writer.drain()
            if self.cut_after is not None and self.cut_after <= 0:
                self.cut_after = None
                await asyncio.sleep(0.05)  # let the half line reach the client before the end does
                self.cut()
                return
        if writer.can_write_eof():
            writer.write_eof()


class ScriptedServer:
    """A line server for what real servers refuse to do. `answer(line)` gives the bytes to say, or None to hang up."""

    def __init__(self, greeting: bytes, answer: Callable[[bytes], bytes | None]) -> None:
        self._greeting = greeting
        self._answer = answer
        self.lines: list[bytes] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            writer.write(self._greeting)
            while line := await reader.readline():
                self.lines.append(line.rstrip(b"\r\n"))
                said = self._answer(self.lines[-1])
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        writer.transport.abort()
