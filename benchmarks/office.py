"""The input of the mail journeys: a Dovecot with a backlog in its mailbox, and a data base with a ticket for each letter."""

from __future__ import annotations

import base64
import imaplib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.services.env import Env
from imbot.store import letters, people, tickets, told
from imbot.store.db import once
from imbot.store.letters import LetterRow
from imbot.store.migrate import migrate
from tests.servers import Dovecot, make_certificates, open_folder
from tests.services.conftest import MOSCOW, make_env

BOT = "bot@example.test"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_PERSONS = 1000


def status_letter(number: int, hour: datetime = NOW - timedelta(hours=1)) -> bytes:
    """ "Done", as InfraManager's letters are (tests/mails/inframanager): about 2 KB, believed, each with its own number, and
    sent within `hour`."""
    sent_at = format_datetime((hour + timedelta(minutes=number % 60)).astimezone(MOSCOW))
    subject = Header(f"Заявка № IM-CL-{number} выполнена", "utf-8", maxlinelen=70).encode()
    sender = Header("Служба поддержки", "utf-8").encode()
    text = (
        f"Заявка № IM-CL-{number} выполнена.\nРешение:\n23.11.2026 - Заменён картридж, печать проверена на двух"
        " рабочих местах.\nОтчёт по лотку приложен. Если неисправность повторится, ответьте на это письмо.\n\n"
        "С уважением,\nслужба поддержки\n"
    )
    body = base64.encodebytes(text.replace("\n", "\r\n").encode()).decode().replace("\n", "\r\n")
    head = (
        "Return-Path: <itsm@demo.local>\n"
        "Authentication-Results: mx.demo.local; dkim=pass header.d=demo.local; dmarc=pass header.from=demo.local\n"
        "Received: from itsm.demo.local (itsm.demo.local [192.0.2.7])\n\tby mx.demo.local (Postfix) with ESMTPS"
        f" id 4F{number:08X}\n\tfor <{BOT}>; {sent_at} (MSK)\n"
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=demo.local; s=mail;\n\t"
        "h=From:To:Subject:Date:Message-ID; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\t"
        f"b={'Vx9k' * 40}\n"
        f"From: {sender} <itsm@demo.local>\nTo: {BOT}\nSubject: {subject}\n"
        f"Date: {sent_at}\nMessage-ID: <done-{number}@itsm.demo.local>\n"
        "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: base64\n\n"
    )
    return head.replace("\n", "\r\n").encode() + body.encode()


@contextmanager
def mailbox(raws: Sequence[bytes]) -> Iterator[dict[str, object]]:
    """A Dovecot with these letters in the mailbox of `BOT`, in this order, its index warm."""
    with open_folder("imbot-bench-") as folder:
        dovecot = Dovecot(folder, make_certificates(folder)).start()
        try:
            _fill(folder / "mail" / BOT, raws)
            _warm(dovecot, len(raws))
            yield {"port": dovecot.ports["IMAP"], "password": dovecot.password, "count": len(raws)}
        finally:
            dovecot.stop()


def _fill(maildir: Path, raws: Sequence[bytes]) -> None:
    for name in ("new", "cur", "tmp"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(raws):
        file = maildir / "cur" / f"{1_700_000_000 + number}.{number:06}.bench,S={len(raw)}:2,"
        file.write_bytes(raw)
    if os.geteuid() == 0:
        for path in (maildir, *maildir.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")


def _warm(dovecot: Dovecot, count: int) -> None:
    client = imaplib.IMAP4("127.0.0.1", dovecot.ports["IMAP"])
    client.login(BOT, dovecot.password)
    exists = int((client.select("INBOX")[1][0] or b"0").decode())
    assert exists == count, f"{exists} letters of {count} in the mailbox"
    client.uid("FETCH", "1:*", "(RFC822.SIZE)")
    client.logout()


def prepared_tickets(url: str, count: int) -> None:
    """A data base with `count` registered tickets, IM-CL-1 and on, of a thousand persons."""
    migrate(url)
    once(url, _add_tickets, count)


def _add_tickets(c: Connection, count: int) -> None:
    backend = env().default_backend
    persons = {}
    for number in range(min(count, _PERSONS)):
        chat = Chat("telegram", str(10_000 + number))
        people.see_chat(c, chat, "ru", NOW)
        persons[number] = people.link_chat(c, chat, Entry(f"p{number}@demo.local", f"Сотрудник {number}"), NOW)
    for number in range(1, count + 1):
        owner = number % len(persons)
        token = "imb:" + base64.b32encode(number.to_bytes(6, "big")).decode()[:10]
        ticket = Ticket(
            id=f"t{number}",
            person_id=persons[owner].id,
            chat_key=f"telegram:{10_000 + owner}",
            title="Принтер мигает красным",
            backend=backend,
            token=token,
            message_id=f"<{number}@bot.demo.local>",
            created_at=NOW,
            handover=Handover.ACCEPTED,
            accepted_at=NOW,
            status=Status.REGISTERED,
            registered_at=NOW,
            number=f"IM-CL-{number}",
        )
        tickets.add(c, ticket)
        tickets.add_number(c, backend, ticket.number, ticket.id, NOW)
        letter = {
            "subject": f"Принтер мигает красным [{token}]",
            "text": f"Описание:\nПринтер мигает красным\n\n{token}",
        }
        letters.save_letter(c, LetterRow(ticket.message_id, ticket.id, "ticket", letter, NOW))
    told.note_all(c)


@cache
def env() -> Env:
    """A company with InfraManager, believed by Authentication-Results of mx.demo.local. Read once, before a clock runs."""
    return make_env()
