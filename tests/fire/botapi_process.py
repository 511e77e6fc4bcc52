"""The witness on Telegram's side: the product's own demo Bot API, with its limits enforced, in a process of its own that
journals what persons did and what stands in their chats. `python -m tests.fire.botapi_process --journal F --files DIR`."""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imbot.demo.botapi import BotApi, Limits, serve
from tests.fire.control import announce, port_of, serve_control, until_told_to_end
from tests.fire.journal import Journal

_BY_THE_BOT = ("saw", "answered", "deleted")
_QUESTIONS = ("chat", "changes", "pending", "refused")
_LONGEST = 30.0  # seconds that `changes` may wait


class Witness:
    """Journals what it hears, and counts what the bot did in each chat."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.count = 0
        self.chats: dict[int, int] = {}  # the chat changed last stands last
        self.messages: dict[tuple[int, int], int] = {}
        self._changed = asyncio.Event()

    def hear(self, event: str, facts: dict[str, Any]) -> None:
        self._journal.write([(event, facts)])
        if event in _BY_THE_BOT:
            chat, message = facts["chat"], facts["message"]
            self.count += 1
            self.chats.pop(chat, None)
            self.chats[chat] = self.messages[chat, message] = self.count
            event_of_now, self._changed = self._changed, asyncio.Event()
            event_of_now.set()

    async def settle(self) -> None:
        await self._journal.settle()

    def since(self, count: int) -> Iterator[int]:
        """The chats in which the bot did something after `count`, the newest first."""
        newest_first = reversed(self.chats.items())
        return (chat for chat, _ in itertools.takewhile(lambda pair: pair[1] > count, newest_first))

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


class Clock:
    """Unix seconds, `ahead` of the machine's."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Control:
    """What the rig may order: each public coroutine is a verb. Chats are numbers; unknown ones are errors."""

    def __init__(self, api: BotApi, witness: Witness, stop: asyncio.Event, clock: Clock) -> None:
        self._api, self._witness, self._stop, self._clock = api, witness, stop, clock
        self._refused = 0  # by throttles that are gone

    async def handle(self, verb: str, args: dict[str, Any]) -> Any:
        method = None if verb.startswith("_") or verb == "handle" else getattr(self, verb, None)
        if method is None:
            raise ValueError("there is no such verb")
        result = await method(**args)
        if verb not in _QUESTIONS:
            await self._witness.settle()
        return result

    async def add_user(self, chat: int, name: str, lang: str = "ru", username: str = "") -> None:
        self._api.add_user(chat, name, lang, username)

    async def add_users(self, users: list[dict[str, Any]]) -> None:
        """Many at once: each with the arguments of `add_user`."""
        for user in users:
            await self.add_user(**user)

    async def say(self, chat: int, text: str, reply_to: int | None = None) -> int:
        """The number of the message."""
        return self._api.say(chat, text, reply_to)

    async def press(self, chat: int, message: int, value: str, invented: bool = False) -> str:
        return self._api.press(chat, message, value, invented=invented)

    async def attach(
        self,
        chat: int,
        files: list[dict[str, str]],
        caption: str = "",
        album: bool = False,
        as_photo: bool | None = None,
    ) -> list[int]:
        """`files`: each with `name`, `type` and either `data` (base64) or `path`. The numbers of the messages."""
        read = [(one["name"], one["type"], _bytes_of(one)) for one in files]
        return self._api.attach(chat, read, caption, album, as_photo)

    async def edit(self, chat: int, message: int, text: str) -> None:
        self._api.edit(chat, message, text)

    async def block(self, chat: int) -> None:
        self._api.block(chat)

    async def unblock(self, chat: int) -> None:
        self._api.unblock(chat)

    async def chat(self, chat: int, since: int = 0, after: int = 0) -> list[dict[str, Any]]:
        """The chat as the person sees it, the oldest first, as `BotApi.messages` has it. `after`: only messages with a
        larger number; `since`: only those of the bot that came or changed after that count of `changes`."""
        changed = self._witness.messages
        return [
            one
            for one in self._api.messages(chat)
            if one["id"] > after and (not since or changed.get((chat, one["id"]), 0) > since)
        ]

    async def changes(self, since: int = 0, wait: float = 0.0) -> dict[str, Any]:
        """What the bot did (showed, edited, deleted, answered a press): `{"count", "chats"}`, the chats touched after
        the count `since`. Where there are none it waits up to `wait` seconds, no longer than 30."""
        ends = time.monotonic() + min(wait, _LONGEST)
        while self._witness.count <= since and (left := ends - time.monotonic()) > 0 and not self._stop.is_set():
            await self._witness.wait(left)
        return {"count": self._witness.count, "chats": list(self._witness.since(since))}

    async def pending(self) -> int:
        """How many updates the bot has not confirmed."""
        return len(self._api.pending)

    async def fail(
        self,
        method: str,
        times: int = 1,
        status: int = 500,
        description: str = "",
        parameters: dict[str, Any] | None = None,
        html: bool = False,
        drop: bool = False,
        after: bool = False,
        chat: int | None = None,
    ) -> None:
        self._api.fail(method, times, status, description, parameters, html=html, drop=drop, after=after, chat=chat)

    async def delay(self, method: str, seconds: float, times: int = 1) -> None:
        self._api.delay(method, seconds, times)

    async def clear(self) -> None:
        """No fault on order any more."""
        self._api.faults.clear()

    async def limits(
        self, on: bool = True, overall: int = 30, chat: float = 1.0, burst: int = 10, penalty: int = 1
    ) -> None:
        self._refused = await self.refused()
        self._api.limit(Limits(overall, chat, burst, penalty) if on else None)

    async def refused(self) -> int:
        """How many calls were answered with 429 by the limits."""
        return self._refused + (self._api.throttle.refused if self._api.throttle else 0)

    async def pass_time(self, seconds: float) -> None:
        """Telegram's calendar moves on: dates of messages, the age of updates and of presses."""
        self._clock.ahead += seconds

    async def stop(self) -> None:
        self._stop.set()


def _bytes_of(file: dict[str, str]) -> bytes:
    return base64.b64decode(file["data"]) if "data" in file else Path(file["path"]).read_bytes()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--files", type=Path, required=True, help="where files of the chats lie")
    args = parser.parse_args()
    stop, clock = asyncio.Event(), Clock()
    with Journal(args.journal) as journal:
        witness = Witness(journal)
        api = BotApi(args.files, limits=Limits(), clock=clock, witness=witness)
        server = await serve(api.app)
        control = await serve_control(Control(api, witness, stop, clock).handle)
        announce(port=server.port, control=port_of(control))
        await until_told_to_end(stop)
        control.close()
        await server.close()
        await journal.settle()


if __name__ == "__main__":
    asyncio.run(main())
