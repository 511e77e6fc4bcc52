"""Letters that go out and mail that came in, as data. No bytes are read or built here: that is `imbot.mime`."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a letter that goes out: `data`, or the `path` of a file that is read when the bytes are built."""

    name: str
    content_type: str = "application/octet-stream"
    data: bytes | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to send. `message_id` and `references` bear their angle brackets; addresses are bare (`a@b.ru`)."""

    message_id: str
    sender: str
    to: str
    subject: str
    text: str
    date: datetime
    sender_name: str = ""
    envelope_sender: str = ""  # empty: the same as `sender`
    reply_to: str = ""
    html: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    headers: tuple[
        tuple[str, str], ...
    ] = ()  # further headers, e.g. ("Auto-Submitted", "auto-generated") on codes only
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class MailPart:
    """A file that came with a letter. `sha256` is hex; `data` is None where only the description travels."""

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False
    content_id: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A letter that came in, read within bounds. Everything is text that bears no NUL and no lone surrogate.

    `sender`, `reply_to`, `to`, `cc`, `return_path` are bare addresses in lower case ("" where missing or unreadable);
    `delivered_to`: those that mail servers noted in Delivered-To and its kin.
    `text` is the readable body: the plain part, else the HTML part as text, never None. `headers` keeps the
    headers in order, names as written, values decoded and unfolded; what is too large is not among them.
    `message_id`, `in_reply_to` and `references` keep their angle brackets. `automatic`: RFC 3834 headers, a null
    Return-Path, a report or their older kin say that no person wrote it. `report_type` is the parameter of
    `multipart/report` in lower case ("delivery-status"), else "". `original_message_ids`: for bounces, Message-IDs
    found in the returned message or its headers, in the text as well where an old mail system quotes them there;
    `returned_ids`: those of a report's returned part only, where no words of a person stand.
    `size`: bytes of the raw letter; `sha256`: hex of the raw letter.
    """

    sha256: str
    size: int
    message_id: str = ""
    subject: str = ""
    sender: str = ""
    sender_name: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    delivered_to: tuple[str, ...] = ()
    reply_to: str = ""
    return_path: str = ""
    date: datetime | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[MailPart, ...] = ()
    automatic: bool = False
    report_type: str = ""
    original_message_ids: tuple[str, ...] = ()
    returned_ids: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())  # what was cut or mended while reading, in plain words

    def header(self, name: str) -> tuple[str, ...]:
        """All values of the header `name`, top first."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)


@dataclass(frozen=True, slots=True)
class Fetched:
    """One letter. `cursor`: where to go on once this letter and all before it are durable. `key`: its name on this server
    (`uidvalidity:uid`, or the UIDL). `truncated`: it is over the size limit, `raw` has its headers only; `size` is whole."""

    cursor: str
    key: str
    raw: bytes
    size: int = 0
    truncated: bool = False
    uid: int = 0
    uidvalidity: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters in the order of their arrival. `cursor`: where to go on once all of them are durable (it may move without
    letters: the first run at "now"). `more`: the window was full, ask again at once. `anew`: the server counts from the
    beginning again, so that no place known before is where it was."""

    letters: Sequence[Fetched]
    cursor: str
    more: bool = False
    anew: bool = False


def mint_message_id(domain: str) -> str:
    """A fresh Message-ID with 120 random bits (RFC 5322, 3.6.4). Minted once per letter, kept through every try."""
    return f"<{base64.b32encode(secrets.token_bytes(15)).decode().lower()}@{domain}>"


_NOTE_ID = re.compile(r"<((note|alert)\.[a-z2-7]{16})([a-z2-7]{8})@")


def mint_note_id(domain: str, key: bytes, *, alert: bool = False) -> str:
    """Like `mint_message_id`, for letters to persons and for alerts to admins: what a machine sends back for one can be told
    from the rest, and for an alert from other notes. `key`: ours, so that nobody else can mint one."""
    name = f"{'alert' if alert else 'note'}.{_base32(secrets.token_bytes(10))}"
    return f"<{name}{_seal(name, key)}@{domain}>"


def is_note_id(message_id: str, key: bytes, *, alert: bool = False) -> bool:
    """Whether such a letter of ours bears it, or (`alert`) one to the admins."""
    found = _NOTE_ID.match(message_id.lower())
    if found is None or (alert and found[2] != "alert"):
        return False
    return hmac.compare_digest(found[3], _seal(found[1], key))


def _seal(name: str, key: bytes) -> str:
    return _base32(hmac.digest(key, f"note-id {name}".encode(), "sha256")[:5])


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()
