"""What our Bot API server remembers: chats with their messages, files on disk, updates until they are confirmed, presses
that wait for an answer. Plain data and small verbs; knows neither HTTP nor the methods of the API."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import itertools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

UPDATES_KEPT = 24 * 3600  # seconds
_COMMAND = re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]+)?")


def utf16_length(text: str) -> int:
    """The length in UTF-16 code units: the unit in which the Bot API counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def command_entities(text: str) -> list[dict[str, Any]]:
    """The bot_command entities that a Telegram client marks in what a person types."""
    return [
        {"type": "bot_command", "offset": utf16_length(text[: found.start()]), "length": len(found.group())}
        for found in _COMMAND.finditer(text)
    ]


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header of a PNG or JPEG; a modest guess for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return max(1, width), max(1, height)
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return max(1, width), max(1, height)
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return 320, 240


class Witness(Protocol):
    """Is told what happens, at the moment it does. Events and their facts: `sent` (by a person: chat, kind, update, message,
    text, value, on, files), `saw` (a message of the bot as it now stands: chat, message, text, buttons, edit, silent, files,
    reply_to), `answered` (a press: chat, message, text), `deleted` (by the bot: chat, message), `polled` (offset), `poll`
    (its answer: offset, given, gone: nobody waits for it any more), `refused` (method, chat, status, why, retry_after,
    ordered: by a fault on order), `blocked` and `unblocked` (chat), `expired` (updates)."""

    def hear(self, event: str, facts: dict[str, Any]) -> None: ...

    async def settle(self) -> None:
        """What was heard is safe. Awaited before the answer to a call goes out."""


class Signal:
    """A counter of changes that can be waited on, by many at once. `echo` hears of each of them as well."""

    def __init__(self, echo: Signal | None = None) -> None:
        self.count = 0
        self._echo = echo
        self._event = asyncio.Event()

    def touch(self) -> None:
        self.count += 1
        event, self._event = self._event, asyncio.Event()
        event.set()
        if self._echo is not None:
            self._echo.touch()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - it is the caller's long poll
        """Return at the next change, or after `timeout` seconds."""
        event = self._event
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return


@dataclass(slots=True)
class StoredFile:
    """`file_path` is what getFile tells; `path` is where the bytes lie. `lost`: Telegram has it no more."""

    file_id: str
    unique_id: str
    name: str
    content_type: str
    size: int
    kind: str
    path: Path
    file_path: str
    sha256: str
    lost: bool = False


class FileStore:
    """Files sent by either side, kept in a folder under names of our own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(1)
        self.by_id: dict[str, StoredFile] = {}
        self.by_path: dict[str, StoredFile] = {}

    def put(self, name: str, content_type: str, data: bytes, kind: str) -> StoredFile:
        number = next(self._numbers)
        suffix = Path(name).suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", Path(name).suffix) else ""
        path = self._folder / f"{number}{suffix}"
        path.write_bytes(data)
        kept = StoredFile(
            file_id=f"BQACAgIAAxkBAAI{number:06d}{kind}",
            unique_id="AQAD" + hashlib.sha256(kind.encode() + data).hexdigest()[:12],
            name=name,
            content_type=content_type,
            size=len(data),
            kind=kind,
            path=path,
            file_path=f"{kind}s/file_{number}{suffix}",
            sha256=hashlib.sha256(data).hexdigest(),
        )
        self.by_id[kept.file_id] = self.by_path[kept.file_path] = kept
        return kept


@dataclass(slots=True)
class Kept:
    """One message. `wire` is its Bot API JSON as it reads now; `offered`: every button value it ever bore;
    `answers`: what the bot said to presses on it."""

    wire: dict[str, Any]
    from_bot: bool
    silent: bool = False
    offered: set[str] = field(default_factory=set)
    answers: list[dict[str, Any]] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)


@dataclass(slots=True)
class ChatState:
    """`chat` and `user` are wire JSON. `moved_to`: a group that became a supergroup."""

    chat: dict[str, Any]
    user: dict[str, Any]
    messages: dict[int, Kept] = field(default_factory=dict)
    blocked: bool = False
    moved_to: int | None = None


@dataclass(slots=True)
class Press:
    """A callback query that the bot may still answer."""

    chat_id: int
    message_id: int
    at: float


class BotState:
    """Everything of one bot. `clock` gives Unix seconds."""

    def __init__(
        self, token: str, folder: Path, username: str, clock: Callable[[], float], witness: Witness | None = None
    ) -> None:
        self.token = token
        self.me: dict[str, Any] = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "imbot",
            "username": username,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self.clock = clock
        self.witness = witness
        self.files = FileStore(folder)
        self.chats: dict[int, ChatState] = {}
        self.updates: list[dict[str, Any]] = []
        self.allowed: frozenset[str] | None = None
        self.presses: dict[str, Press] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.descriptions: dict[tuple[str, str], str] = {}
        self.webhook = ""
        self.poller = 0
        self.stopping = False
        self.anything = Signal()
        self.changes = Signal(echo=self.anything)
        self.news = Signal()
        self._came: dict[int, float] = {}
        self._message_ids = itertools.count(1)
        self._update_ids = itertools.count(100_001)
        self._press_ids = itertools.count(4_000_000_001)

    def hear(self, event: str, **facts: Any) -> None:
        if self.witness is not None:
            self.witness.hear(event, facts)

    def push(self, kind: str, body: dict[str, Any]) -> int:
        """Queue an update and return its number; 0 where the bot said that it does not want this kind."""
        number = 0
        if self.allowed is None or kind in self.allowed:
            number = next(self._update_ids)
            self._came[number] = self.clock()
            self.updates.append({"update_id": number, kind: copy.deepcopy(body)})
            self.news.touch()
        self.changes.touch()
        return number

    def expire(self) -> None:
        """Updates that nobody confirmed within a day are gone."""
        since = self.clock() - UPDATES_KEPT
        old = [one["update_id"] for one in self.updates if self._came[one["update_id"]] < since]
        if old:
            self.updates[:] = [one for one in self.updates if one["update_id"] not in old]
            self.hear("expired", updates=old)

    def confirm(self, offset: int) -> None:
        """Drop the updates below `offset`; a negative one keeps only the last so many."""
        if offset < 0:
            del self.updates[:offset]
        else:
            self.updates[:] = [one for one in self.updates if one["update_id"] >= offset]
        if len(self._came) > 2 * len(self.updates) + 1000:
            self._came = {one["update_id"]: self._came[one["update_id"]] for one in self.updates}

    def add_message(self, chat_id: int, content: dict[str, Any], *, from_bot: bool, silent: bool = False) -> Kept:
        """Put a message into the chat (no update yet). `content`: its text, photo, reply_markup and the like."""
        chat = self.chats[chat_id]
        message_id = next(self._message_ids)
        wire = {
            "message_id": message_id,
            "from": self.me if from_bot else chat.user,
            "chat": chat.chat,
            "date": int(self.clock()),
            **content,
        }
        kept = Kept(wire=wire, from_bot=from_bot, silent=silent)
        kept.offered |= button_values(wire)
        chat.messages[message_id] = kept
        self.changes.touch()
        return kept

    def add_press(self, chat_id: int, message_id: int) -> str:
        press_id = str(next(self._press_ids))
        self.presses[press_id] = Press(chat_id, message_id, self.clock())
        return press_id


def button_values(wire: dict[str, Any]) -> set[str]:
    """The callback values of the message's inline keyboard as it stands."""
    rows = wire.get("reply_markup", {}).get("inline_keyboard", [])
    return {button["callback_data"] for row in rows for button in row if "callback_data" in button}
