"""Two small real proxies on loopback: HTTP CONNECT and SOCKS5, each asking for a user and a password."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

USER, PASSWORD = "imbot", "p@ss:word"
Handler = Callable[["ProxyServer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ProxyServer:
    port: int = 0
    reached: list[tuple[str, int]] = field(default_factory=list)
    refused: int = 0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _relay(
    proxy: ProxyServer, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    proxy.reached.append((host, port))
    far_reader, far_writer = await asyncio.open_connection(host, port)
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def http_proxy(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if f"Proxy-Authorization: Basic {credentials}".lower() not in head.lower():
        proxy.refused += 1
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        return
    host, _, port = head.split()[1].rpartition(":")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await _relay(proxy, host, int(port), reader, writer)


async def socks_proxy(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    count = (await reader.readexactly(2))[1]
    methods = await reader.readexactly(count)
    if 2 not in methods:
        proxy.refused += 1
        writer.write(b"\x05\xff")
        writer.close()
        return
    writer.write(b"\x05\x02")
    user = await reader.readexactly((await reader.readexactly(2))[1])
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if (user.decode(), password.decode()) != (USER, PASSWORD):
        proxy.refused += 1
        writer.write(b"\x01\x01")
        writer.close()
        return
    writer.write(b"\x01\x00")
    kind = (await reader.readexactly(4))[3]
    if kind == 1:
        host = ".".join(str(one) for one in await reader.readexactly(4))
    else:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    port = int.from_bytes(await reader.readexactly(2), "big")
    writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    await _relay(proxy, host, port, reader, writer)


@asynccontextmanager
async def running(handler: Handler) -> AsyncIterator[ProxyServer]:
    proxy = ProxyServer()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(proxy, reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
