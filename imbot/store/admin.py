"""What only the command line and the nightly clean-up ask of the tables. Everything that a turn or a loop needs is elsewhere."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, select, text

from imbot.domain.tickets import ENDED
from imbot.store.lanes import StoredParcel, get
from imbot.store.schema import bad_updates, codes, ledger, parcels, ticket_numbers, tickets
from imbot.store.signin import CodeRow

_P = parcels.c


def codes_for_address(c: Connection, address: str, limit: int = 5) -> list[CodeRow]:
    """The codes minted for an address, the newest first."""
    found = select(codes).where(codes.c.address == address).order_by(codes.c.id.desc()).limit(limit)
    return [CodeRow(**row._mapping) for row in c.execute(found)]


def lookups_of_address(c: Connection, address: str, limit: int = 5) -> list[StoredParcel]:
    """The questions to the directory that a sign-in with this address put, the newest first (their keys end with it)."""
    found = select(_P.id).where(_P.kind == "lookup", func.substr(_P.key, -len(address) - 1) == f":{address}")
    ids = list(c.execute(found.order_by(_P.id.desc()).limit(limit)).scalars())
    return [parcel for parcel in (get(c, id) for id in ids) if parcel is not None]


def lookups_of_chat(c: Connection, chat_key: str, limit: int = 5) -> list[StoredParcel]:
    """The questions to the directory that sign-ins in this chat put, the newest first."""
    found = select(_P.id).where(_P.kind == "lookup", _P.lane == f"signin:{chat_key}")
    ids = list(c.execute(found.order_by(_P.id.desc()).limit(limit)).scalars())
    return [parcel for parcel in (get(c, id) for id in ids) if parcel is not None]


def tickets_matching(c: Connection, what: str, limit: int = 20) -> list[str]:
    """Ids of the tickets whose id, token or number is `what`, the newest first. Case does not matter, in any alphabet."""
    t = tickets.c
    word = what.strip().lower()
    token = word.removeprefix("imb:")
    same = (
        (func.lower(t.id) == word) | t.id.in_(_numbered(c, word)) | (func.lower(t.token).in_((token, f"imb:{token}")))
    )
    return list(c.execute(select(t.id).where(same).order_by(t.created_at.desc()).limit(limit)).scalars())


def _numbered(c: Connection, word: str) -> list[str]:
    """Ids of the tickets that a far end calls so. SQLite folds the case of ASCII only, so it finds what has the same shape,
    any letter in place of the others."""
    t, n = tickets.c, ticket_numbers.c
    shape = re.sub(r"[^0-9a-z./#-]", "_", word)
    found = select(t.id, t.number).where(t.number.ilike(shape))
    found_too = select(n.ticket_id, n.number).where(n.number.ilike(shape))
    return [id for id, number in c.execute(found.union(found_too)) if number and number.lower() == word]


def settled_parcels(c: Connection, limit: int) -> list[StoredParcel]:
    """What was settled last."""
    found = select(_P.id).where(_P.settled_at.is_not(None)).order_by(_P.settled_at.desc(), _P.id.desc()).limit(limit)
    return [parcel for parcel in (get(c, id) for id in c.execute(found).scalars().all()) if parcel is not None]


def newest_parcel(c: Connection) -> int:
    """The id of the parcel put last, 0 where there was none."""
    return c.execute(select(func.max(_P.id))).scalar() or 0


def parcels_since(c: Connection, id: int) -> list[StoredParcel]:
    """What was put behind that one, in order, settled or not."""
    found = c.execute(select(_P.id).where(_P.id > id).order_by(_P.id)).scalars().all()
    return [parcel for parcel in (get(c, each) for each in found) if parcel is not None]


def newest_line(c: Connection) -> int:
    """The id of the line that was written last into any ticket's ledger, 0 where there is none."""
    return c.execute(select(func.max(ledger.c.id))).scalar() or 0


def prune_ledger(c: Connection, before: datetime) -> int:
    """Forgets the history, older than that, of tickets that have ended; the tickets themselves and their ratings stay."""
    of_ended = exists().where(
        tickets.c.id == ledger.c.ticket_id, tickets.c.status.in_([str(status) for status in ENDED])
    )
    return c.execute(delete(ledger).where(ledger.c.at < before, of_ended)).rowcount


def prune_updates(c: Connection, before: datetime) -> int:
    """Forgets updates that were not understood, older than that."""
    return c.execute(delete(bad_updates).where(bad_updates.c.at < before)).rowcount


def integrity(c: Connection) -> str:
    """ "" where SQLite finds its file whole, else its first complaint. Reads the index pages, not every row."""
    if c.dialect.name != "sqlite":
        return ""
    answer = str(c.execute(text("PRAGMA quick_check(1)")).scalar())
    return "" if answer == "ok" else answer
