"""Letters of tickets between the table and the wire: what a letter may say, and a letter as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from imbot.backends.base import LetterKind, TicketView
from imbot.dialog.render import clean
from imbot.domain.letters import Attachment, Letter
from imbot.domain.people import Person
from imbot.domain.tickets import Ticket
from imbot.services.env import Backend, Env
from imbot.store import files, letters, people, ratings, tickets
from imbot.store.files import FileRow
from imbot.templates import size_words

ENCODED = 1.37  # base64 with its line ends (RFC 2045, 6.8)
_REFUSED = {
    "ru": {
        "more": "ещё файлов: {count}",
        "too_many": "с одной заявкой принимаем до {most}",
        "too_large": "{size} при пределе {limit}",
        "type": "файлы этого типа не передаём",
        "quota": "дневной предел по файлам исчерпан",
        "unavailable": "не удалось получить",
        "unknown": "размер неизвестен",
    },
    "en": {
        "more": "{count} more files",
        "too_many": "a request takes up to {most}",
        "too_large": "{size}, the limit is {limit}",
        "type": "files of this type are not passed on",
        "quota": "the day's limit for files is used up",
        "unavailable": "could not be fetched",
        "unknown": "size unknown",
    },
}


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
    return None if ticket is None or person is None else packing_of(c, ticket, person, None, payload, env)


def packing_of(
    c: Connection,
    ticket: Ticket,
    person: Person,
    rows: Sequence[FileRow] | None,
    payload: Mapping[str, Any],
    env: Env,
) -> Packing:
    """The same of this ticket and its person; `rows`: the ticket's files, None where they are to be read."""
    backend = env.backend(ticket.backend)
    kind = LetterKind(payload["letter"])
    rows = files.of_ticket(c, ticket.id) if rows is None else rows
    mine = _candidates(c, rows, kind, payload["message_id"])
    chosen, too_large = _fit(mine, env.max_letter_bytes)
    refused = [row for row in rows if row.fate in ("refused", "failed")] if kind is LetterKind.TICKET else []
    refused += [replace(row, reason="too_large_letter") for row in too_large]
    view = _view(c, ticket, person, chosen, refused, payload, env)
    left = len(mine) - len(chosen) - len(too_large)
    return Packing(backend, kind, view, ticket, tuple(chosen), tuple(too_large), left)


def _candidates(c: Connection, rows: Sequence[FileRow], kind: LetterKind, message_id: str) -> list[FileRow]:
    """Stored files that this letter should carry: of the request, those in no letter yet; else those marked for it, one among
    them perhaps that the ticket has already, and that was sent once more."""
    if kind in (LetterKind.TICKET, LetterKind.FILES):
        return [row for row in rows if row.fate == "stored" and not row.letter_id]
    return [row for row in files.of_letter(c, message_id) if row.fate == "stored"]


def _fit(rows: Sequence[FileRow], most: int) -> tuple[list[FileRow], list[FileRow]]:
    """In order, as many files as one letter may carry; and those that no letter may carry at all."""
    chosen: list[FileRow] = []
    too_large = [row for row in rows if (row.size or 0) * ENCODED > most]
    room = float(most)
    for row in rows:
        need = (row.size or 0) * ENCODED
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
    first = payload["letter"] == LetterKind.TICKET
    verified = people.checked_at(c, person.id) if env.can_recheck else None
    rating = None if first else ratings.rating(c, ticket.id)
    ours = [] if first else [ticket.message_id]
    return TicketView(
        ticket_id=ticket.id,
        token=ticket.token,
        title=ticket.title,
        created_at=ticket.created_at,
        category=ticket.category,
        subcategory=ticket.subcategory,
        description=ticket.description,
        person_name=_line(person.name) or person.address,
        person_department=_line(person.department),
        person_address=person.address,
        location=ticket.location,
        contacts=ticket.contacts,
        channel=ticket.chat_key.partition(":")[0].capitalize(),
        fields=ticket.fields,
        files=tuple((row.name, row.caption) for row in chosen),
        refused_files=_refusals(refused, env.backend(ticket.backend).profile.language, env),
        number=ticket.number,
        tag=ticket.tag,
        watermark=ticket.watermark,
        previous=_previous(c, ticket),
        thread=(ticket.thread or ticket.message_id) if ours else "",
        references=tuple(dict.fromkeys([*ours, *([ticket.thread] if ticket.thread and ours else [])])),
        text=payload.get("text", ""),
        stars=rating.stars if rating else None,
        attributes={name: _line(value) for name, value in person.attributes.items()},
        unverified_since=verified if env.can_recheck and _long_ago(verified, ticket, env) else None,
    )


def _previous(c: Connection, ticket: Ticket) -> str:
    """The ticket of the same person that this one goes on from, as the helpdesk can find it; "" where there is none."""
    earlier = tickets.get(c, ticket.previous) if ticket.previous else None
    return (earlier.number or earlier.title) if earlier and earlier.person_id == ticket.person_id else ""


def _line(text: str) -> str:
    """What a directory says, on one line and without characters that hide or reorder what stands beside it."""
    return " ".join(clean(text).split())


def _refusals(rows: Sequence[FileRow], lang: str, env: Env) -> tuple[tuple[str, str], ...]:
    """(name, why) of what a letter does not bear. Files that were simply too many are told as a number."""
    words = _REFUSED.get(lang, _REFUSED["en"])
    many = [row for row in rows if row.reason == "too_many"]
    found = [(row.name, _why(row, lang, env)) for row in rows if row not in many]
    if many:
        found.append((words["more"].format(count=len(many)), words["too_many"].format(most=env.dialog.max_files)))
    return tuple(found)


def _why(row: FileRow, lang: str, env: Env) -> str:
    words = _REFUSED.get(lang, _REFUSED["en"])
    limit = int(env.max_letter_bytes / ENCODED) if row.reason == "too_large_letter" else env.dialog.max_file_bytes
    if row.reason.startswith("too_large"):
        shown = {"size": size_words(row.size, lang, limit) if row.size else words["unknown"]}
        return words["too_large"].format(limit=size_words(limit, lang), **shown)
    return words.get(row.reason, words["unavailable"])


def _long_ago(verified: datetime | None, ticket: Ticket, env: Env) -> bool:
    """The directory has not confirmed the person within the grace: the letter says so."""
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


def to_send(c: Connection, message_id: str, folder: Path) -> Letter | None:
    """A letter of the table with its files; None where it was erased."""
    row = letters.letter(c, message_id)
    if row is None or not row.letter:
        return None
    return letter_from_json(message_id, row.letter, files.of_letter(c, message_id), folder)


def of_words_alone(c: Connection, message_id: str) -> Letter | None:
    """As `to_send`, where no file goes with it; else None."""
    row = letters.letter_alone(c, message_id)
    if row is None or not row.letter:
        return None
    return letter_from_json(message_id, row.letter, (), Path())


def attachment(row: FileRow, folder: Path) -> Attachment:
    """A stored file as it goes into a letter."""
    return Attachment(row.name, row.content_type or "application/octet-stream", path=folder / row.path)
