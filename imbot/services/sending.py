"""Files of support on their way to a person: what a parcel sends, what became of it, and what a letter carries in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from imbot.dialog.screen import Screen, screen_to_json
from imbot.dialog.tickets import notice_screen
from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Attachment
from imbot.domain.notices import Enclosed, Notice, comment_notice, ticket_values
from imbot.domain.parcels import Parcel
from imbot.services import telling
from imbot.services.env import Env
from imbot.services.letters import ENCODED
from imbot.store import ledger, letters, outbox, received, tickets
from imbot.store.received import ReceivedFile
from imbot.templates import cut

UPLOAD_LIMIT = 50 * 1024 * 1024  # of the Bot API (core.telegram.org/bots/api#sending-files)
_SHOWN_AS_THEY_ARE = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/zip")


@dataclass(frozen=True, slots=True)
class ForLetter:
    """Files that one letter carries, and {name, size} of those that do not fit into it."""

    attached: tuple[ReceivedFile, ...]
    left_out: tuple[dict[str, Any], ...]


def title_of(parcel: Parcel, text: str) -> str:
    """What a letter that says `text` is about: the request; to admins, whom its title tells too little, the first line."""
    title = "" if telling.for_admins(parcel) else parcel.payload["screen"]["values"].get("title", "")
    return title or cut(text.split("\n", 1)[0], 120).removesuffix(".")


def file_to_send(c: Connection, parcel: Parcel) -> tuple[ReceivedFile, Screen] | None:
    """The file and what stands below it; None where it went another way already, or has outlived its time."""
    row = received.get(c, parcel.payload["received"])
    ticket = tickets.get(c, row.ticket_id) if row else None
    if row is None or ticket is None or row.fate != "kept" or not row.path:
        return None
    return row, Screen("file_caption", {"number": ticket.number, "title": ticket.title})


def file_sent(c: Connection, parcel: Parcel, message_id: str, now: datetime) -> None:
    """It is in the chat; who replies to it, means its ticket."""
    if not outbox.settle(c, parcel, "shown", now):
        return
    received.settle(c, parcel.payload["received"], "sent")
    chat_key = parcel.chat_key
    letters.note_message(c, chat_key, message_id, parcel.payload["ticket"], now)


def file_failed(c: Connection, parcel: Parcel, error: DeliveryError, now: datetime, env: Env) -> None:
    """The channel will not have it, or could not be made to take it: never silently. The person is told its name and size
    and whom to ask."""
    if not outbox.settle(c, parcel, f"failed: {error}", now):
        return
    row = received.get(c, parcel.payload["received"])
    ticket = tickets.get(c, row.ticket_id) if row else None
    if row is None or ticket is None:
        return
    reason = "too_large" if row.size > UPLOAD_LIMIT or error.code == "413" else "unavailable"
    received.settle(c, row.id, "refused", reason)
    ledger.log(c, ticket.id, now, "file_not_sent", {"file": row.name, "reason": str(error)})
    values = {"file": row.name, "size": row.size, "reason": reason, "max_bytes": UPLOAD_LIMIT}
    notice = Notice("file_not_sent", ticket.id, ticket_values(ticket) | values)
    telling.put_notice(c, notice, ticket, f"notice:{parcel.key}", now, env)


def letter_payload(c: Connection, parcel: Parcel, env: Env) -> dict[str, Any]:
    """What a parcel of a file bears as a letter: a notice that support sent it, and the file with it. The notice it stood
    behind may have carried it before; then there is nothing left to send."""
    row, ticket = received.get(c, parcel.payload["received"]), tickets.get(c, parcel.payload["ticket"])
    if row is None or ticket is None:
        return dict(parcel.payload)
    enclosed = Enclosed(row.mail_id, ({"id": row.id, "name": row.name, "size": row.size},))
    notice = comment_notice(ticket, "")
    screen = notice_screen(
        Notice(notice.name, ticket.id, {**notice.values, **enclosed.values}), env.dialog.support_contact
    )
    return {"screen": screen_to_json(screen), "files": [row.id], **parcel.payload}


def files_for_letter(c: Connection, ids: Sequence[str], most: int, folder: Path) -> ForLetter:
    """Of those still to be sent and lying in `folder`, in order, as many as a letter of `most` bytes carries."""
    attached, left_out, room = [], [], float(most)
    for row in (received.get(c, id) for id in ids):
        if row is None or row.fate != "kept" or not row.path:
            continue
        if row.size * ENCODED <= room and (folder / row.path).is_file():
            room -= row.size * ENCODED
            attached.append(row)
        else:
            left_out.append({"name": row.name, "size": row.size})
    return ForLetter(tuple(attached), tuple(left_out))


def is_told(payload: Mapping[str, Any], found: ForLetter) -> bool:
    """Whether a letter in the place of a file says nothing new: that of the notice in front of it has carried the file, or has
    said that it does not fit."""
    said = not found.left_out or bool(payload.get("behind_notice"))
    return bool(payload.get("received")) and not found.attached and said


def whole_letter(c: Connection, payload: Mapping[str, Any]) -> str:
    """What a notice would show on request: a letter has no buttons and bears it at once. "": nothing more, or forgotten."""
    mail_id = payload.get("screen", {}).get("values", {}).get("more")
    found = received.text_of(c, mail_id) if mail_id else None
    return found[1].strip() if found is not None and found[0] == payload.get("ticket") else ""


def files_went(c: Connection, parcel: Parcel, answer: str, rows: Sequence[ReceivedFile], now: datetime) -> None:
    """A letter to the person was accepted, with these files."""
    if outbox.settle(c, parcel, f"accepted: {answer}", now):
        for row in rows:
            received.settle(c, row.id, "sent")


def attachment(row: ReceivedFile, folder: Path) -> Attachment:
    """The file as a letter bears it: nothing that a mail program would run or show as a page."""
    kind = row.content_type if row.content_type in _SHOWN_AS_THEY_ARE else "application/octet-stream"
    return Attachment(row.name, kind, path=folder / row.path)
