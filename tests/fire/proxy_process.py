"""The wires between imbot and the world, in a process of its own, so that they can be cut, choked and garbled on order; every
fault is journaled at its moment. `python -m tests.fire.proxy_process --journal F --leg telegram=PORT --leg smtp=PORT ...`."""

from __future__ import annotations

import argparse
import asyncio
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fire.control import announce, port_of, serve_control, until_told_to_end
from tests.fire.journal import Journal

_CHUNK = 65536  # bytes
DIRECTIONS = ("to_client", "to_server")  # the client is imbot


@dataclass
class Weather:
    """What befalls the bytes of a leg. `corrupt` and `cut_after`: by direction, how many chunks are still to be garbled,
    and how many bytes may still pass before all connections are cut."""

    bytes_per_second: float = 0.0
    delay: float = 0.0
    corrupt: dict[str, int] = field(default_factory=dict)
    cut_after: dict[str, int] = field(default_factory=dict)


class Leg:
    """One port, in front of one server."""

    def __init__(self, name: str, target: int, journal: Journal) -> None:
        self.name, self.target, self._journal = name, target, journal
        self.weather = Weather()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # Bound but not listening: nobody else gets the port while it is closed.
        self._guard = socket.socket()
        self._guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._guard.bind(("127.0.0.1", 0))
        self.port = int(self._guard.getsockname()[1])
        self.connections = 0

    async def listen(self) -> None:
        """Again after `refuse`; nothing where it listens already."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=_CHUNK)

    def refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self, why: str) -> int:
        """How many connections were cut; new ones are served."""
        ends = list(self._open)
        self._journal.note("cut", leg=self.name, connections=len(ends) // 2, why=why)
        for writer in ends:
            writer.transport.abort()
        self._open.clear()
        return len(ends) // 2

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    @property
    def open(self) -> int:
        return len(self._open) // 2

    async def close(self) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._guard.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._journal.write([("connected", {"leg": self.name})])
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=_CHUNK)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer, "to_server"))
                both.create_task(self._pump(far_reader, writer, "to_client"))
        except* OSError:
            pass  # one side is gone: so is the other
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        while True:
            rate = self.weather.bytes_per_second
            data = await reader.read(max(1, min(_CHUNK, int(rate / 10))) if rate else _CHUNK)
            await self._flowing.wait()
            if not data:
                break
            weather = self.weather
            pause = weather.delay + (len(data) / weather.bytes_per_second if weather.bytes_per_second else 0.0)
            if pause:
                await asyncio.sleep(pause)
                await self._flowing.wait()
            await self._pass_on(data, writer, direction)
        if writer.can_write_eof():
            writer.write_eof()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter, direction: str) -> None:
        weather = self.weather
        if weather.corrupt.get(direction, 0) > 0:
            weather.corrupt[direction] -= 1
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]
            self._journal.note("corrupted", leg=self.name, direction=direction)
        left = weather.cut_after.get(direction)
        if left is not None:
            data, weather.cut_after[direction] = data[:left], left - len(data)
        writer.write(data)
        await writer.drain()
        if left is not None and weather.cut_after[direction] <= 0:
            del weather.cut_after[direction]
            await asyncio.sleep(0.02)  # let what may pass reach the other side before the end does
            self.cut("cut_after")


class Control:
    """What the rig may order: each public coroutine is a verb; `leg` is a name, or "*" for all of them."""

    def __init__(self, legs: dict[str, Leg], journal: Journal, stop: asyncio.Event) -> None:
        self._legs, self._journal, self._stop = legs, journal, stop

    async def handle(self, verb: str, args: dict[str, Any]) -> Any:
        method = None if verb.startswith("_") or verb == "handle" else getattr(self, verb, None)
        if method is None:
            raise ValueError("there is no such verb")
        if verb not in ("cut", "count", "stop"):  # a cut journals itself
            self._chosen(str(args.get("leg", "*")))
            self._journal.note(verb, **args)
        return await method(**args)

    def _chosen(self, leg: str) -> list[Leg]:
        if leg != "*" and leg not in self._legs:
            raise ValueError(f"there is no leg {leg!r}: {sorted(self._legs)}")
        return list(self._legs.values()) if leg == "*" else [self._legs[leg]]

    async def cut(self, leg: str) -> int:
        """Every open connection ends at once (RST); new ones are served. How many there were."""
        return sum(one.cut("order") for one in self._chosen(leg))

    async def freeze(self, leg: str) -> None:
        """A black hole: connections are taken, nothing flows in either direction, nobody is told of anything."""
        for one in self._chosen(leg):
            one.freeze()

    async def thaw(self, leg: str) -> None:
        """What was held flows on."""
        for one in self._chosen(leg):
            one.thaw()

    async def slow(self, leg: str, bytes_per_second: float = 0.0, delay: float = 0.0) -> None:
        """Each connection passes on so many bytes a second, each chunk of them `delay` seconds later; 0, 0: at once."""
        for one in self._chosen(leg):
            one.weather.bytes_per_second, one.weather.delay = bytes_per_second, delay

    async def refuse(self, leg: str, keep: bool = False) -> None:
        """The port is closed: "connection refused". Open connections are cut, unless `keep`."""
        for one in self._chosen(leg):
            one.refuse()
            if not keep:
                one.cut("refuse")

    async def corrupt(self, leg: str, times: int = 1, direction: str = "to_client") -> None:
        """One byte of each of the next `times` chunks in this direction is changed. Beware of legs without TLS: there it is
        the words that change."""
        for one in self._chosen(leg):
            one.weather.corrupt[_checked(direction)] = times

    async def cut_after(self, leg: str, n: int, direction: str = "to_client") -> None:
        """After `n` more bytes in this direction, counted over all connections of the leg, they are all cut. Once."""
        for one in self._chosen(leg):
            one.weather.cut_after[_checked(direction)] = n

    async def retarget(self, leg: str, port: int) -> None:
        """New connections go to another port: a server that has come back elsewhere."""
        for one in self._chosen(leg):
            one.target = port

    async def heal(self, leg: str = "*") -> None:
        """Undoes all: listening, flowing, fast, clean."""
        for one in self._chosen(leg):
            one.weather = Weather()
            one.thaw()
            await one.listen()

    async def count(self) -> dict[str, dict[str, int]]:
        """By leg: `connections` ever made, and `open` now."""
        return {name: {"connections": one.connections, "open": one.open} for name, one in self._legs.items()}

    async def stop(self) -> None:
        self._stop.set()


def _checked(direction: str) -> str:
    if direction not in DIRECTIONS:
        raise ValueError(f"a direction is one of {DIRECTIONS}")
    return direction


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--leg", action="append", required=True, help="name=port of the server behind it")
    args = parser.parse_args()
    stop = asyncio.Event()
    with Journal(args.journal) as journal:
        legs = {name: Leg(name, int(port), journal) for name, _, port in (one.partition("=") for one in args.leg)}
        for leg in legs.values():
            await leg.listen()
        control = await serve_control(Control(legs, journal, stop).handle)
        announce(control=port_of(control), **{name: leg.port for name, leg in legs.items()})
        await until_told_to_end(stop)
        control.close()
        await asyncio.gather(*(leg.close() for leg in legs.values()))


if __name__ == "__main__":
    asyncio.run(main())
