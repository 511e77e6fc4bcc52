"""Shows the screens that chats are owed: one slot per chat, the newest wins, kept until shown.

    owed -> (show_after) -> shown | blocked | tried again later

A turn never waits for this; a throttled chat holds up nobody but itself. While the channel as a whole is down, one chat tries it,
once a second at the most, and the others stand in line. After a crash what is still owed is shown again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from imbot.dialog.render import Rendered, render
from imbot.dialog.screen import Screen, screen_from_json
from imbot.domain.chats import Chat
from imbot.domain.errors import DeliveryError
from imbot.failpoints import hit
from imbot.loops.pulse import Clock, Looked, Pulse, first_of
from imbot.loops.settling import until_noted
from imbot.services import showing
from imbot.services.env import Env
from imbot.store import sessions
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.sessions import OwedScreen
from imbot.templates import Templates

log = structlog.get_logger(__name__)

_BY = "screens"
_SWEEP = 5.0  # seconds between looks for what was left over
_PROBE = 1.0  # seconds between two tries of a channel that is down, whoever they are for


class Shows(Protocol):
    """What showing needs of a channel: `show` gives the id of the message that now bears the screen, `retire` takes the
    buttons of an older one away."""

    @property
    def name(self) -> str: ...
    async def show(self, chat_id: str, rendered: Rendered, *, edit: str = "", dialog: bool = True) -> str: ...

    async def retire(self, chat_id: str, message_id: str) -> None: ...


class _Notes:
    """What was shown, noted in the data base together: who comes while a note is under way goes with the next one."""

    def __init__(self, db: Db, pulse: Pulse, clock: Clock) -> None:
        self._db, self._pulse, self._clock = db, pulse, clock
        self._one_at_a_time = asyncio.Lock()
        self._next: tuple[list[tuple[str, int, str]], asyncio.Task[None]] | None = None

    async def shown(self, chat_key: str, seq: int, message_id: str) -> None:
        """Returns once that is durable."""
        if self._next is None:
            self._next = ([], asyncio.create_task(self._write()))
        rows, writing = self._next
        rows.append((chat_key, seq, message_id))
        await asyncio.shield(writing)

    async def _write(self) -> None:
        async with self._one_at_a_time:
            assert self._next is not None
            (rows, _), self._next = self._next, None
            note = partial(self._db.run, sessions.shown_many, rows, self._clock())
            await until_noted(note, self._pulse)


class Screens:
    """`push` after a commit shows at once; `run` also finds what a crash or a failure left."""

    def __init__(self, db: Db, channel: Shows, templates: Templates, env: Env, pulse: Pulse, clock: Clock) -> None:
        self._db, self._channel, self._templates, self._env = db, channel, templates, env
        self._pulse, self._clock = pulse, clock
        self._notes = _Notes(db, pulse, clock)
        self._down_since: float | None = None  # the loop's time of the last try that found the channel down
        self._probing = asyncio.Lock()
        self._jitter = random.Random()  # noqa: S311 (spreads tries; no secret)
        self._shown: list[Callable[[], None]] = []
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._after: dict[str, datetime] = {}
        self._known: dict[str, tuple[OwedScreen, str]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._looked = Looked(clock())
        self._again = asyncio.Event()  # the channel is back: what it did not take is tried now

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                now = self._clock()
                if self._again.is_set():
                    self._again.clear()
                    await self._db.run(sessions.hurry, now)
                if self._looked.later_than(now):
                    await self._db.run(sessions.clock_went_back, now, self._looked.at)
                elif self._looked.has_settled():
                    await self._db.run(sessions.clock_was_put_back, now)
                self._looked.at = now
                for owed in await self._db.read(sessions.owed, now, 200):
                    if owed.chat_key not in self._busy:
                        self.push(owed.chat_key, now)
            except StoreUnavailable as error:
                log.error("store_unavailable", error=str(error))
            await first_of(stop, self._again, seconds=_SWEEP)
        under_way = [*self._busy.values(), *self._retiring]
        if under_way:
            await asyncio.wait(under_way, timeout=5)

    def hurry(self) -> None:
        """The channel works again: who pressed while it was away waits no longer. A chat that met a limit is held by its pace."""
        self._again.set()

    def on_shown(self, callback: Callable[[], None]) -> None:
        """`callback` runs whenever a screen has been shown: the channel works."""
        self._shown.append(callback)

    def push(self, chat_key: str, show_after: datetime, owed: tuple[OwedScreen, str] | None = None) -> None:
        """Show what this chat is owed, from `show_after` on; what is owed by then is what is shown. `owed`: what has just been
        committed and its language; it need not be read again where nothing is under way in this chat."""
        self._after[chat_key] = show_after
        if chat_key in self._busy:
            self._known.pop(chat_key, None)
            return
        if owed is not None:
            self._known[chat_key] = owed
        self._busy[chat_key] = asyncio.create_task(self._drain(chat_key))

    async def say_without_store(self, chat: Chat, language: str, name: str) -> None:
        """An honest word that needs no data base; if even that fails it is only logged."""
        screen = Screen(name, {"support_contact": self._env.dialog.support_contact})
        try:
            await self._channel.show(chat.id, self._render(screen, self._env.chat_language(language)))
        except DeliveryError as error:
            log.warning("not_told", chat=chat.key, screen=name, error=str(error))

    async def _drain(self, chat_key: str) -> None:
        try:
            while chat_key in self._after:
                await self._until_due(chat_key)
                if self._down_since is None:
                    await self._show(chat_key)
                else:
                    await self._probe(chat_key)
        except StoreUnavailable as error:  # still owed: the sweep finds it
            log.error("store_unavailable", error=str(error))
        except Exception:  # the item border: a template of ours is wrong; tried again by the sweep
            log.exception("screen_not_shown", chat=chat_key)
        finally:
            del self._busy[chat_key]
            self._known.pop(chat_key, None)

    async def _until_due(self, chat_key: str) -> None:
        """A newer screen may move the moment on meanwhile: it is looked at again after each wait. Nothing waits here for longer
        than until the next sweep: what seems to was put off by a clock that has been put back."""
        wait = (self._after[chat_key] - self._clock()).total_seconds()
        if 0 < wait <= _SWEEP:
            await asyncio.sleep(wait)
            await self._until_due(chat_key)

    async def _probe(self, chat_key: str) -> None:
        """As one of many that wait for the channel; what is owed by the time of the try is what is shown."""
        async with self._probing:
            if self._down_since is not None:
                wait = self._down_since + _PROBE * self._jitter.uniform(1.0, 1.2) - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, wait))
                self._known.pop(chat_key, None)
                await self._show(chat_key)
                return
        await self._show(chat_key)

    async def _show(self, chat_key: str) -> None:
        del self._after[chat_key]
        known = self._known.pop(chat_key, None)
        owed, lang = known if known else await self._db.read(showing.owed, chat_key, self._env)
        if owed is None:
            return
        screen = screen_from_json(owed.screen)
        rendered = self._render(screen, lang)
        hit("screen_owed")
        try:
            message_id = await self._channel.show(chat_key.partition(":")[2], rendered, edit=owed.edit_message_id)
        except DeliveryError as error:
            self._heard(error)
            now = self._clock()
            self._looked.at = max(self._looked.at, now)
            due = await self._db.run(showing.failed, owed, error, now)
            if due is not None and (due - now).total_seconds() <= _SWEEP:
                self._after.setdefault(chat_key, due)  # sooner than the sweep would find it
            return
        hit("screen_shown")
        self._heard(None)
        for callback in self._shown:
            callback()
        await self._notes.shown(chat_key, owed.seq, message_id)
        hit("screen_noted")
        if screen.retires and owed.before and owed.before != message_id:
            task = asyncio.create_task(
                self._retire(chat_key, owed.before)
            )  # the chat's next screen does not wait for it
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _heard(self, error: DeliveryError | None) -> None:
        """What is refused for a chat's or a screen's own sake was answered all the same."""
        if error is not None and error.kind == "down":
            self._down_since = asyncio.get_running_loop().time()
            self._pulse.wrong(self._channel.name, str(error), _BY)
        else:
            if self._down_since is not None:
                self.hurry()
            self._down_since = None
            self._pulse.ok(self._channel.name, _BY)

    async def _retire(self, chat_key: str, message_id: str) -> None:
        """A convenience: where it fails, the old buttons stay and say that they are old."""
        try:
            await self._channel.retire(chat_key.partition(":")[2], message_id)
        except DeliveryError as error:
            log.debug("buttons_left", chat=chat_key, error=str(error))

    def _render(self, screen: Screen, lang: str) -> Rendered:
        # To the minute, which is as fine as any screen says: one that is shown to many at once is written once.
        return render(screen, lang, self._templates, now=self._clock().replace(second=0, microsecond=0))
