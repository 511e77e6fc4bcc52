"""The embedded world in one process: Bot API server, post office, play ITSM, directory file, and imbot itself.

imbot is started by the code of production from a config file in the world's folder; it meets everything else here over
TCP on loopback ports. The world only wires and reads along; it decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from imbot.demo.botapi import BotApi, serve
from imbot.demo.cast import BOT_ADDRESS, ITSM_ADDRESS, MAILBOXES, PLAYERS, TIMEZONE, directory_toml
from imbot.demo.itsm import PlayItsm
from imbot.demo.post import Delivered, PostOffice
from imbot.demo.setup import config_toml
from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mailbox.smtp import Smtp, SmtpSettings

_ZONE = ZoneInfo(TIMEZONE)


class Bot(Protocol):
    """What the world needs of imbot: to run it, and to look into it."""

    async def run(self, stop: asyncio.Event) -> None: ...

    async def state(self) -> Mapping[str, Any]:
        """Tickets, ledger, outbox, quarantine as plain JSON."""
        ...

    def on_commit(self, callback: Callable[[], None]) -> None: ...

    def now(self) -> datetime:
        """What time it is for imbot."""
        ...

    async def an_hour_passes(self) -> None:
        """Put imbot's clock on by an hour, and have it do what the hour brings."""
        ...


StartBot = Callable[[Path], Awaitable[Bot]]  # the config file -> imbot, not yet running
ReadLetter = Callable[[bytes], Awaitable[InboundMail]]  # raises LetterRefused


@dataclass(slots=True)
class World:
    """Everything the page and its API talk to."""

    api: BotApi
    post: PostOffice
    itsm: PlayItsm
    bot: Bot
    outside: Smtp  # sends as anybody may: without a login
    desk: Smtp  # sends as the ITSM: with its login
    mails: dict[int, InboundMail | str] = field(default_factory=dict)  # letters as read; a str says why one was not
    unread: asyncio.Queue[Delivered] = field(default_factory=asyncio.Queue)

    @property
    def version(self) -> int:
        """Counts every change that a page may want to show."""
        return self.api.state.changes.count

    def touch(self) -> None:
        """Something changed: wake the pages that wait."""
        self.api.state.changes.touch()

    async def read_letters(self, read: ReadLetter) -> None:
        """Read what is delivered, for the page and the play ITSM. Runs until cancelled."""
        while True:
            letter = await self.unread.get()
            try:
                try:
                    mail = await read(letter.raw)
                except LetterRefused as error:
                    self.mails[letter.id] = str(error)
                else:
                    self.mails[letter.id] = mail
                    if letter.mailbox == ITSM_ADDRESS:
                        self.itsm.arrived(letter.id, mail)
            finally:
                self.unread.task_done()
                self.touch()


@contextlib.asynccontextmanager
async def open_world(folder: Path, start_bot: StartBot, read: ReadLetter) -> AsyncIterator[World]:
    """The running world; all of it is shut, imbot first, when the block ends. Raises what imbot raised if it broke."""
    async with contextlib.AsyncExitStack() as stack:
        post = PostOffice(MAILBOXES, vouched=ITSM_ADDRESS)
        await post.start()
        stack.push_async_callback(post.close)
        api = BotApi(folder / "telegram")
        for player in PLAYERS:
            api.add_user(player.chat, player.first_name)
        telegram = await serve(api.app, on_close=api.stop)
        stack.push_async_callback(telegram.close)
        outside, desk = (
            Smtp(SmtpSettings("127.0.0.1", post.smtp_port, "none", username=login, password=password, hello_name=name))
            for login, password, name in (
                ("", "", "mail.outside.example"),
                (ITSM_ADDRESS, post.password(ITSM_ADDRESS), "itsm.demo.local"),
            )
        )
        stack.push_async_callback(outside.close)
        stack.push_async_callback(desk.close)

        async def send(recipient: str, letter: bytes) -> None:
            await desk.send(ITSM_ADDRESS, [recipient], letter)

        config = _write_files(folder, api, telegram.url, post)
        bot = await start_bot(config)
        world = World(api, post, PlayItsm(send, lambda: bot.now().astimezone(_ZONE)), bot, outside, desk)
        post.on_delivered = world.unread.put_nowait
        bot.on_commit(world.touch)
        reading = asyncio.create_task(world.read_letters(read), name="demo: read letters")
        stack.push_async_callback(_end, reading)
        await stack.enter_async_context(_running(bot))
        yield world


def _write_files(folder: Path, api: BotApi, telegram_url: str, post: PostOffice) -> Path:
    """The directory and the config file, readable by us alone. What it names is absolute: a path in it would be looked for
    from its own folder."""
    folder = folder.absolute()
    directory = folder / "directory.toml"
    directory.write_text(directory_toml(), encoding="utf-8")
    config = folder / "config.toml"
    config.touch(mode=0o600)
    config.write_text(
        config_toml(
            data_dir=folder / "var",
            directory=directory,
            telegram_url=telegram_url,
            token=api.token,
            smtp_port=post.smtp_port,
            imap_port=post.imap_port,
            password=post.password(BOT_ADDRESS),
        ),
        encoding="utf-8",
    )
    return config


@contextlib.asynccontextmanager
async def _running(bot: Bot) -> AsyncIterator[None]:
    """imbot runs inside the block. If it ends by itself the block is cancelled and its error raised."""
    stop = asyncio.Event()
    body = asyncio.current_task()
    ended_early = False

    def ended(_task: asyncio.Task[None]) -> None:
        nonlocal ended_early
        if not stop.is_set() and body is not None:
            ended_early = True
            body.cancel()

    task = asyncio.create_task(bot.run(stop), name="demo: imbot")
    task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if not ended_early or body is None:
            raise
        body.uncancel()
    finally:
        stop.set()
        await asyncio.wait({task})
        task.result()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
