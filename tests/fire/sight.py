"""The chats as the persons in them see them, kept up to date from the Bot API's journal as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.fire import texts
from tests.fire.journal import Tail

T = TypeVar("T")
_GLANCE = 0.05  # seconds between looks into the journal


@dataclass(frozen=True, slots=True)
class Button:
    message: int
    label: str
    value: str


@dataclass(slots=True)
class Seen:
    """A message of the bot as it stands. `version`: the count of the chat's changes when it last changed; `born`: when it
    first stood there."""

    message: int
    text: str
    buttons: list[Button]
    version: int
    born: int
    files: list[dict[str, Any]] = field(default_factory=list)
    is_notice: bool = False
    is_dialog: bool = False

    def __post_init__(self) -> None:
        """A screen of the dialog is neither a notice nor a receipt, nor what goes to admins, nor a file of support."""
        self.is_notice = texts.is_notice(self.text)
        other = self.is_notice or texts.is_receipt(self.text) or texts.is_alert(self.text)
        self.is_dialog = not other and not self.files

    def button(self, label: str) -> Button | None:
        """The first button whose label bears `label`; an exact one before others."""
        exact = next((one for one in self.buttons if one.label == label), None)
        return exact or next((one for one in self.buttons if label in one.label), None)


@dataclass(slots=True)
class ChatSight:
    """One chat. `version` grows with each change of it."""

    messages: dict[int, Seen] = field(default_factory=dict)
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _screens: dict[int, Seen] = field(default_factory=dict)  # of the dialog, what changed last stands last
    _receipts: dict[str, int] = field(
        default_factory=dict
    )  # by marker: the message, for there are hundreds after an hour

    def newest_first(self) -> Iterator[Seen]:
        """As a person scrolls up: by place in the chat, not by when it was changed."""
        return reversed(self.messages.values())

    def find(self, *words: str, holds: Callable[[Seen], bool] = lambda seen: True) -> Seen | None:
        """The newest message that bears all `words`."""
        return next((one for one in self.newest_first() if all(w in one.text for w in words) and holds(one)), None)

    def screen(self) -> Seen | None:
        """The dialog's screen: what changed last among the messages that are neither notices nor receipts."""
        return next(reversed(self._screens.values()), None)

    def receipt(self, marker: str) -> Seen | None:
        """The newest of this request."""
        seen = self.messages.get(self._receipts.get(marker, 0))
        return seen if seen is not None and marker in seen.text else None

    def take(self, event: dict[str, Any]) -> None:
        self.version += 1
        number = int(event["message"])
        old = self.messages.get(number)
        buttons = [
            Button(number, str(one["label"]), str(one.get("value") or ""))
            for row in event.get("buttons") or ()
            for one in row
        ]
        files, text = list(event.get("files") or ()), str(event.get("text") or "")
        if old is not None and is_retired(old.text, bool(old.buttons), text, bool(buttons)):
            old.buttons = []
        else:
            born = old.born if old else self.version
            seen = self.messages[number] = Seen(number, text, buttons, self.version, born, files)
            self._screens.pop(number, None)
            if seen.is_dialog:
                self._screens[number] = seen
            if texts.is_receipt(text):
                self._receipts |= {marker: max(number, self._receipts.get(marker, 0)) for marker in texts.markers(text)}
        done, self.changed = self.changed, asyncio.Event()
        done.set()


def is_retired(old_text: str, old_buttons: bool, text: str, buttons: bool) -> bool:
    """Whether an older screen has only lost its buttons: nothing was said by that."""
    return old_buttons and not buttons and old_text == text


class Sight:
    """All chats. `run` keeps them up to date until it is cancelled."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self._chats: dict[int, ChatSight] = {}

    def chat(self, chat: int) -> ChatSight:
        return self._chats.setdefault(chat, ChatSight())

    def look(self) -> None:
        for event in self._tail.new():
            if event["e"] == "saw":
                self.chat(int(event["chat"])).take(event)

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_GLANCE)


async def wait_for(chat: ChatSight, what: Callable[[], T | None], patience: float) -> T | None:
    """What `what` finds in the chat, looked for at each change; None after `patience` seconds. Others get their turn even where
    it is there at once: a person who waits for the wrong thing must not stop the whole rig."""
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(patience):
            while (found := what()) is None:
                await chat.changed.wait()
    except TimeoutError:
        return what()
    return found
