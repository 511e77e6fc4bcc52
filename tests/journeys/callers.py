"""Many persons in one running office, for tests that need a person of their own but no office of their own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from imbot.app import App
from imbot.demo.cast import ITSM_ADDRESS
from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.store import people
from tests.journeys.office import Office, body_of, open_office
from tests.servers import Certificates, Dovecot, Slapd


@dataclass
class Counter:
    """A running office to which one caller comes after another."""

    office: Office
    app: App
    newest: int = field(default=5000)

    def stranger(self, first_name: str = "Анна") -> Caller:
        """Somebody who is not signed in."""
        self.newest += 1
        self.office.api.add_user(self.newest, first_name)
        return Caller(self.office, self.newest)

    async def anna(self, name: str = "Иванова Анна Сергеевна", first_name: str = "Анна") -> Caller:
        """Somebody who is signed in and has said nothing yet."""
        caller = self.stranger(first_name)
        entry = Entry(caller.address, name, "12-34", "Офис 2", "Бухгалтерия")
        await self.app.db.run(people.link_chat, Chat("telegram", str(caller.chat)), entry, datetime.now(UTC))
        return caller


@dataclass(frozen=True)
class Caller:
    office: Office
    chat: int

    @property
    def address(self) -> str:
        return f"anna.{self.chat}@example.test"

    def say(self, text: str) -> int:
        return self.office.api.say(self.chat, text)

    def attach(self, *files: tuple[str, str, bytes], caption: str = "", album: bool = False) -> list[int]:
        return self.office.api.attach(self.chat, files, caption=caption, album=album)

    async def said(self, *words: str) -> str:
        """The newest message of the bot that bears all `words`, whole."""
        return str((await self.office.said(self.chat, *words))["text"])

    async def press(self, label: str, *words: str) -> tuple[int, str]:
        """Press the newest such button; returns where it stood, to be pressed again."""
        message, value = await self.office.button(self.chat, label, *words)
        self.office.api.press(self.chat, message, value)
        return message, value

    async def until(self, what: Callable[[], Any], hint: str) -> Any:
        return await self.office.until(what, hint)

    async def asked_to_describe(self) -> None:
        """A new request, up to the question for words."""
        self.say("/newticket")
        await self.press("Оборудование", "О чём заявка?")
        await self.press("ринтер")
        await self.said("Что случилось?")

    async def letter(self, skip: int = 0) -> Message:
        """The letter number `skip` (from 0) to the ITSM that is about this caller."""

        def found() -> Message | None:
            hits = self.own_letters()
            return hits[skip] if len(hits) > skip else None

        letter: Message = await self.office.until(found, f"letter {skip} of {self.address}")
        return letter

    async def receipt(self, *words: str) -> str:
        """The receipt, once the request has been handed over."""
        return await self.said("Поддержка её ещё не подтвердила", *words)

    def letters(self) -> list[Message]:
        """All that the ITSM got, whoever asked."""
        return [message_from_bytes(one.data) for one in self.office.letters_to(ITSM_ADDRESS)]

    def own_letters(self) -> list[Message]:
        return [one for one in self.letters() if self.address in body_of(one)]

    def bot_messages(self) -> list[dict[str, Any]]:
        return self.office.bot_messages(self.chat)


@contextlib.asynccontextmanager
async def open_counter(
    folder: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates, **changes: Any
) -> AsyncIterator[Counter]:
    async with open_office(folder, dovecot, slapd, certificates) as office, office.running(**changes) as app:
        yield Counter(office, app)
