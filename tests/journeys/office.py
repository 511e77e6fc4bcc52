"""A company for a test: our Bot API server, aiosmtpd with AUTH and STARTTLS, Dovecot, slapd, and the config file that
points imbot at them. imbot itself is started by whoever needs it, in this process or as one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from imbot.app import App, build
from imbot.config import load
from imbot.demo.botapi import BotApi, RunningServer, serve
from imbot.demo.cast import ITSM_ADDRESS
from imbot.demo.itsm_letters import Answer, write_answer
from imbot.loops.pulse import Clock
from tests.servers import Certificates, Dovecot, Slapd
from tests.smtp_server import Received, SmtpServer

ANNA, EVE, TOM = 1001, 666, 1002
ANNA_MAIL, EVE_MAIL, TOM_MAIL = "anna.ivanova@example.test", "eve@example.test", "tom@example.test"
MX = "mx.example.test"
PATIENCE = 90.0  # seconds; ends a test that hangs, decides nothing
MOSCOW = ZoneInfo("Europe/Moscow")

CONFIG = """
[general]
language = "ru"
data_dir = {data}
support_contact = "00-11"
admins = ["tom@example.test"]
log_level = "warning"
{general}
[general.night]
from = "00:00"
to = "00:00"
[telegram]
token = {token}
api_base = {telegram}
poll_timeout = 2
[directory]
kind = "ldap"
[directory.ldap]
uris = [{ldap}]
ca_file = {ca}
bind_dn = {bind_dn}
bind_password = {bind_password}
base = {base}
[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "starttls"
username = "bot"
password = "secret-of-smtp"
ca_file = {ca}
timeout = 20
[mailbox]
kind = "{mailbox_kind}"
host = "127.0.0.1"
port = {mailbox_port}
tls = "tls"
username = {bot}
password = "secret"
ca_file = {ca}
start = "all"
poll_seconds = 5
[itsm]
address = "{itsm}"
profile = "inframanager"
senders = ["{itsm}"]
bot_address = {bot}
{itsm_extra}
[itsm.evidence]
kind = "auth-results"
authserv_id = "{mx}"
own_hosts = [{hosts}]
"""


@dataclass
class Office:
    """`letters` are what the mail server took, oldest first. `bot` is the address of the watched mailbox."""

    folder: Path
    api: BotApi
    telegram: RunningServer
    smtp: SmtpServer
    dovecot: Dovecot
    slapd: Slapd
    certificates: Certificates
    bot: str
    number: int = 1042
    app: App | None = None
    seen: dict[int, int] = field(default_factory=dict)

    def write_config(self, *, mailbox_kind: str = "imap", general: str = "", itsm: str = "", extra: str = "") -> Path:
        port = self.dovecot.ports["IMAPS" if mailbox_kind == "imap" else "POP3S"]
        text = CONFIG.format(
            data=json.dumps(str(self.folder / "var")),
            token=json.dumps(self.api.token),
            telegram=json.dumps(self.telegram.url),
            ldap=json.dumps(self.slapd.secure_uri),
            ca=json.dumps(str(self.certificates.ca)),
            bind_dn=json.dumps(self.slapd.bind_dn),
            bind_password=json.dumps(self.slapd.bind_password),
            base=json.dumps(self.slapd.base),
            smtp=self.smtp.port,
            mailbox_kind=mailbox_kind,
            mailbox_port=port,
            bot=json.dumps(self.bot),
            itsm=ITSM_ADDRESS,
            mx=MX,
            hosts=json.dumps(socket.gethostname()) + ', "127.0.0.1"',
            general=general,
            itsm_extra=itsm,
        )
        path = self.folder / "config.toml"
        path.write_text(text + extra, "utf-8")
        path.chmod(0o600)  # it bears passwords
        return path

    @contextlib.asynccontextmanager
    async def running(self, clock: Clock | None = None, **changes: str) -> AsyncIterator[App]:
        """imbot in this process, from its config file, until the block ends. `clock`: another one than the machine's."""
        settings = load(self.write_config(**changes), {})
        self.app = await (build(settings, clock) if clock else build(settings))
        stop = asyncio.Event()
        task = asyncio.create_task(self.app.run(stop))
        try:
            yield self.app
        finally:
            stop.set()
            await task

    # --- what a person does

    async def until(self, what: Callable[[], Any], hint: str = "") -> Any:
        """Wait for `what` to be true and return it; fails with the chats in full after PATIENCE."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := what()):  # noqa: ASYNC110 - three servers and a process: no event spans them
                    await asyncio.sleep(0.02)
                return found
        except TimeoutError:
            raise AssertionError(f"never happened: {hint or what}\n{self.transcript()}") from None

    def transcript(self) -> str:
        lines = []
        for chat in self.api.state.chats:
            for message in self.api.messages(chat):
                labels = [[one["label"] for one in row] for row in message.get("buttons") or []]
                lines.append(f"{chat} {message['from']} #{message['id']}: {message.get('text')!r} {labels or ''}")
        lines += [f"letter to {one.recipients}: {subject_of(one.data)}" for one in self.smtp.letters]
        return "\n".join(lines)

    def bot_messages(self, chat: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.api.messages(chat)
        return [one for one in messages if one["from"] == "bot"]

    async def said(self, chat: int, *words: str) -> dict[str, Any]:
        """The newest message of the bot that bears all `words` (as it stands now, edits included)."""

        def found() -> dict[str, Any] | None:
            bearing = [one for one in self.bot_messages(chat) if all(word in (one.get("text") or "") for word in words)]
            return bearing[-1] if bearing else None

        message: dict[str, Any] = await self.until(found, f"the bot says {words} to {chat}")
        return message

    async def button(self, chat: int, label: str, *words: str) -> tuple[int, str]:
        """Message id and value of the newest button whose label bears `label`, in a message that bears `words`."""

        def found() -> tuple[int, str] | None:
            for message in reversed(self.bot_messages(chat)):
                if not all(word in (message.get("text") or "") for word in words):
                    continue
                for row in message.get("buttons") or []:
                    for one in row:
                        if label in one["label"]:
                            return message["id"], one["value"]
            return None

        pair: tuple[int, str] = await self.until(found, f"a button {label!r} for {chat}")
        return pair

    async def press(self, chat: int, label: str, *words: str) -> None:
        message, value = await self.button(chat, label, *words)
        self.api.press(chat, message, value)

    # --- mail

    async def letter_to(self, address: str, *words: str, skip: int = 0) -> Message:
        """The letter number `skip` (from 0) to `address` whose subject bears `words`."""

        def found() -> Message | None:
            hits = [one for one in self.smtp.letters if address in one.recipients and _bears(one, words)]
            return message_from_bytes(hits[skip].data) if len(hits) > skip else None

        message: Message = await self.until(found, f"a letter to {address} with {words}")
        return message

    def letters_to(self, address: str) -> list[Received]:
        return [one for one in self.smtp.letters if address in one.recipients]

    async def itsm_says(
        self, action: str, request: Message, words: str = "", *, number: str = "", evidence: bool = True
    ) -> str:
        """The ITSM writes about the request; returns the Message-ID of its letter."""
        number = number or f"IM-CL-{self.number}"
        message_id = f"<{secrets.token_hex(8)}@itsm.demo.local>"
        thread = () if action == "register" else (str(request["Message-ID"]),)
        echo = body_of(request) if action == "register" else ""
        answer = Answer(action, number, self.bot, message_id, datetime.now(MOSCOW), words, echo, thread)
        raw = write_answer(answer)
        if evidence:
            raw = f"Authentication-Results: {MX}; dmarc=pass header.from=demo.local\r\n".encode() + raw
        await asyncio.to_thread(self.dovecot.deliver, self.bot, raw)
        return message_id

    async def sign_in(self, chat: int, address: str) -> None:
        """The whole way: /start, address, code from the letter."""
        before = len(self.letters_to(address))
        self.api.say(chat, "/start")
        await self.said(chat, "адрес")
        self.api.say(chat, address)
        letter = await self.letter_to(address, skip=before)
        self.api.say(chat, code_of(letter))
        await self.until(lambda: self.linked(chat), f"{chat} is linked")
        await self.until(lambda: not self.bears(chat, "Другой адрес"), "no screen of the sign-in bears buttons")

    def linked(self, chat: int) -> bool:
        return any("Новая заявка" in label for label in self.labels(chat))

    def bears(self, chat: int, label: str) -> bool:
        """Whether any message of the chat still offers this button."""
        rows = [row for message in self.bot_messages(chat) for row in message.get("buttons") or []]
        return any(label in one["label"] for row in rows for one in row)

    def labels(self, chat: int) -> list[str]:
        return [
            one["label"]
            for message in self.bot_messages(chat)[-2:]
            for row in message.get("buttons") or []
            for one in row
        ]


def _bears(letter: Received, words: tuple[str, ...]) -> bool:
    subject = subject_of(letter.data)
    return all(word in subject for word in words)


def subject_of(data: bytes) -> str:
    return str(make_header(decode_header(str(message_from_bytes(data)["Subject"]))))


def body_of(message: Message) -> str:
    """The text part, decoded by the standard library alone."""
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload.decode(part.get_content_charset() or "utf-8").replace("\r\n", "\n")
    raise AssertionError("no text in the letter")


def files_of(message: Message) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in message.walk():
        name = part.get_filename()
        if name:
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found[str(make_header(decode_header(name)))] = payload
    return found


def code_of(letter: Message) -> str:
    found = re.search(r"\b([A-Z2-7]{4})[ -]?([A-Z2-7]{4})\b", body_of(letter))
    assert found, body_of(letter)
    return found.group(1) + found.group(2)


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc0f01f0005050102a0b8c7c90000000049454e44ae426082"
)


@contextlib.asynccontextmanager
async def open_office(
    folder: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates
) -> AsyncIterator[Office]:
    api = BotApi(folder / "botapi")
    for chat, name in ((ANNA, "Анна"), (EVE, "Ева"), (TOM, "Том")):
        api.add_user(chat, name)
    telegram = await serve(api.app, on_close=api.stop)
    smtp = SmtpServer(certificates, tls="starttls", username="bot", password="secret-of-smtp")
    bot = f"bot-{os.getpid()}-{secrets.token_hex(4)}@example.test"
    try:
        async with smtp:
            yield Office(folder, api, telegram, smtp, dovecot, slapd, certificates, bot)
    finally:
        await telegram.close()
