"""Letters of tickets between the table and the wire: what a letter may say, and a letter as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from imbot.backends.base import LetterKind, TicketView
from imbot.domain.letters import Attachment, Letter
from imbot.domain.people import Person
from imbot.domain.tickets import Ticket
from imbot.services.env import Backend, Env
from imbot.store import files, people, tickets
from imbot.store.files import FileRow

_ENCODED = 1.37  # base64 with its line ends (RFC 2045, 6.8)


@dataclass(frozen=True, slots=True)
class Packing:
    """All that is needed to compose one letter outside of a transaction. `left`: files that did not fit into it."""

    backend: Backend
    kind: LetterKind
    view: TicketView
    ticket: Ticket
    files: tuple[FileRow, ...]
    too_large: tuple[FileRow, ...]
    left: int


def packing(c: Connection, payload: Mapping[str, Any], env: Env) -> Packing | None:
    """What the pack parcel `payload` asks for, or None where the ticket is gone. Reads only."""
    ticket = tickets.get(c, payload["ticket"])
    person = people.person(c, ticket.person_id) if ticket else None
    if ticket is None or person is None:
        return None
    backend = env.backend(ticket.backend)
    kind = LetterKind(payload["letter"])
    rows = files.of_ticket(c, ticket.id)
    mine = _candidates(rows, kind, payload["message_id"])
    chosen, too_large = _fit(mine, env.max_letter_bytes)
    refused = [row for row in rows if row.fate in ("refused", "failed")] if kind is LetterKind.TICKET else []
    view = _view(c, ticket, person, chosen, refused, payload, env)
    left = len(mine) - len(chosen) - len(too_large)
    return Packing(backend, kind, view, ticket, tuple(chosen), tuple(too_large), left)


def _candidates(rows: Sequence[FileRow], kind: LetterKind, message_id: str) -> list[FileRow]:
    """Stored files that this letter should carry: those marked for it, or, of the request, those in no letter yet."""
    stored = [row for row in rows if row.fate == "stored"]
    if kind in (LetterKind.TICKET, LetterKind.FILES):
        return [row for row in stored if not row.letter_id]
    return [row for row in stored if row.letter_id == message_id]


def _fit(rows: Sequence[FileRow], most: int) -> tuple[list[FileRow], list[FileRow]]:
    """In order, as many files as one letter may carry; and those that no letter may carry at all."""
    chosen: list[FileRow] = []
    too_large = [row for row in rows if (row.size or 0) * _ENCODED > most]
    room = float(most)
    for row in rows:
        need = (row.size or 0) * _ENCODED
        if row in too_large:
            continue
        if need > room:
            break
        room -= need
        chosen.append(row)
    return chosen, too_large


def _view(
    c: Connection,
    ticket: Ticket,
    person: Person,
    chosen: Sequence[FileRow],
    refused: Sequence[FileRow],
    payload: Mapping[str, Any],
    env: Env,
) -> TicketView:
    verified = people.checked_at(c, person.id)
    ours = [] if payload["letter"] == "ticket" else [ticket.message_id]
    return TicketView(
        ticket_id=ticket.id,
        token=ticket.token,
        title=ticket.title,
        created_at=ticket.created_at,
        category=ticket.category,
        subcategory=ticket.subcategory,
        description=ticket.description,
        person_name=person.name or person.address,
        person_department=person.department,
        location=ticket.location,
        contacts=ticket.contacts,
        channel=ticket.chat_key.partition(":")[0].capitalize(),
        fields=ticket.fields,
        files=tuple((row.name, row.caption) for row in chosen),
        refused_files=tuple((row.name, row.reason) for row in refused),
        number=ticket.number,
        thread=(ticket.thread or ticket.message_id) if ours else "",
        references=tuple(dict.fromkeys([*ours, *([ticket.thread] if ticket.thread and ours else [])])),
        text=payload.get("text", ""),
        attributes=person.attributes,
        unverified_since=verified if env.can_recheck and _long_ago(verified, ticket, env) else None,
    )


def _long_ago(verified: datetime | None, ticket: Ticket, env: Env) -> bool:
    """The directory has not confirmed the person within the grace (threats.md A4): the letter says so."""
    return verified is None or ticket.created_at - verified > env.grace


def letter_to_json(letter: Letter, rows: Sequence[FileRow]) -> dict[str, Any]:
    """A composed letter without its files' bytes; `rows` are the files that it carries."""
    return {
        "sender": letter.sender,
        "sender_name": letter.sender_name,
        "envelope_sender": letter.envelope_sender,
        "to": letter.to,
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
        "reply_to": letter.reply_to,
        "in_reply_to": letter.in_reply_to,
        "references": list(letter.references),
        "headers": [list(pair) for pair in letter.headers],
        "date": letter.date.isoformat(),
        "files": [row.id for row in rows],
    }


def letter_from_json(message_id: str, data: Mapping[str, Any], rows: Sequence[FileRow], folder: Path) -> Letter:
    """The inverse of `letter_to_json`; files are read from `folder` when the bytes are built."""
    return Letter(
        message_id=message_id,
        sender=data["sender"],
        sender_name=data["sender_name"],
        envelope_sender=data["envelope_sender"],
        to=data["to"],
        subject=data["subject"],
        text=data["text"],
        html=data["html"],
        reply_to=data["reply_to"],
        in_reply_to=data["in_reply_to"],
        references=tuple(data["references"]),
        headers=tuple((name, value) for name, value in data["headers"]),
        date=datetime.fromisoformat(data["date"]),
        attachments=tuple(attachment(row, folder) for row in rows if row.path),
    )


def attachment(row: FileRow, folder: Path) -> Attachment:
    """A stored file as it goes into a letter."""
    return Attachment(row.name, row.content_type or "application/octet-stream", path=folder / row.path)
