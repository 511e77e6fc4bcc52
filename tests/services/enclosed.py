"""Letters of support that bear files, and what comes of them in the outbox."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any
from zlib import crc32

from imbot.domain.letters import InboundMail, MailPart
from imbot.domain.parcels import Kind, Parcel
from imbot.services import reports
from imbot.store import inbox, outbox, received
from tests.services.conftest import Office

PDF = b"%PDF-1.4 the act"
LONG = "\n".join(f"Строка {number} длинного письма поддержки." for number in range(400))


def a_png(width: int, height: int, more: bytes = b"") -> bytes:
    head = struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", crc32(b"IHDR" + head)) + more
    )


def a_part(name: str, data: bytes, content_type: str = "application/octet-stream", **more: Any) -> MailPart:
    return MailPart(name, content_type, len(data), sha256(data).hexdigest(), data=data, **more)


def receive(office: Office, mail: InboundMail) -> str:
    mail_id = inbox.keep_raw(
        office.c, "replies", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now
    )
    return reports.receive(office.c, mail_id, mail, office.now, office.env, reports.prepare(mail, office.env))


def parcels(office: Office, *kinds: Kind) -> list[Parcel]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 1000)]
    return [parcel for parcel in found if parcel.kind in (kinds or (Kind.NOTICE, Kind.FILE))]


def said(office: Office) -> dict[str, Any]:
    """The values of the newest notice."""
    values: dict[str, Any] = parcels(office, Kind.NOTICE)[-1].payload["screen"]["values"]
    return values


def names_sent(office: Office) -> list[str]:
    rows = [received.get(office.c, parcel.payload["received"]) for parcel in parcels(office, Kind.FILE)]
    return [row.name for row in rows if row is not None]
