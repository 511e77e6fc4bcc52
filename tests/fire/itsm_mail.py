"""The ITSM's letters and the post's reports, written with the standard library alone, as InfraManager's and Postfix's look in
the wild: several charsets, HTML or not, tags that survive in the text, a new thread for a registration."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from html import escape

_SUBJECTS = {
    "register": "Заявка № {n} получена и рассмотрена",
    "start": "Заявка № {n} принята в работу",
    "comment": "Сообщение по заявке № {n}",
    "ask": "По заявке № {n} требуется уточнение",
    "done": "Заявка № {n} выполнена",
    "reject": "Заявка № {n} отклонена",
    "reopen": "Заявка № {n} возвращена в работу",
    "withdrawn": "Заявка № {n} отозвана",
    "close": "Заявка № {n} закрыта",
}
_WORDS = {
    "comment": "Сообщение: {words}",
    "ask": "Вопрос: {words}",
    "done": "Решение:\n{day} - {words}",
    "close": "Решение:\n{day} - {words}",
    "reject": "Причина: {words}",
    "reopen": "Комментарий: {words}",
    "withdrawn": "Комментарий: {words}",
    "start": "Комментарий: {words}",
    "register": "Комментарий: {words}",
}
ACTIONS = tuple(_SUBJECTS)
PROMISE = timedelta(hours=4)
_ECHO = 4000


@dataclass(frozen=True, slots=True)
class Office:
    """Who writes to whom: the ITSM's address, the watched mailbox, and the name under which the company's mail server
    vouches for a sender."""

    itsm: str
    bot: str
    authserv_id: str


@dataclass(frozen=True, slots=True)
class Note:
    """What the ITSM says. `thread`: Message-IDs, oldest first; empty starts a new one. `echo`: text of the request.
    `evidence`: an Authentication-Results field for its head, "" for none. `promise`: what a registration promises."""

    action: str
    number: str
    message_id: str
    at: datetime
    words: str = ""
    thread: Sequence[str] = ()
    echo: str = ""
    evidence: str = ""
    files: Sequence[tuple[str, bytes]] = ()
    promise: timedelta = PROMISE


def vouched(office: Office) -> str:
    """The evidence that a believed letter bears."""
    domain = office.itsm.rpartition("@")[2]
    return f"{office.authserv_id}; dmarc=pass header.from={domain}"


def write(note: Note, office: Office, rng: random.Random) -> bytes:
    """The letter for LMTP. `rng` draws only its looks."""
    lines = _lines(note)
    body = _body(lines, rng)
    letter: MIMEBase = body
    if note.files:
        letter = MIMEMultipart("mixed")
        letter.attach(body)
        for name, data in note.files:
            part = MIMEApplication(data)
            part.add_header("Content-Disposition", "attachment", filename=name)
            letter.attach(part)
    letter["From"] = formataddr(("Служба поддержки", office.itsm), charset="utf-8")
    letter["To"] = office.bot
    subject = _SUBJECTS[note.action].format(n=note.number)
    letter["Subject"] = Header(subject, rng.choice(("windows-1251", "utf-8")), maxlinelen=76).encode()
    letter["Date"] = format_datetime(note.at)
    letter["Message-ID"] = note.message_id
    if note.thread:
        letter["In-Reply-To"] = note.thread[-1]
        letter["References"] = " ".join(note.thread)
    letter["Auto-Submitted"] = "auto-generated"
    head = f"Authentication-Results: {note.evidence}\r\n" if note.evidence else ""
    return head.encode() + _wire(letter)


def _wire(letter: MIMEBase) -> bytes:
    return letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _lines(note: Note) -> list[str]:
    lines = [f"{_SUBJECTS[note.action].format(n=note.number)}."]
    if note.action == "register":
        lines.append(f"Обещанное время решения: {(note.at + note.promise).strftime('%d.%m.%Y %H:%M:%S')}")
    if note.action == "start":
        lines.append("Исполнитель: Кузнецов Т. А.")
    if note.words:
        lines += _WORDS[note.action].format(words=note.words, day=note.at.strftime("%d.%m.%Y")).splitlines()
    if note.echo:
        lines += ["", "Описание заявки:", *note.echo.strip()[:_ECHO].splitlines()]
    return lines


def _body(lines: Sequence[str], rng: random.Random) -> MIMEBase:
    """Text, HTML, or both; the text with the remains of tags that real ones bear."""
    head, *rest = lines
    stray = "\n".join(f"{line}</div>" if line else "<P></P>" for line in rest)
    end = "<P></P>\nС уважением,</div>\nслужба поддержки\n"
    plain = f"<FONT face=Arial size=2>Здравствуйте!</FONT>\n{head}</FONT>\n{stray}\n{end}"
    inner = "\n".join(f"<div>{escape(line)}</div>" if line else "<P></P>" for line in lines)
    end = "<div>С уважением,</div>\n<div>служба поддержки</div>"
    html = f"<html><body><div>Здравствуйте!</div>\n{inner}\n{end}</body></html>\n"
    charset = _charset(plain + html, rng)
    shape = rng.choice(("both", "both", "html", "text"))
    if shape == "html":
        return MIMEText(html, "html", charset)
    if shape == "text":
        return MIMEText(
            "\n".join(["Здравствуйте!", *lines, "", "С уважением,", "служба поддержки", ""]), "plain", charset
        )
    both = MIMEMultipart("alternative")
    both.attach(MIMEText(plain, "plain", charset))
    both.attach(MIMEText(html, "html", charset))
    return both


def _charset(text: str, rng: random.Random) -> str:
    wanted = rng.choice(("utf-8", "windows-1251", "koi8-r"))
    try:
        text.encode(wanted)
    except UnicodeEncodeError:
        return "utf-8"
    return wanted


def bounce(request: bytes, message_id: str, office: Office, at: datetime) -> bytes:
    """RFC 3464: the post could not deliver `request`, whose raw bytes it returns."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = formataddr(("Mail Delivery System", f"MAILER-DAEMON@{office.bot.rpartition('@')[2]}"))
    report["To"] = office.bot
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(at)
    report["Message-ID"] = message_id
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"I'm sorry to have to inform you that your message could not be delivered.\n\n<{office.itsm}>: "
                           "host mx said: 550 5.1.1 User unknown (in reply to RCPT TO command)\n"))  # fmt: skip
    status = MIMEBase("message", "delivery-status")
    by, whose = Message(), Message()
    by["Reporting-MTA"] = "dns; mx.example.test"
    whose["Final-Recipient"] = f"rfc822; {office.itsm}"
    whose["Action"] = "failed"
    whose["Status"] = "5.1.1"
    whose["Diagnostic-Code"] = "smtp; 550 5.1.1 User unknown"
    status.set_payload([by, whose])
    report.attach(status)

    report.attach(MIMEMessage(message_from_bytes(request)))
    return _wire(report)
