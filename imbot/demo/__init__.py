"""`imbot demo`: the whole world in one process, with a page to play on. Needs no token, no server and no root.

State lies in a temporary folder that goes away at the end. Imports lazily: the command line asks for this module early.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

DEFAULT_PORT = 8080


def run(port: int = DEFAULT_PORT, folder: Path | None = None) -> None:
    """Play until Ctrl-C or SIGTERM. Raises ImbotError where the port is taken or imbot breaks."""
    from imbot import event_loop, log

    log.set_up("warning", "console")
    with contextlib.suppress(KeyboardInterrupt):
        event_loop.run(serve(port, folder))


async def serve(port: int = DEFAULT_PORT, folder: Path | None = None) -> None:
    """The demo until a signal says stop. `folder`: where state is kept afterwards (default: a temporary one)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(name, stop.set)
    with _place(folder) as place:
        async with playing(place, port) as url:
            _tell(f"imbot demo: open {url} in a browser. Ctrl-C ends it.")
            await stop.wait()
            _tell("imbot demo: ending ...")


@contextlib.asynccontextmanager
async def playing(folder: Path, port: int = 0) -> AsyncIterator[str]:
    """The running demo in `folder`; gives the page's address. Port 0 takes a free one."""
    from imbot.demo.botapi import serve as serve_http
    from imbot.demo.imbot_inside import reading, start_imbot
    from imbot.demo.web import page_app
    from imbot.demo.world import open_world
    from imbot.domain.errors import ImbotError

    def no_port(error: OSError) -> ImbotError:
        taken = error.errno == errno.EADDRINUSE
        what = "is taken" if taken else f"cannot be opened ({os.strerror(error.errno or 0)})"
        return ImbotError(f"port {port} {what}; try another one: PORT=8081 make demo")

    try:
        socket.create_server(("127.0.0.1", port)).close()  # before anything is written into the folder
    except OSError as error:
        raise no_port(error) from error
    async with reading() as read, open_world(folder, start_imbot, read) as world:
        try:
            page = await serve_http(page_app(world), port, on_close=world.api.stop)
        except OSError as error:
            raise no_port(error) from error
        try:
            yield page.url
        finally:
            await page.close()


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        _must_be_new(folder)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="imbot-demo-") as temporary:
        yield Path(temporary)


def _must_be_new(folder: Path) -> None:
    """Each play begins anew: Telegram's and the ITSM's memory end with the process, imbot's would not fit them."""
    from imbot.domain.errors import ImbotError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ImbotError(f"{folder} is not empty, and each play begins anew: give the demo a new folder")
    except OSError as error:
        raise ImbotError(f"{folder}: {error.strerror}") from error


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
