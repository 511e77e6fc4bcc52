"""What each kind of parcel needs of the world: one async function a kind. Reads, sends, settles; retries are not here."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, assert_never

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.base import LetterKind
from imbot.dialog.render import Rendered, render
from imbot.dialog.screen import Screen, screen_from_json
from imbot.dialog.tickets import receipt_screen
from imbot.domain.chats import Chat
from imbot.domain.errors import DeliveryError, DirectoryUnavailable
from imbot.domain.letters import Letter, mint_note_id
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.people import Absence, Entry
from imbot.failpoints import hit
from imbot.loops.pulse import Clock
from imbot.loops.settling import Together, noted
from imbot.mime import letter_to_bytes
from imbot.mime.content import refusal
from imbot.services import breaker, checks, composing, delivery, sending, signin, telling, watchdog
from imbot.services import letters as ticket_letters
from imbot.services.env import Env, Fresh
from imbot.store import files, inbox, outbox, people
from imbot.store.db import Db
from imbot.templates import Templates

_SHORT = 16 * 1024  # characters that a letter without files may have to be built in the loop: well below a millisecond
_HEAVY = 2  # other letters in memory at once, each as large as the mail server takes
_UPLOADS = 8  # files on their way to a channel at once: they must leave its hands to what people wait for

P = ParamSpec("P")
T = TypeVar("T")
LookAround = Callable[[bool], Awaitable[Sequence[Mapping[str, Any]]]]  # how each leg is; True: after trying them


class MailServer(Protocol):
    async def send(self, envelope_sender: str, recipients: list[str], data: bytes) -> str: ...


class Directory(Protocol):
    @property
    def can_recheck(self) -> bool: ...
    async def look_up(self, address: str) -> Entry | Absence: ...


class Fetched(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def content_type(self) -> str: ...


class Channel(Protocol):
    async def show(self, chat_id: str, rendered: Rendered, *, edit: str = "", dialog: bool = True) -> str: ...
    async def download(self, vendor_id: str, sink: Path, limit: int) -> Fetched: ...
    async def send_file(
        self, chat_id: str, path: Path, name: str, caption: str = "", *, silent: bool = False
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """Who our own letters (codes, notices) are from. `files`: where files lie, `reserve`: bytes of the disk to leave free."""

    address: str
    name: str
    files: Path
    reserve: int = 0


class Errands:
    """`run(parcel)` carries one parcel out and settles it, or raises DeliveryError, or Unsettled where it is done and the data
    base did not take the note of it."""

    def __init__(
        self,
        db: Db,
        smtp: MailServer,
        directory: Directory,
        channels: Mapping[str, Channel],
        templates: Templates,
        sender: Sender,
        env: Env,
        clock: Clock,
        look_around: LookAround,
    ) -> None:
        self._look_around = look_around
        self._db, self._smtp, self._directory, self._channels = db, smtp, directory, channels
        self._templates, self._sender, self._env, self._clock = templates, sender, env, clock
        self._domain = sender.address.rpartition("@")[2]
        self._accepted = Together(db, delivery.letter_accepted)
        self._building = asyncio.Lock()
        self._heavy, self._uploads = asyncio.Semaphore(_HEAVY), asyncio.Semaphore(_UPLOADS)

    async def run(self, parcel: Parcel) -> None:
        match parcel.kind:
            case Kind.LOOKUP:
                await self._look_up(parcel)
            case Kind.CODE:
                await self._code(parcel)
            case Kind.RECHECK:
                await self._recheck(parcel)
            case Kind.DOWNLOAD:
                await self._download(parcel)
            case Kind.PACK:
                await self._pack(parcel)
            case Kind.LETTER:
                await self._letter(parcel)
            case Kind.NOTE:
                await self._note(parcel)
            case Kind.NOTICE:
                await self._notice(parcel)
            case Kind.RECEIPT:
                await self._receipt(parcel)
            case Kind.FILE:
                async with self._uploads:
                    await self._file(parcel)
            case Kind.ALERT:
                await self._db.run(breaker.tell, parcel, self._clock(), self._env)
            case Kind.QUESTION:
                await self._question(parcel)
            case Kind.CHECK:
                await self._check(parcel)
            case _:
                assert_never(parcel.kind)

    async def _look_up(self, parcel: Parcel) -> None:
        payload = parcel.payload
        chat = Chat(payload["channel"], payload["chat"])
        try:
            answer = await self._directory.look_up(payload["address"])
        except DirectoryUnavailable as error:
            raise DeliveryError(str(error), kind="down") from error
        fresh = Fresh.mint(self._domain)
        hit("person_looked_up")
        await self._db.run(checks.looked_up, parcel, chat, answer, self._clock(), self._env, fresh)

    async def _recheck(self, parcel: Parcel) -> None:
        person = await self._db.read(people.person, parcel.payload["person"])
        answer: Entry | Absence | None = None
        if person is not None:
            try:
                answer = await self._directory.look_up(person.address)
            except DirectoryUnavailable:
                answer = None  # not absence: grace
        hit("person_rechecked")
        await self._db.run(checks.rechecked, parcel, answer, self._clock(), self._env)

    async def _code(self, parcel: Parcel) -> None:
        payload = parcel.payload
        bot = await self._db.read(inbox.fact, "bot_username")
        link = f"https://t.me/{bot}?start={payload['link']}" if bot else ""
        values = {
            "name": payload["name"],
            "code": payload["code"],
            "link": link,
            "minutes": int(self._env.limits.code_life.total_seconds() // 60),
        }
        letter = self._our_letter("code", payload, values)
        answer = await self._send(letter)
        hit("code_sent")
        await noted(self._db, checks.code_sent, parcel, answer, self._clock(), self._env)

    async def _note(self, parcel: Parcel) -> None:
        payload = parcel.payload
        if telling.for_admins(parcel) and not await self._db.read(telling.may_show, parcel, self._env):
            await self._db.run(delivery.reroute, parcel, self._clock(), self._env)
            return
        values = {"name": "", "account": "", **(payload.get("values") or {})}
        if "screen" in payload:
            screen = screen_from_json(payload["screen"])
            if payload.get("ticket"):  # its reader has no buttons
                screen = replace(screen, values={**screen.values, "by_letter": True})
            rendered = render(screen, self._lang(payload), self._templates, now=self._clock())
            title = sending.title_of(parcel, rendered.text)
            values |= {"words": rendered.text, "title": title, "number": screen.values.get("number", "")}
            values["alerts"] = screen.values.get(
                "alerts", []
            )  # what a subject says of them is no cut piece of the text
        ids, folder = payload.get("files", ()), self._sender.files
        rows = await self._db.read(sending.files_for_letter, ids, self._env.max_letter_bytes, folder)
        if sending.is_told(payload, rows):
            await self._db.run(outbox.settle, parcel, "went with its notice", self._clock())
            return
        values |= {"left_out": rows.left_out, "whole": await self._db.read(sending.whole_letter, payload)}
        letter = self._our_letter(payload["template"], payload, values)
        parts = tuple(sending.attachment(row, folder) for row in rows.attached)
        answer = await self._send(replace(letter, attachments=parts))
        await noted(self._db, sending.files_went, parcel, answer, rows.attached, self._clock())

    async def _pack(self, parcel: Parcel) -> None:
        packing = await self._db.read(ticket_letters.packing, parcel.payload, self._env)
        if packing is None or (packing.kind is LetterKind.FILES and not packing.files):
            await self._db.run(outbox.settle, parcel, "nothing to send", self._clock())
            return
        now, message_id = self._clock(), parcel.payload["message_id"]
        parts = tuple(ticket_letters.attachment(row, self._sender.files) for row in packing.files)
        sending = packing.backend.sending(message_id, now, parts)
        letter = habits.compose(packing.backend.profile, self._templates, packing.kind, packing.view, sending)
        fresh = Fresh.mint(self._domain)
        hit("letter_composed")
        await self._db.run(composing.packed, parcel, packing, letter, now, self._env, fresh)
        hit("letter_packed")

    async def _letter(self, parcel: Parcel) -> None:
        letter = parcel.at_hand
        if not isinstance(letter, Letter):
            letter = await self._db.read(ticket_letters.to_send, parcel.payload["message_id"], self._sender.files)
        if letter is None:
            await self._db.run(outbox.settle, parcel, "erased", self._clock())
            return
        answer = await self._send(letter)
        await self._accepted.noted(parcel, answer, self._clock(), self._env)
        hit("letter_settled")

    async def _send(self, letter: Letter) -> str:
        sender = letter.envelope_sender or letter.sender
        if not letter.attachments and len(letter.text) + len(letter.html) < _SHORT:
            async with self._building:
                data = letter_to_bytes(letter)
                await asyncio.sleep(
                    0
                )  # of many that were claimed together each is built in a turn of the loop of its own
            return await self._smtp.send(sender, [letter.to], data)
        async with self._heavy:
            data = await asyncio.to_thread(letter_to_bytes, letter)
            return await self._smtp.send(sender, [letter.to], data)

    def _our_letter(self, template: str, payload: Mapping[str, Any], values: Mapping[str, Any]) -> Letter:
        """A letter of our own to an employee, after `mail/common/<lang>/<template>`."""
        lang, base = self._lang(payload), f"mail/common/{self._lang(payload)}/{template}"
        common = {
            "bot": self._sender.name,
            "support": self._env.dialog.support_contact,
            "now": self._clock().isoformat(),
        }
        values = {**common, **values}
        html = f"{base}.html.j2"
        return Letter(
            message_id=payload.get("message_id")
            or mint_note_id(self._domain, self._env.key, alert=template == "alert"),
            sender=self._sender.address,
            sender_name=self._sender.name,
            to=payload["to"],
            subject=" ".join(self._templates.render(f"{base}.subject.txt.j2", values, lang).split()),
            text=self._templates.render(f"{base}.txt.j2", values, lang),
            html=self._templates.render(html, values, lang) if self._templates.exists(html) else "",
            date=self._clock(),
            headers=(("Auto-Submitted", "auto-generated"),),
        )

    def _lang(self, payload: Mapping[str, Any]) -> str:
        return payload.get("lang") or self._env.language

    async def _download(self, parcel: Parcel) -> None:
        row = await self._db.read(files.get, parcel.payload["file"])
        if row is None or row.fate != "wanted":
            await self._db.run(outbox.settle, parcel, "not wanted", self._clock())
            return
        if shutil.disk_usage(self._sender.files).free < self._sender.reserve + (row.size or 0):
            raise DeliveryError("the disk has too little room for files", kind="refused", code="disk")
        name = secrets.token_hex(16)
        sink = self._sender.files / name
        settings = self._env.dialog
        channel = self._channels[row.chat_key.partition(":")[0]]
        got = await channel.download(row.vendor_id, sink, settings.max_file_bytes)
        hit("file_down")
        reason = await asyncio.to_thread(refusal, sink, row.name, settings.refused_types)
        if reason:
            sink.unlink(missing_ok=True)
            await self._db.run(delivery.file_refused, parcel, reason, self._clock())
            return
        content_type, fresh = row.content_type or got.content_type, Fresh.mint(self._domain)
        facts = (name, got.size, got.sha256, content_type)
        await noted(self._db, delivery.file_stored, parcel, *facts, self._clock(), self._env, fresh)
        hit("file_stored")

    async def _notice(self, parcel: Parcel) -> None:
        # At hand where one transaction has put and claimed it, which has just looked whose chat it is.
        if isinstance(parcel.at_hand, str):
            may, lang = True, parcel.at_hand
        else:
            may, lang = await self._db.read(_with_language, parcel, self._env, telling.may_show, parcel, self._env)
        if not may:
            await self._db.run(delivery.reroute, parcel, self._clock(), self._env)
            return
        await self._show(parcel, screen_from_json(parcel.payload["screen"]), "", lang)
        hit("notice_settled")

    async def _file(self, parcel: Parcel) -> None:
        """A file that support sent. One that Telegram would not take is not even tried."""
        may, lang = await self._db.read(_with_language, parcel, self._env, telling.may_show, parcel, self._env)
        if not may:
            await self._db.run(delivery.reroute, parcel, self._clock(), self._env)
            return
        found = await self._db.read(sending.file_to_send, parcel)
        if found is None:
            await self._db.run(outbox.settle, parcel, "not wanted", self._clock())
            return
        row, below = found
        if row.size > sending.UPLOAD_LIMIT:
            raise DeliveryError("the file is too big for the chat", permanent=True, kind="refused", code="413")
        chat_key = parcel.chat_key
        channel, _, chat_id = chat_key.partition(":")
        caption, path = self._words(below, lang).text, self._sender.files / row.path
        message_id = await self._channels[channel].send_file(chat_id, path, row.name, caption, silent=True)
        hit("file_sent")
        await noted(self._db, sending.file_sent, parcel, message_id, self._clock())

    async def _receipt(self, parcel: Parcel) -> None:
        chat_key = parcel.chat_key
        ticket = parcel.payload["ticket"]
        found, lang = await self._db.read(
            _with_language, parcel, self._env, telling.receipt, ticket, self._env, chat_key
        )
        if found is None:
            await self._db.run(outbox.settle, parcel, "erased", self._clock())
            return
        values, home, receipt_id = found
        screen = replace(receipt_screen(values), silent=True)
        edit = receipt_id if home == chat_key else ""
        await self._show(parcel, screen, edit, lang, dialog=bool(parcel.payload.get("awaited")))

    async def _question(self, parcel: Parcel) -> None:
        found, lang = await self._db.read(_with_language, parcel, self._env, watchdog.showing, parcel, self._env)
        if found is None:
            await self._db.run(outbox.settle, parcel, "nobody to ask", self._clock())
            return
        screen, edit = found
        message_id = await self._bring(parcel, screen, edit, lang)
        await noted(self._db, watchdog.shown, parcel, message_id, screen.values["state"], self._clock())

    async def _check(self, parcel: Parcel) -> None:
        if parcel.payload["check"]:
            await self._db.run(outbox.hurry, ("smtp", "directory"), self._clock())
        legs = await self._look_around(parcel.payload["check"])
        await self._db.run(telling.put_legs, parcel, legs, self._clock(), self._env)

    async def _show(self, parcel: Parcel, screen: Screen, edit: str, lang: str, *, dialog: bool = False) -> None:
        message_id = await self._bring(parcel, screen, edit, lang, dialog=dialog)
        chat_key = parcel.chat_key
        hit("notice_sent" if parcel.kind is Kind.NOTICE else "receipt_shown")
        await noted(self._db, delivery.message_shown, parcel, chat_key, message_id, self._clock())

    async def _bring(self, parcel: Parcel, screen: Screen, edit: str, lang: str, *, dialog: bool = False) -> str:
        """Shows `screen` in the chat of the parcel's lane; the id of its message."""
        channel, _, chat_id = parcel.chat_key.partition(":")
        rendered = self._words(screen, lang)
        return await self._channels[channel].show(chat_id, rendered, edit=edit, dialog=dialog)

    def _words(self, screen: Screen, lang: str) -> Rendered:
        return render(screen, lang, self._templates, now=self._clock())


def _with_language(
    c: Connection, parcel: Parcel, env: Env, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs
) -> tuple[T, str]:
    """What `fn` reads, and the language of the parcel's chat: one snapshot, one way to the data base and back."""
    return fn(c, *args, **kw), signin.chat_language(c, parcel.chat_key, env)
