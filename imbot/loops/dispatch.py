"""Takes updates from a channel and has each carried out in one transaction. Shows nothing itself: screens are owed.

    poll -> batch -> per chat, in order: take (commit) -> screen owed, press acknowledged -> next poll confirms the batch

An update is confirmed to the channel only by the next poll, so only after its commit; what cannot be understood is kept
for a person first. While the data base is away nothing is confirmed and the same batch is tried again; whoever writes
meanwhile is told so, and is carried out later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import structlog

from imbot.domain.chats import Incoming
from imbot.domain.errors import DeliveryError
from imbot.failpoints import hit
from imbot.loops.pulse import Clock, Pulse, first_of
from imbot.loops.screens import Screens
from imbot.services import turns
from imbot.services.env import Env, Fresh
from imbot.store import inbox
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable

log = structlog.get_logger(__name__)

_BY = "polls"
_CONFLICT_WAIT, _ERROR_WAIT, _STORE_WAIT = 30.0, 3.0, 2.0
_TELL_AGAIN = 5.0


class Channel(Protocol):
    """What dispatch needs of a channel."""

    @property
    def name(self) -> str: ...
    async def poll(self, offset: int | None, *, wait: bool = True) -> list[dict[str, Any]]: ...
    async def acknowledge(self, handle: str, text: str = "") -> None: ...


class Dispatch:
    """One channel's updates. `read` is the channel's pure `read_update`; `mail_domain` mints Message-IDs."""

    def __init__(
        self,
        db: Db,
        channel: Channel,
        read: Callable[[Mapping[str, Any]], Incoming | None],
        screens: Screens,
        env: Env,
        pulse: Pulse,
        clock: Clock,
        mail_domain: str,
    ) -> None:
        self._db, self._channel, self._read, self._screens = db, channel, read, screens
        self._env, self._pulse, self._clock, self._mail_domain = env, pulse, clock, mail_domain
        self._answers: set[asyncio.Task[None]] = set()
        self._offset: int | None = None  # behind the last update that was carried out
        self._newest = -1  # update of the batch that is being carried out
        self._conflicts = 0  # in a row
        self._failed = False  # the last poll
        self._telling: asyncio.Task[None] | None = None  # `_tell_others`, while a batch waits for the data base
        self._told: dict[str, tuple[int, float]] = {}  # chat -> the update that was answered so, and when
        self._saying: set[asyncio.Task[None]] = set()  # that the data base is away; nobody waits for that
        self._recovered: list[Callable[[], None]] = []

    def on_recovered(self, callback: Callable[[], None]) -> None:
        """`callback` runs at the first poll that is answered after one that was not."""
        self._recovered.append(callback)

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`; a batch that has been taken is carried out to its end first."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                updates = await self._poll(stop, stopping)
                if updates:
                    hit("update_received")
                    await self._batch(updates)
                    hit("batch_taken")
                    self._offset = max(int(update["update_id"]) for update in updates) + 1
        finally:
            stopping.cancel()
        if self._answers:
            await asyncio.wait(self._answers, timeout=2)

    async def _poll(self, stop: asyncio.Event, stopping: asyncio.Task[Any]) -> list[dict[str, Any]]:
        """`stopping`: ends with `stop`."""
        # Behind a failure the channel is asked how it is, not for what may be half a minute away: others wait to hear of it.
        polling = asyncio.create_task(self._channel.poll(self._offset, wait=not self._failed))
        try:
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not polling.done():
                return []
            updates = polling.result()
        except DeliveryError as error:
            self._failed = True
            self._pulse.wrong(self._channel.name, str(error), _BY)
            log.warning("poll_failed", channel=self._channel.name, error=str(error), kind=error.kind)
            if (
                error.kind == "conflict"
            ):  # perhaps our own poll of before a restart; a second program is not fought with
                self._conflicts += 1
                wait = min(_ERROR_WAIT * 2.0 ** (self._conflicts - 1), _CONFLICT_WAIT)
            else:
                wait = max(error.retry_after or 0.0, _ERROR_WAIT)
            await first_of(stop, seconds=wait)
            return []
        finally:
            if not polling.done():
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)
        self._conflicts = 0
        self._pulse.ok(self._channel.name, _BY)
        if self._failed:
            self._failed = False
            log.info("poll_recovered", channel=self._channel.name)
            for callback in self._recovered:
                callback()
        return updates

    async def _batch(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """Returns when every update is committed or set aside."""
        self._newest = max(int(update["update_id"]) for update in updates)
        try:
            await self._take(updates)
        finally:
            if self._telling is not None:
                saying, self._telling = {self._telling, *self._saying}, None
                for task in saying:
                    task.cancel()
                await asyncio.gather(*saying, return_exceptions=True)
                self._told.clear()

    async def _tell_others(self) -> None:
        """While the batch waits for the data base: a poll from the same offset confirms nothing, and shows who has written
        since."""
        while True:
            with contextlib.suppress(DeliveryError):
                for raw in await self._channel.poll(self._offset):
                    incoming = self._read(raw)
                    if incoming is not None and int(raw["update_id"]) > self._newest:
                        self._tell(raw, incoming)
            await asyncio.sleep(_STORE_WAIT)

    def _tell(self, raw: Mapping[str, Any], incoming: Incoming) -> None:
        """Each thing that somebody does is answered, but not each of many in a row. A chat that is put off holds up no other."""
        update, now = int(raw["update_id"]), asyncio.get_running_loop().time()
        last, at = self._told.get(incoming.chat.key, (-1, float("-inf")))
        if update > last and now - at >= _TELL_AGAIN:
            self._told[incoming.chat.key] = (update, now)
            _start(self._screens.say_without_store(incoming.chat, incoming.language, "store_down"), self._saying)

    async def _take(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """Order within a chat, chats side by side; returns when every update is committed or set aside."""
        chats: dict[str, list[tuple[Mapping[str, Any], Incoming]]] = {}
        for raw in updates:
            incoming = self._read(raw)
            if incoming is not None:
                chats.setdefault(incoming.chat.key, []).append((raw, incoming))
        if len(chats) == 1:  # most of the time: at once, without a task of its own
            await self._one_chat(*chats.values())
            return
        async with asyncio.TaskGroup() as group:
            for items in chats.values():
                group.create_task(self._one_chat(items))

    async def _one_chat(self, items: list[tuple[Mapping[str, Any], Incoming]]) -> None:
        for raw, incoming in items:
            while True:
                try:
                    await self._one(incoming)
                    break
                except StoreUnavailable as error:
                    self._pulse.wrong("store", str(error))
                    log.error("store_unavailable", error=str(error))
                    self._telling = self._telling or asyncio.create_task(self._tell_others())
                    self._tell(raw, incoming)
                    await asyncio.sleep(_STORE_WAIT)
                except Exception as error:  # the item border: kept for a person, and the next update goes on
                    log.exception("update_set_aside", update=incoming.update_key)
                    await self._db.run(inbox.keep_update, dict(raw), repr(error), self._clock())
                    _start(self._screens.say_without_store(incoming.chat, incoming.language, "trouble"), self._answers)
                    break

    async def _one(self, incoming: Incoming) -> None:
        fresh = Fresh.mint(self._mail_domain)
        taken = await self._db.run(turns.take, incoming, self._clock(), self._env, fresh)
        self._pulse.ok("store")
        hit("turn_committed")
        if taken.show_after is not None:
            self._screens.push(incoming.chat.key, taken.show_after, taken.owed)
        if incoming.handle:
            _start(self._acknowledge(incoming.handle), self._answers)

    async def _acknowledge(self, handle: str) -> None:
        """Stops the button's spinner. It says nothing and may be lost: the screen is the answer."""
        with contextlib.suppress(DeliveryError):
            await self._channel.acknowledge(handle)


def _start(work: Coroutine[Any, Any, None], running: set[asyncio.Task[None]]) -> None:
    """Nobody waits for it. It stands in `running` until it has ended, so that it is not lost half way."""
    task = asyncio.create_task(work)
    running.add(task)
    task.add_done_callback(running.discard)
