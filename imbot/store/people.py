"""Persons, and the chats that are linked to them. Whether a link may be made is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal, or_, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.domain.calendar import AHEAD
from imbot.domain.chats import Chat
from imbot.domain.people import Entry, Person, Role
from imbot.store.columns import Moment
from imbot.store.erase import erase as erase  # the same noun, in a file of its own
from imbot.store.erase import paths_of as paths_of
from imbot.store.schema import chats, people
from imbot.store.sql import Prepared, dialect, insert
from imbot.store.touched import note_relinked


@dataclass(frozen=True, slots=True)
class ChatRow:
    """`lang`: chosen by the person, "" until then; `language`: the vendor's tag. `linked_before`: it was once, to anybody."""

    key: str
    channel: str
    id: str
    lang: str
    language: str
    blocked: bool
    person_id: int | None
    linked_at: datetime | None
    linked_before: bool
    seen_at: datetime


_BY_ID = Prepared(select(people).where(people.c.id == bindparam("id")))
_BY_ADDRESS = Prepared(select(people).where(people.c.address == bindparam("address")))
_CHECKED_AT = Prepared(select(people.c.checked_at).where(people.c.id == bindparam("id")))
_OF_CHAT = Prepared(
    select(people)
    .join(chats, chats.c.person_id == people.c.id)
    .where(chats.c.key == bindparam("key"), people.c.gone_at.is_(None))
)
_CHAT = Prepared(select(chats).where(chats.c.key == bindparam("key")))
_CHATS_OF = Prepared(
    select(chats).where(chats.c.person_id == bindparam("person")).order_by(chats.c.linked_at.desc(), chats.c.key)
)


@cache
def _put_person(dialect: str) -> Any:
    put = insert(dialect, people)
    names = ("name", "phone", "office", "department", "role", "attributes", "checked_at")
    return put.on_conflict_do_update(
        index_elements=["address"], set_={name: put.excluded[name] for name in names} | {"gone_at": None}
    ).returning(people)


@cache
def _put_unseen_chat(dialect: str) -> Insert:
    return insert(dialect, chats).on_conflict_do_nothing()


@cache
def _put_chat(dialect: str) -> Insert:
    put = insert(dialect, chats)
    return put.on_conflict_do_update(
        index_elements=["key"], set_={"seen_at": put.excluded.seen_at, "language": put.excluded.language}
    )


_SEE_CHAT = Prepared(_put_chat("sqlite").returning(chats))


def link_chat(c: Connection, chat: Chat, entry: Entry, now: datetime) -> Person:
    """The chat speaks for this person from now on. The person is made or brought up to date from `entry`."""
    put = _of_entry(entry, now) | {"address": entry.address, "created_at": now}
    linked = person_of(c.execute(_put_person(dialect(c)), put).one())
    values = {"key": chat.key, "channel": chat.channel, "id": chat.id, "seen_at": now}
    c.execute(_put_unseen_chat(dialect(c)), values)
    first = func.coalesce(chats.c.first_linked_at, literal(now, Moment))
    link = {"person_id": linked.id, "linked_at": now, "first_linked_at": first, "blocked": False}
    c.execute(update(chats).where(chats.c.key == chat.key).values(link))
    note_relinked(c)
    return linked


def unlink_chat(c: Connection, chat_key: str, now: datetime) -> bool:
    """False where it was not linked."""
    note_relinked(c)
    found = update(chats).where(chats.c.key == chat_key, chats.c.person_id.is_not(None))
    return c.execute(found.values(person_id=None, linked_at=None, seen_at=now)).rowcount > 0


def person_of_chat(c: Connection, chat_key: str) -> Person | None:
    """Who this chat speaks for: None where it is not linked, or its person has left."""
    row = _OF_CHAT.first(c, key=chat_key)
    return None if row is None else person_of(row)


def person(c: Connection, person_id: int) -> Person | None:
    return _one(c, _BY_ID, id=person_id)


def person_by_address(c: Connection, address: str) -> Person | None:
    return _one(c, _BY_ADDRESS, address=address)


def find_persons(c: Connection, address_or_chat_id: str) -> list[Person]:
    """By the whole address in any case, by a chat's key (`telegram:42`) or its id alone. Those who have left, too."""
    wanted = address_or_chat_id.strip()
    of_chat = select(chats.c.person_id).where(or_(chats.c.key == wanted, chats.c.id == wanted))
    found = select(people).where(or_(people.c.address == wanted.lower(), people.c.id.in_(of_chat)))
    return [person_of(row) for row in c.execute(found.where(people.c.erased_at.is_(None)).order_by(people.c.id))]


def chats_of(c: Connection, person_id: int) -> list[ChatRow]:
    """Their chats, the one linked last first."""
    return [chat_of(row) for row in _CHATS_OF.all(c, person=person_id)]


def chat(c: Connection, chat_key: str) -> ChatRow | None:
    row = _CHAT.first(c, key=chat_key)
    return None if row is None else chat_of(row)


def see_chat(c: Connection, chat: Chat, language: str, now: datetime) -> ChatRow:
    """Notes that the chat was heard of, and the vendor's language tag."""
    row = _SEE_CHAT.first(c, key=chat.key, channel=chat.channel, id=chat.id, language=language, seen_at=now)
    return chat_of(row)


def set_blocked(c: Connection, chat_key: str, blocked: bool, now: datetime) -> None:
    c.execute(update(chats).where(chats.c.key == chat_key).values(blocked=blocked, seen_at=now))


def set_language(c: Connection, chat_key: str, lang: str) -> None:
    c.execute(update(chats).where(chats.c.key == chat_key).values(lang=lang))


def mark_checked(c: Connection, person_id: int, entry: Entry | None, now: datetime) -> None:
    """The directory still has them. With an entry all that it says is taken over; without, only the moment is noted."""
    values = {"checked_at": now} if entry is None else _of_entry(entry, now) | {"gone_at": None}
    c.execute(update(people).where(people.c.id == person_id).values(values))


def checked_at(c: Connection, person_id: int, now: datetime | None = None) -> datetime | None:
    """When the directory last answered for them; with `now`, None as well where that lies ahead: it is not known then."""
    moment: datetime | None = _CHECKED_AT.value(c, id=person_id)
    ahead = moment is not None and now is not None and moment > now + AHEAD
    return None if ahead else moment


def mark_gone(c: Connection, person_id: int, now: datetime) -> list[str]:
    """They have left: every chat is unlinked. Returns the keys of those chats."""
    keys = list(c.execute(select(chats.c.key).where(chats.c.person_id == person_id).order_by(chats.c.key)).scalars())
    note_relinked(c)
    c.execute(update(chats).where(chats.c.person_id == person_id).values(person_id=None, linked_at=None))
    c.execute(update(people).where(people.c.id == person_id).values(gone_at=now, checked_at=now))
    return keys


def set_role(c: Connection, person_id: int, role: Role | None) -> None:
    """A role given by an admin stands above the directory's; None gives the directory its say back."""
    c.execute(update(people).where(people.c.id == person_id).values(own_role=role or ""))


def consent(c: Connection, person_id: int, version: str, now: datetime) -> None:
    c.execute(update(people).where(people.c.id == person_id).values(consent=version, consent_at=now))


def consented(c: Connection, person_id: int) -> str:
    """The version of the words that they agreed to, or ""."""
    return c.execute(select(people.c.consent).where(people.c.id == person_id)).scalar() or ""


def admins(c: Connection, addresses: Iterable[str]) -> list[Person]:
    """Everybody with the role, and those whom the settings name, as far as they are known and still there."""
    role = func.coalesce(func.nullif(people.c.own_role, ""), people.c.role)
    named = people.c.address.in_([address.lower() for address in addresses])
    found = select(people).where(or_(role == Role.ADMIN, named), people.c.gone_at.is_(None))
    return [person_of(row) for row in c.execute(found.order_by(people.c.id))]


def persons_to_sweep(c: Connection, before: datetime, now: datetime, limit: int) -> list[Person]:
    """Linked persons whom the directory was not asked about since `before`, the longest first. A moment that lies ahead is of a
    clock that was put back, and says nothing."""
    linked = select(chats.c.person_id).where(chats.c.person_id.is_not(None))
    stale = or_(people.c.checked_at.is_(None), people.c.checked_at < before, people.c.checked_at > now + AHEAD)
    found = select(people).where(people.c.id.in_(linked), people.c.gone_at.is_(None), stale)
    return [person_of(row) for row in c.execute(found.order_by(people.c.checked_at, people.c.id).limit(limit))]


def count_linked(c: Connection) -> int:
    """How many persons have a chat: what "more than a fifth" is a fifth of."""
    return c.execute(select(func.count(chats.c.person_id.distinct()))).scalar_one()


def list_persons(c: Connection, after_id: int, limit: int) -> list[Person]:
    """Everybody who was not erased, by id; the next page begins after the last id of this one."""
    found = select(people).where(people.c.id > after_id, people.c.erased_at.is_(None))
    return [person_of(row) for row in c.execute(found.order_by(people.c.id).limit(limit))]


def _of_entry(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "name": entry.name,
        "phone": entry.phone,
        "office": entry.office,
        "department": entry.department,
        "role": entry.role,
        "attributes": entry.attributes,
        "checked_at": now,
    }


def _one(c: Connection, statement: Prepared, **values: object) -> Person | None:
    row = statement.first(c, **values)
    return None if row is None else person_of(row)


def person_of(row: Row[Any]) -> Person:
    """A row that bears the columns of `people` under their own names."""
    return Person(
        id=row.id,
        address=row.address or "",
        name=row.name,
        phone=row.phone,
        office=row.office,
        department=row.department,
        role=Role(row.own_role or row.role or Role.USER),
        attributes=row.attributes,
        gone=row.gone_at is not None,
    )


def chat_of(cells: Sequence[Any]) -> ChatRow:
    """From the columns of `chats`, all of them in their order."""
    key, channel, id, lang, language, blocked, person_id, linked_at, first_linked_at, seen_at = cells
    before = first_linked_at is not None
    return ChatRow(key, channel, id, lang, language, blocked, person_id, linked_at, before, seen_at)
