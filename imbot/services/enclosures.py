"""Files that come with a letter of the far end: judged and written to the disk before the transaction, taken into the tables
within it. Whether they are told and sent is `services.telling`'s.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from imbot.backends.ornaments import Dress, Place, dress_of, place_of
from imbot.domain.letters import InboundMail, MailPart
from imbot.domain.notices import Enclosed
from imbot.domain.tickets import Ticket
from imbot.mime.content import harmless_name, refusal_of, type_of
from imbot.mime.names import clean_file_name
from imbot.services.env import Env
from imbot.store import received
from imbot.store.blobs import write_durable
from imbot.store.errors import StoreUnavailable
from imbot.store.received import ReceivedFile

log = structlog.get_logger(__name__)

# What belongs to the letter itself: signatures of its bytes, and the parts of reports.
_NOT_FILES = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "message/delivery-status",
        "message/disposition-notification",
        "text/rfc822-headers",
    }
)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file of a letter as it lies on the disk at `path`, or `refused` for this reason. `place` is that in the letter."""

    path: str
    place: int
    name: str
    size: int
    content_type: str
    sha256: str
    kind: Place = Place.FILE
    refused: str = ""


def keep(mail: InboundMail, env: Env) -> tuple[Enclosure, ...]:
    """Judge the files of a believed letter and make their bytes durable. Slow: for a thread. Idempotent, and what no
    transaction takes is swept away by the nightly clean-up. A full disk refuses the file, not the letter."""
    return tuple(
        one if one.refused else _written(one, mail.attachments[one.place].data or b"", env) for one in judge(mail, env)
    )


def judge(mail: InboundMail, env: Env) -> tuple[Enclosure, ...]:
    """What `keep` would make durable or refuse; writes nothing."""
    dress = dress_of(mail.html)
    judged = (
        _judged(mail, place, part, dress, env)
        for place, part in enumerate(mail.attachments)
        if part.content_type not in _NOT_FILES and part.data is not None
    )
    return tuple(one for one in judged if one.kind is not Place.PIXEL)


def _judged(mail: InboundMail, place: int, part: MailPart, dress: Dress, env: Env) -> Enclosure:
    data = part.data or b""
    name = harmless_name(clean_file_name(part.name, f"file-{place + 1}"))
    reason = refusal_of(data, clean_file_name(part.name, "file"), env.dialog.refused_types) if data else "empty"
    path = hashlib.sha256(f"{mail.sha256}|{place}".encode()).hexdigest()[:32]
    kind = place_of(part, dress)
    return Enclosure(path, place, name, part.size, type_of(data) or part.content_type, part.sha256, kind, reason)


def _written(found: Enclosure, data: bytes, env: Env) -> Enclosure:
    if env.files is None:
        return replace(found, refused="disk")
    try:
        if shutil.disk_usage(env.files).free < env.reserve_bytes + len(data):
            return replace(found, refused="disk")
        os.utime(write_durable(env.files / found.path, data))  # it is wanted now, whatever its age
    except (OSError, StoreUnavailable) as error:
        log.error("received_file_not_kept", error=str(error))
        return replace(found, refused="disk")
    return found


def take(c: Connection, ticket: Ticket, mail_id: int, came: Sequence[Enclosure], now: datetime, env: Env) -> Enclosed:
    """The files become the ticket's. Says which are to be sent, which are not and why, and whether pictures are held
    back."""
    if not came:
        return Enclosed(mail_id)
    sent: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    held = False
    room = env.quota_bytes - received.bytes_since(c, [ticket.id], now - _DAY)
    for one in came:
        again = one.kind is not Place.FILE and received.seen_before(c, ticket.backend, one.sha256, now)
        if again and one.kind is not Place.PICTURE:
            continue
        hold = again or one.kind is Place.LOGO
        reason = one.refused or (
            "too_many" if len(sent) >= env.dialog.max_files else "quota" if one.size > room else ""
        )
        fate = "refused" if reason else "held" if hold else "kept"
        row = ReceivedFile(
            id=f"{mail_id}-{one.place}",
            ticket_id=ticket.id,
            mail_id=mail_id,
            place=one.place,
            name=one.name,
            size=one.size,
            content_type=one.content_type,
            sha256=one.sha256,
            fate=fate,
            created_at=now,
            reason=reason,
            path="" if reason else one.path,
        )
        if not received.add(c, row):
            continue
        if reason:
            refused.append({"name": row.name, "size": row.size, "reason": reason})
        elif hold:
            held = True
        else:
            room -= row.size
            sent.append({"id": row.id, "name": row.name, "size": row.size})
    return Enclosed(mail_id, tuple(sent), tuple(refused), more=held)
