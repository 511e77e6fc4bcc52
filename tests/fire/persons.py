"""One employee at their telephone: sees their own chat, presses, types and sends, is patient, and does again what seems to
have had no effect, as people do. Knows nothing but what the chat shows."""

from __future__ import annotations

import asyncio
import base64
import random
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any, Protocol, TypeVar

from tests.fire.journal import Journal
from tests.fire.sight import Button, ChatSight, Seen, wait_for

T = TypeVar("T")


class Telephone(Protocol):
    """The control of the Bot API process."""

    async def call(self, verb: str, **args: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: `step` until something is done again, `whole` until a person gives up; `think`: between two walks, `hand`:
    before each press and word, on the mean (a chat gets one message a second in the long run)."""

    step: float = 8.0
    whole: float = 120.0
    think: float = 1.5
    hand: float = 0.4


class GaveUp(Exception):
    """The person saw no progress in their whole patience; the text says what they were doing."""


class Markers:
    """Unique words, one after another. `begin`: of a later campaign over the same folder."""

    def __init__(self, begin: int = 1) -> None:
        self._numbers = count(begin)

    def mint(self) -> str:
        return f"fire{next(self._numbers):07d}"


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content_type: str
    data: bytes

    def note(self) -> dict[str, Any]:
        return {"name": self.name, "size": len(self.data), "sha256": sha256(self.data).hexdigest()}


@dataclass(slots=True)
class Person:
    """`chat`: the Telegram id. `filed`: markers of their requests, oldest first. `old`: buttons of dialogs that are over."""

    chat: int
    sight: ChatSight
    phone: Telephone
    journal: Journal
    markers: Markers
    random: random.Random
    patience: Patience
    filed: list[str] = field(default_factory=list)
    old: list[Button] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    again: int = 0

    # --- what they do

    async def _lift_a_hand(self) -> None:
        await asyncio.sleep(min(self.random.expovariate(1 / self.patience.hand), 5 * self.patience.hand))

    async def say(self, text: str, reply_to: int | None = None) -> int:
        await self._lift_a_hand()
        return int(await self.phone.call("say", chat=self.chat, text=text, reply_to=reply_to))

    async def press(self, button: Button, *, at_once: bool = False) -> None:
        if not at_once:
            await self._lift_a_hand()
        await self.phone.call("press", chat=self.chat, message=button.message, value=button.value)

    async def invent(self, message: int, value: str) -> None:
        """Press what no button of this message says, by a client of their own making."""
        await self._lift_a_hand()
        self.journal.note("pried", chat=self.chat, value=value)
        await self.phone.call("press", chat=self.chat, message=message, value=value, invented=True)

    async def edit(self, message: int, text: str) -> None:
        await self._lift_a_hand()
        await self.phone.call("edit", chat=self.chat, message=message, text=text)

    async def attach(self, files: list[File], caption: str = "", album: bool = False) -> None:
        await self._lift_a_hand()
        wire = [{"name": f.name, "type": f.content_type, "data": base64.b64encode(f.data).decode()} for f in files]
        await self.phone.call("attach", chat=self.chat, files=wire, caption=caption, album=album)

    # --- what they wait for

    async def until(self, what: Callable[[], T | None], patience: float | None = None) -> T | None:
        return await wait_for(self.sight, what, self.patience.step if patience is None else patience)

    async def do(self, act: Callable[[], Awaitable[Any]], seen: Callable[[], T | None], doing: str) -> T:
        """Act, and wait until `seen` finds something; act again as often as patience lasts. Raises GaveUp."""
        rounds = max(1, int(self.patience.whole / self.patience.step))
        for turn in range(rounds):
            self.again += turn > 0
            await act()
            found = await self.until(seen)
            if found is not None:
                return found
        raise GaveUp(doing)

    async def press_until(self, find: Callable[[], Button | None], seen: Callable[[], T | None], doing: str) -> T:
        """Find the button, press it, and wait; look for it anew each time. Raises GaveUp."""

        async def act() -> None:
            button = await self.until(find)
            if button is not None:
                await self.press(button)

        return await self.do(act, seen, doing)

    async def change(self, version: int) -> None:
        """Wait for the chat to change beyond `version`, as long as a step's patience."""
        await self.until(lambda: True if self.sight.version > version else None)

    def screen(self, *words: str) -> Seen | None:
        """The dialog's screen, if it bears all `words`."""
        screen = self.sight.screen()
        return screen if screen is not None and all(word in screen.text for word in words) else None

    def button(self, label: str, *words: str) -> Button | None:
        """The newest button of this label in a message that bears `words`; where there is none, of one that bears the label."""
        exact = self.sight.find(*words, holds=lambda one: any(each.label == label for each in one.buttons))
        seen = exact or self.sight.find(*words, holds=lambda one: one.button(label) is not None)
        return seen.button(label) if seen else None

    # --- what they note

    def plan(self) -> str:
        """A new marker of theirs."""
        marker = self.markers.mint()
        self.journal.note("planned", chat=self.chat, marker=marker)
        return marker

    def asked(self, what: str, marker: str = "", **fields: Any) -> None:
        self.journal.note("asked", what=what, chat=self.chat, marker=marker, **fields)

    def told_no(self, what: str, marker: str, of: str, seen: Seen) -> None:
        """Instead of doing what was asked, the bot said in message `seen` that it cannot be done."""
        self.journal.note(
            "told_no", what=what, chat=self.chat, marker=marker, of=of, message=seen.message, text=seen.text
        )

    def gave_up(self, doing: str) -> None:
        newest = [[one.message, one.text[:300]] for one, _ in zip(self.sight.newest_first(), range(3), strict=False)]
        self.journal.note("gave_up", chat=self.chat, doing=doing, newest=newest)


def photo(marker: str, number: int, side: int = 1) -> File:
    """A real PNG of `side` times `side` grey pixels that no other photo equals: the marker stands in a comment of it. Noise,
    where it is more than one: that is as large as it looks."""
    words = f"Comment\0{marker}-{number}".encode()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    noise = random.Random(words)
    rows = b"\0\0" if side == 1 else b"".join(b"\0" + noise.randbytes(side) for _ in range(side))
    chunks = ((b"IHDR", head), (b"tEXt", words), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return File(f"photo-{number}.png", "image/png", b"\x89PNG\r\n\x1a\n" + body)


def program(marker: str) -> File:
    """What no helpdesk takes."""
    return File(f"{marker}.exe", "application/octet-stream", b"MZ" + marker.encode())


def document(marker: str, number: int) -> File:
    text = f"{marker} {number}\nпротокол\n" * 20
    return File(f"{marker}-{number}.txt", "text/plain", text.encode())
