"""Erasing a person. Numbers, times, categories and stars stay for the statistics; whatever says who they are or what they
wrote goes. Nothing on the disk is touched here: `paths_of` says what the caller must delete once this is committed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, and_, cast, delete, func, literal, or_, select, update

from imbot.store import schema as s
from imbot.store.columns import Moment


def paths_of(c: Connection, person_id: int) -> list[str]:
    """Files on the disk that are theirs: what they sent, and letters about their tickets. Asked before `erase`."""
    keys, ids, address = _handles(c, person_id)
    sent = select(s.files.c.path).where(_files_of(keys, ids), s.files.c.path != "")
    came = select(s.mails.c.path).where(_mails_of(ids, address), s.mails.c.path != "")
    return sorted({*c.execute(sent).scalars(), *c.execute(came).scalars()})


def erase(c: Connection, person_id: int, now: datetime) -> dict[str, int]:
    """Removes or pseudonymises all that is theirs. Says how many of what: chats, sessions, codes, parcels, files, letters,
    mails, messages, ledger, ratings, tickets, person (0: nobody of this id, or erased before). Idempotent."""
    keys, ids, address = _handles(c, person_id)
    counted = {
        "chats": _gone(c, delete(s.chats).where(s.chats.c.key.in_(keys))),
        "sessions": _gone(c, delete(s.sessions).where(s.sessions.c.chat_key.in_(keys))),
        "codes": _forget_signin(c, keys, address),
        "parcels": _forget_parcels(c, person_id, keys, ids, now),
        "files": _gone(c, delete(s.files).where(_files_of(keys, ids))),
    }
    c.execute(delete(s.slots).where(s.slots.c.chat_key.in_(keys)))
    c.execute(update(s.invites).where(s.invites.c.used_by.in_(keys)).values(used_by=""))
    return counted | _forget_tickets(c, ids, address) | {"person": _forget_person(c, person_id, now)}


def _handles(c: Connection, person_id: int) -> tuple[list[str], list[str], str]:
    """Chat keys (linked now, or of a ticket of theirs), ticket ids, address."""
    linked = select(s.chats.c.key).where(s.chats.c.person_id == person_id)
    filed = select(s.tickets.c.id, s.tickets.c.chat_key).where(s.tickets.c.person_id == person_id)
    rows = c.execute(filed).all()
    address = c.execute(select(s.people.c.address).where(s.people.c.id == person_id)).scalar() or ""
    once = {row.chat_key for row in rows if row.chat_key}
    # A chat that speaks for somebody else by now is theirs.
    others = select(s.chats.c.key).where(s.chats.c.key.in_(once), s.chats.c.person_id != person_id)
    keys = (once | set(c.execute(linked).scalars())) - set(c.execute(others).scalars())
    return sorted(keys), [row.id for row in rows], address


def _forget_signin(c: Connection, keys: list[str], address: str) -> int:
    by_address = and_(s.codes.c.address == address, s.codes.c.address != "")
    chat_or_address = or_(s.codes.c.chat_key.in_(keys), by_address)
    c.execute(delete(s.code_asks).where(s.code_asks.c.chat_key.in_(keys)))
    c.execute(delete(s.code_failures).where(s.code_failures.c.chat_key.in_(keys)))
    c.execute(delete(s.invites).where(s.invites.c.address == address, s.invites.c.address != ""))
    return _gone(c, delete(s.codes).where(chat_or_address))


def _forget_parcels(c: Connection, person_id: int, keys: list[str], ids: list[str], now: datetime) -> int:
    """Open parcels end unsent. Lane and key of a chat bear its id, so they are replaced; a ticket's bear an opaque one."""
    p = s.parcels.c
    of_chats = [f"{kind}:{key}" for key in keys for kind in ("chat", "signin")]
    chats, tickets = p.lane.in_(of_chats), p.lane.in_([f"ticket:{id}" for id in ids] + [f"person:{person_id}"])
    wiped: dict[str, Any] = {"payload": {}, "last_error": "", "ready_at": None, "lease_until": None}
    theirs = or_(chats, tickets)
    c.execute(update(s.parcels).where(theirs, p.settled_at.is_(None)).values(settled_at=now, outcome="erased"))
    count = _gone(c, update(s.parcels).where(tickets).values(wiped))
    alias: dict[str, Any] = {"lane": "erased", "key": literal("erased:") + cast(p.id, Text)}
    count += _gone(c, update(s.parcels).where(chats).values(wiped | alias))
    c.execute(delete(s.lanes).where(s.lanes.c.lane.in_([*of_chats, *(f"ticket:{id}" for id in ids)])))
    return count


def _forget_tickets(c: Connection, ids: list[str], address: str) -> dict[str, int]:
    t, ledger = s.tickets.c, s.ledger
    blank = dict.fromkeys(("chat_key", "title", "description", "solution", "failure", "receipt_id"), "")
    return {
        "letters": _gone(c, update(s.letters).where(s.letters.c.ticket_id.in_(ids)).values(letter={}, answer="")),
        "mails": _gone(
            c,
            update(s.mails)
            .where(_mails_of(ids, address))
            .values(raw=None, path="", sender="", subject="", reason="", message_id=""),
        ),
        "messages": _gone(c, delete(s.ticket_messages).where(s.ticket_messages.c.ticket_id.in_(ids))),
        "ledger": _gone(c, update(ledger).where(ledger.c.ticket_id.in_(ids)).values({"values": {}})),
        "ratings": _gone(c, update(s.ratings).where(s.ratings.c.ticket_id.in_(ids)).values(text="")),
        "tickets": _gone(c, update(s.tickets).where(t.id.in_(ids)).values(blank | {"contacts": {}, "fields": []})),
    }


def _forget_person(c: Connection, person_id: int, now: datetime) -> int:
    """The row stays, nameless: its tickets hang on it. The address is free for whoever comes next."""
    blank = dict.fromkeys(("name", "phone", "office", "department", "role", "own_role", "consent"), "")
    values: dict[str, Any] = blank | {"address": None, "attributes": {}, "erased_at": now}
    found = update(s.people).where(s.people.c.id == person_id, s.people.c.erased_at.is_(None))
    return _gone(c, found.values(values | {"gone_at": func.coalesce(s.people.c.gone_at, literal(now, Moment))}))


def _files_of(keys: list[str], ids: list[str]) -> Any:
    """Of their tickets, and of their drafts (which bear the chat only)."""
    return or_(s.files.c.ticket_id.in_(ids), s.files.c.chat_key.in_(keys))


def _mails_of(ids: list[str], address: str) -> Any:
    if not address:
        return s.mails.c.ticket_id.in_(ids)
    return or_(s.mails.c.ticket_id.in_(ids), s.mails.c.sender == address)


def _gone(c: Connection, statement: Any) -> int:
    return c.execute(statement).rowcount
