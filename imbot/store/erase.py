"""Erasing a person. Numbers, times, categories and stars stay for the statistics; whatever says who they are or what they
wrote goes. Nothing on the disk is touched here: `paths_of` says what the caller must delete once this is committed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, bindparam, cast, delete, func, literal, or_, select, update

from imbot.domain.parcels import Kind, is_lane_of_chat, lane_of_receipts
from imbot.store import schema as s
from imbot.store import watches
from imbot.store.columns import Json, Moment
from imbot.store.lanes import wake

_FOR_STRANGERS = ("signin:", "code:", "admins")  # lanes in which an open parcel may speak of somebody else


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What tells their rows from others': chats linked now or once of a ticket of theirs, tickets, files, address; `mails`:
    letters that no ticket has and that are about theirs all the same."""

    person_id: int
    keys: tuple[str, ...]
    tickets: tuple[str, ...]
    files: tuple[str, ...]
    address: str
    mails: tuple[int, ...] = ()

    @property
    def lanes(self) -> list[str]:
        of_chats = [f"{kind}:{key}" for key in self.keys for kind in ("chat", "receipts", "signin", "code")]
        of_tickets = [f"{kind}:{id}" for id in self.tickets for kind in ("ticket", "late")]
        of_address = [f"mail:{self.address}"] if self.address else []
        return of_chats + of_tickets + of_address + [f"mail:{self.person_id}", f"person:{self.person_id}"]

    def has(self, lane: str) -> bool:
        """Whether it is one of `lanes`, or of receipts: of any chat of theirs, and of their tickets in whichever chat."""
        of_ticket = any(lane.startswith(lane_of_receipts("", id)) for id in self.tickets)
        return of_ticket or lane in self.lanes or any(is_lane_of_chat(lane, key) for key in self.keys)

    def pattern(self, *, address: bool = True) -> re.Pattern[str] | None:
        """Finds any opaque id, or the address, in a text; None where there is nothing to find."""
        wanted = (*self.tickets, *self.files, self.address if address else "")
        words = [re.escape(word) for word in wanted if word]
        return re.compile("|".join(words)) if words else None


def paths_of(c: Connection, person_id: int, mails: Collection[int] = ()) -> list[str]:
    """Files on the disk that are theirs: what they sent, and letters about their tickets, `mails` among them. Asked before
    `erase`."""
    mine = replace(_theirs(c, person_id), mails=tuple(mails))
    sent = select(s.files.c.path).where(_files_of(mine), s.files.c.path != "")
    came = select(s.mails.c.path).where(_mails_of(mine), s.mails.c.path != "")
    got = select(s.received_files.c.path).where(_received_by(mine), s.received_files.c.path != "")
    return sorted({path for found in (sent, came, got) for path in c.execute(found).scalars()})


def erase(c: Connection, person_id: int, now: datetime, mails: Collection[int] = ()) -> dict[str, int]:
    """Removes or pseudonymises all that is theirs, the letters `mails` that no ticket has among it. Says how many of what:
    chats, sessions, codes, parcels, updates, files, received, letters, mails, messages, ledger, ratings, tickets, person (0:
    nobody of this id, or before). Idempotent."""
    mine = replace(_theirs(c, person_id), mails=tuple(mails))
    counted = {
        "chats": _gone(c, delete(s.chats).where(s.chats.c.key.in_(mine.keys))),
        "sessions": _gone(c, delete(s.sessions).where(s.sessions.c.chat_key.in_(mine.keys))),
        "codes": _forget_signin(c, mine),
        "parcels": _forget_parcels(c, mine, now),
        "updates": _forget_updates(c, mine),
        "files": _gone(c, delete(s.files).where(_files_of(mine))),
        "received": _gone(c, delete(s.received_files).where(_received_by(mine))),
    }
    c.execute(delete(s.letter_texts).where(s.letter_texts.c.ticket_id.in_(mine.tickets)))
    c.execute(delete(s.slots).where(s.slots.c.chat_key.in_(mine.keys)))
    _forget_strangers(c, mine)
    watches.forget_persons(c, mine.tickets, mine.keys, mine.address, now)
    c.execute(update(s.invites).where(s.invites.c.used_by.in_(mine.keys)).values(used_by=""))
    return counted | _forget_tickets(c, mine) | {"person": _forget_person(c, person_id, now)}


def _theirs(c: Connection, person_id: int) -> _Theirs:
    linked = select(s.chats.c.key).where(s.chats.c.person_id == person_id)
    rows = c.execute(select(s.tickets.c.id, s.tickets.c.chat_key).where(s.tickets.c.person_id == person_id)).all()
    address = c.execute(select(s.people.c.address).where(s.people.c.id == person_id)).scalar() or ""
    once = {row.chat_key for row in rows if row.chat_key}
    # A chat that speaks for somebody else by now is theirs.
    others = select(s.chats.c.key).where(s.chats.c.key.in_(once), s.chats.c.person_id != person_id)
    keys = (once | set(c.execute(linked).scalars())) - set(c.execute(others).scalars())
    mine = _Theirs(person_id, tuple(sorted(keys)), tuple(row.id for row in rows), (), address)
    return replace(mine, files=tuple(c.execute(select(s.files.c.id).where(_files_of(mine))).scalars()))


def _forget_signin(c: Connection, mine: _Theirs) -> int:
    keys, address = mine.keys, mine.address
    by_address = and_(s.codes.c.address == address, s.codes.c.address != "")
    chat_or_address = or_(s.codes.c.chat_key.in_(keys), by_address)
    c.execute(delete(s.code_asks).where(s.code_asks.c.chat_key.in_(keys)))
    c.execute(delete(s.code_failures).where(s.code_failures.c.chat_key.in_(keys)))
    c.execute(delete(s.invites).where(s.invites.c.address == address, s.invites.c.address != ""))
    return _gone(c, delete(s.codes).where(chat_or_address))


def _forget_parcels(c: Connection, mine: _Theirs, now: datetime) -> int:
    """Open parcels of theirs end unsent; settled ones of others that speak of them (an alert to an admin, a code that a
    stranger asked for) lose their body. Lanes and keys that bear a chat's id or an address are replaced."""
    p = s.parcels.c
    own, named, spoken, lanes = _parcels_of(c, mine)
    ended = update(s.parcels).where(p.id == bindparam("this"), p.settled_at.is_(None))
    wiped: dict[str, Any] = {"payload": {}, "last_error": "", "ready_at": None, "lease_until": None}
    alias: dict[str, Any] = {"lane": "erased", "key": literal("erased:") + cast(p.id, Text)}
    _each(c, ended.values(settled_at=now, outcome="erased"), own)
    _each(c, update(s.parcels).where(p.id == bindparam("this")).values(wiped), {*own, *spoken})
    _each(c, update(s.parcels).where(p.id == bindparam("this")).values(alias), named)
    c.execute(delete(s.lanes).where(s.lanes.c.lane.in_(mine.lanes)))
    for lane in lanes:  # what stood behind a parcel of theirs, and is somebody else's, may go now
        wake(c, lane)
    return len({*own, *spoken})


def _parcels_of(c: Connection, mine: _Theirs) -> tuple[list[int], list[int], list[int], set[str]]:
    """Ids of parcels that are theirs, that bear a name of theirs outside, and that are others' and settled but speak of
    them; and the lanes of the first. Reads the whole table once: erasing is rare, and nothing may slip through."""
    p = s.parcels.c
    word, ids = mine.pattern(), mine.pattern(address=False)
    alerts = {f"alert:mail:{id}" for id in mine.mails}
    own, named, spoken, lanes = [], [], [], set()
    for row in c.execute(select(p.id, p.lane, p.key, p.kind, p.settled_at, cast(p.payload, Text).label("body"))):
        whole = f"{row.lane} {row.key} {row.body}"
        speaks = row.key in alerts or (word is not None and word.search(whole) is not None)
        in_ticket = row.lane.startswith(("ticket:", "late:"))
        of_ticket = in_ticket and ids is not None and ids.search(whole) is not None  # not who only names their address
        ticket = _news_of(row)
        theirs = ticket in mine.tickets if ticket else mine.has(row.lane)
        if theirs or of_ticket or (speaks and row.lane.startswith(_FOR_STRANGERS)):
            own.append(row.id)
            lanes.add(row.lane)
            if not in_ticket:
                named.append(row.id)
        elif speaks and row.settled_at is not None:
            spoken.append(row.id)
            if mine.address and mine.address in f"{row.lane} {row.key}":
                named.append(row.id)
    return own, named, spoken, lanes


def _news_of(row: Row[Any]) -> str:
    """The ticket that a parcel waits to tell of; "" where it is none. In the lane of a chat that has become somebody else's it is
    still its requester's."""
    waits = row.settled_at is None and row.kind in (Kind.NOTICE, Kind.FILE)
    return Json.from_driver(row.body).get("ticket") or "" if waits else ""


def _forget_strangers(c: Connection, mine: _Theirs) -> None:
    """Where somebody who is not signed in has typed their address, the sign-in begins anew."""
    if not mine.address:
        return
    linked = select(s.chats.c.key).where(s.chats.c.person_id.is_not(None))
    for table, column in ((s.sessions, s.sessions.c.data), (s.slots, s.slots.c.screen)):
        typed = cast(column, Text).contains(mine.address, autoescape=True)
        c.execute(delete(table).where(table.c.chat_key.not_in(linked), typed))


def _forget_updates(c: Connection, mine: _Theirs) -> int:
    """Updates that were not understood bear the whole of what somebody wrote, and the chat's id."""
    u = s.bad_updates.c
    ids = [re.escape(key.partition(":")[2]) for key in mine.keys]
    word = re.compile(rf"(?<![\w])(?:{'|'.join(ids)})(?![\w])")
    rows = c.execute(select(u.id, u.raw)).all() if ids else []
    return _each(c, delete(s.bad_updates).where(u.id == bindparam("this")), [r.id for r in rows if word.search(r.raw)])


def _forget_tickets(c: Connection, mine: _Theirs) -> dict[str, int]:
    t, ledger, ids = s.tickets.c, s.ledger, mine.tickets
    theirs = select(s.letters.c.message_id).where(s.letters.c.ticket_id.in_(ids))
    c.execute(delete(s.told).where(s.told.c.message_id.in_(theirs)))
    aside = s.mails.c.outcome.in_(("quarantined", "dropped"))
    c.execute(
        update(s.mails).where(_mails_of(mine), aside).values(outcome="erased")
    )  # nothing of it is left to decide about
    blank = dict.fromkeys(("chat_key", "title", "description", "solution", "failure", "receipt_id"), "")
    return {
        "letters": _gone(
            c, update(s.letters).where(s.letters.c.ticket_id.in_(ids)).values(letter={}, echoes={}, answer="")
        ),
        "mails": _gone(
            c,
            update(s.mails)
            .where(_mails_of(mine))
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


def _files_of(mine: _Theirs) -> Any:
    """Of their tickets, and of their drafts (which bear the chat only)."""
    return or_(s.files.c.ticket_id.in_(mine.tickets), s.files.c.chat_key.in_(mine.keys))


def _received_by(mine: _Theirs) -> Any:
    return s.received_files.c.ticket_id.in_(mine.tickets)


def _mails_of(mine: _Theirs) -> Any:
    by_sender = and_(s.mails.c.sender == mine.address, s.mails.c.sender != "")
    return or_(s.mails.c.ticket_id.in_(mine.tickets), by_sender, s.mails.c.id.in_(mine.mails))


def _gone(c: Connection, statement: Any) -> int:
    return c.execute(statement).rowcount


def _each(c: Connection, statement: Any, ids: Collection[int]) -> int:
    if ids:
        c.execute(statement, [{"this": id} for id in ids])
    return len(ids)
