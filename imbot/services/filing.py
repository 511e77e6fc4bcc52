"""Filing inside transactions: files that join a draft, a finished draft that becomes a ticket, words that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.dialog.orders import AddToTicket, KeepFile, OpenTicket
from imbot.domain.chats import Chat, Happened
from imbot.domain.parcels import Kind, NewParcel, target_of_files
from imbot.domain.people import Person
from imbot.domain.tickets import ANSWERED, Status, Ticket, may_add, may_see
from imbot.failpoints import hit
from imbot.mime.names import clean_file_name, name_apart
from imbot.services import composing, telling
from imbot.services.env import Env, Fresh
from imbot.store import files, ledger, outbox, people, sessions, tickets
from imbot.store.files import FileRow

_DAY = timedelta(days=1)
_EXTENSIONS = {
    "photo": ".jpg",
    "voice": ".ogg",
    "video": ".mp4",
    "video_note": ".mp4",
    "audio": ".mp3",
    "animation": ".mp4",
}
_NAMES = {
    "ru": {"photo": "фото", "voice": "голос", "video": "видео", "video_note": "видео", "audio": "аудио"},
    "en": {"photo": "photo", "voice": "voice", "video": "video", "video_note": "video", "audio": "audio"},
}


def keep_file(c: Connection, chat: Chat, order: KeepFile, signed_in: bool, now: datetime, env: Env) -> None:
    """A row with a fate; its download becomes a parcel once we know who asks. The same file twice is one file."""
    fate, reason = order.fate, order.reason
    if fate == "wanted" and files.bytes_today(c, [chat.key], now - _DAY) + (order.file.size or 0) > env.quota_bytes:
        fate, reason = "refused", "quota"
    row = FileRow(
        id=f"{order.ticket_id}-{order.file.unique_id}",
        ticket_id=order.ticket_id,
        chat_key=chat.key,
        vendor_id=order.file.vendor_id,
        unique_id=order.file.unique_id,
        name=_name(order, files.of_ticket(c, order.ticket_id), env.language),
        size=order.file.size,
        content_type=order.file.content_type,
        kind=order.file.kind,
        caption=order.caption,
        message_id=order.message_id,
        album=order.album,
        fate=fate,
        reason=reason,
        path="",
        sha256="",
        letter_id="",
        created_at=now,
    )
    if files.add(c, row) and fate == "wanted" and signed_in:
        _fetch(c, row, now)


def fetch_files(c: Connection, ticket_id: str, now: datetime) -> list[FileRow]:
    """Start the downloads of what was kept before sign-in. Returns all files kept under this id."""
    rows = files.of_ticket(c, ticket_id)
    for row in rows:
        if row.fate == "wanted":
            _fetch(c, row, now)
    return rows


def drop_draft(c: Connection, ticket_id: str, now: datetime) -> None:
    """Nothing kept under this id is wanted any more. A ticket's files are never dropped this way."""
    if tickets.get(c, ticket_id) is None:
        files.drop_all(c, ticket_id)
        outbox.settle_lane(c, f"ticket:{ticket_id}", "dropped", now)


def open_ticket(
    c: Connection,
    chat: Chat,
    person: Person | None,
    order: OpenTicket,
    review_id: str,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> Happened:
    """A finished draft becomes a ticket, once: the same draft sent twice is the same ticket. `review_id`: the message that
    turns into the receipt."""
    if person is None:
        return Happened("not_opened", {"reason": "gone", "ticket": ""})
    if env.dialog.one_open_ticket and tickets.get(c, order.ticket_id) is None:
        still_open = tickets.open_of_person(c, person.id, 1)
        if still_open:
            return Happened("not_opened", {"reason": "one_open", "ticket": still_open[0].id})
    ticket = Ticket(
        id=order.ticket_id,
        person_id=person.id,
        chat_key=chat.key,
        title=order.title,
        backend=env.backend(order.backend or env.default_backend).name,
        token=fresh.ticket_token,
        message_id=fresh.message_id(),
        created_at=now,
        category=order.category,
        subcategory=order.subcategory,
        location=order.location,
        description=order.description,
        contacts=dict(order.contacts),
        fields=order.fields,
        previous=order.previous,
        receipt_id=review_id,
    )
    if not tickets.add(c, ticket, location_key=order.location_key):
        return Happened("opened", {"ticket": ticket.id}) if own_ticket(c, ticket.id, person) else _not_found()
    if review_id:
        sessions.release_slot(c, chat.key)
        telling.note_message(c, chat.key, review_id, ticket.id, now)
    ledger.log(c, ticket.id, now, "filed", {"by": person.address})
    rows = fetch_files(c, ticket.id, now)
    _recheck(c, ticket, person, now, env)
    composing.write(c, ticket, person, "ticket", ticket.message_id, "", now, env, rows=rows)
    telling.put_receipt(c, ticket, now, awaited=True)
    hit("ticket_opened")
    return Happened("opened", {"ticket": ticket.id})


def add_to_ticket(
    c: Connection, person: Person | None, order: AddToTicket, now: datetime, env: Env, fresh: Fresh
) -> Happened:
    """Words and files go into the ticket's thread, behind the number where the ITSM needs it to find the call."""
    ticket = own_ticket(c, order.ticket_id, person)
    if ticket is None or person is None:
        return _not_found()
    if not may_add(ticket):  # it has ended while the words were written
        return Happened("cannot_add", telling.ticket_values(ticket))
    message_id = fresh.message_id()
    lane = take_files(c, ticket, order.files_id, message_id, now)
    ledger.log(c, ticket.id, now, "added", {"text": order.text, "message_id": message_id})
    if ticket.status is Status.WAITING and not ticket.asked:
        ticket = replace(ticket, asked=ANSWERED)
        tickets.save(c, ticket)
        telling.put_receipt(c, ticket, now)
    _recheck(c, ticket, person, now, env)
    hit("addition_put")
    waits = composing.write(c, ticket, person, "addition", message_id, order.text, now, env, lane=lane)
    return Happened("added", telling.ticket_values(ticket) | {"waits": waits})


def take_files(c: Connection, ticket: Ticket, files_id: str, message_id: str, now: datetime) -> str:
    """The files kept under `files_id` ("": none) become the ticket's, for this letter. Returns the lane to put it in: behind
    their downloads, and for words alone that of the ticket, in which none overtakes another."""
    if not files_id:
        return f"ticket:{ticket.id}"
    fetch_files(c, files_id, now)
    rows = files.of_ticket(c, files_id)
    if not rows:
        return f"ticket:{ticket.id}"
    again = {row.unique_id for row in rows}  # the very same file keeps its name
    names = [row.name for row in files.of_ticket(c, ticket.id) if row.unique_id not in again]
    for row in rows:  # a second "фото-1.jpg" would stand in for the first in an ITSM that keeps attachments by name
        name = name_apart(row.name, names)
        if name != row.name:
            files.rename(c, row.id, name)
        names.append(name)
    files.move(c, files_id, ticket.id)
    files.assign(c, [row.id for row in rows], message_id)
    return f"ticket:{files_id}"


def own_ticket(c: Connection, ticket_id: str, person: Person | None) -> Ticket | None:
    """The one way from an id in a button to a ticket: another's ticket is not there."""
    ticket = tickets.get(c, ticket_id)
    return ticket if ticket is not None and person is not None and may_see(ticket, person) else None


def _fetch(c: Connection, row: FileRow, now: datetime) -> None:
    target = target_of_files(row.chat_key.partition(":")[0])
    parcel = NewParcel(f"ticket:{row.ticket_id}", target, f"file:{row.id}", Kind.DOWNLOAD, {"file": row.id})
    outbox.put(c, parcel, now)


def _recheck(c: Connection, ticket: Ticket, person: Person, now: datetime, env: Env) -> None:
    """Ask the directory again ahead of the letter, unless it was asked just now. Its own target: a directory that is down
    settles as grace at once and holds nobody up."""
    if not env.can_recheck:
        return
    checked = people.checked_at(c, person.id, now)
    if checked is None or now - checked > env.recheck_age:
        payload = {"person": person.id, "ticket": ticket.id}
        key = f"recheck:{ticket.id}:{now.isoformat()}"
        outbox.put(c, NewParcel(f"ticket:{ticket.id}", "recheck", key, Kind.RECHECK, payload), now)


def _name(order: KeepFile, others: Sequence[FileRow], lang: str) -> str:
    """Its own name, or one for what came without: фото-2.jpg. No two of a request are called alike."""
    kind = order.file.kind
    word = _NAMES.get(lang, _NAMES["en"]).get(kind, "файл" if lang == "ru" else "file")
    number = 1 + sum(row.kind == kind for row in others)
    name = clean_file_name(order.file.name, "") or f"{word}-{number}{_EXTENSIONS.get(kind, '')}"
    return name_apart(name, [row.name for row in others])


def _not_found() -> Happened:
    return Happened("not_found", {})
