"""What came in: keys of updates and letters seen, raw letters and their fate, cursors, updates that were not understood.

kept -> (attempt counted)* -> applied | comment | ignored | duplicate | quarantined -> marked on the server
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, Text, bindparam, delete, func, literal_column, or_, select, text, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.cursors import cursor as cursor
from imbot.store.cursors import move_cursor as move_cursor
from imbot.store.cursors import set_cursor as set_cursor
from imbot.store.facts import fact as fact
from imbot.store.facts import fact_at as fact_at
from imbot.store.facts import set_fact as set_fact
from imbot.store.schema import bad_updates, mail_places, mails, seen_keys
from imbot.store.sql import Prepared, insert


@dataclass(frozen=True, slots=True)
class RawLetter:
    """The bytes as they came: `raw`, or the file at `path`."""

    id: int
    mailbox: str
    raw: bytes | None
    path: str
    size: int
    sha256: str
    attempts: int


@dataclass(frozen=True, slots=True)
class NewRaw:
    """A letter that is to be kept: where it lies on the server, and its bytes, or their file at `path`."""

    validity: str
    uid: str
    raw: bytes | None
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MailRow:
    """A letter without its bytes. `outcome`: "" until settled."""

    id: int
    mailbox: str
    kept_at: datetime
    size: int
    sha256: str
    path: str
    attempts: int
    outcome: str
    reason: str
    ticket_id: str
    settled_at: datetime | None
    sender: str
    subject: str
    message_id: str


@dataclass(frozen=True, slots=True)
class MailPlace:
    """Where a letter lies on the server: the account, UIDVALIDITY ("" for POP3), UID or UIDL."""

    mailbox: str
    validity: str
    uid: str
    mail_id: int


_FATE, _HEADERS = ("outcome", "reason", "ticket_id", "settled_at"), ("sender", "subject", "message_id")
_RAW = (mails.c.id, mails.c.mailbox, mails.c.raw, mails.c.path, mails.c.size, mails.c.sha256, mails.c.attempts)
_MAIL = tuple(column for column in mails.c if column.name not in ("raw", "announced_at"))
_UNREAD = text("settled_at IS NULL")  # word for word as in the index
_QUARANTINED = text("outcome = 'quarantined'")
_LAST = select(mails.c.sender).where(
    _QUARANTINED, mails.c.settled_at >= bindparam("since"), mails.c.settled_at <= bindparam("until")
)
_LAST_FEW = _LAST.order_by(mails.c.settled_at.desc()).limit(bindparam("most")).subquery()
_NEWLY = select(func.count()).select_from(_LAST_FEW)
_NEWLY_OF = _NEWLY.where(_LAST_FEW.c.sender == bindparam("whose"))
_KEPT = ("mailbox", "raw", "path", "size", "sha256", "kept_at")
_KEEP = Prepared(mails.insert().returning(mails.c.id))
# Many with one statement: each step of a statement lets go of the interpreter, and has to get it back.
_GROUP = 25
_KEEP_GROUP = Prepared(
    mails.insert().values(
        [{name: bindparam(f"{name}{place}", type_=mails.c[name].type) for name in _KEPT} for place in range(_GROUP)]
    )
)
_ALL_MARKED = (
    update(mail_places)
    .where(text("mail_places.marked_at IS NULL"), mail_places.c.mailbox == bindparam("box"))
    .values(marked_at=bindparam("now"))
)
_HASHES: Select[Any] = select(literal_column("value")).select_from(func.json_each(bindparam("hashes")))
_SAMES = Prepared(
    select(func.json_group_object(mails.c.sha256, mails.c.id).label("ids")).where(
        mails.c.mailbox == bindparam("box"), mails.c.sha256.in_(_HASHES)
    )
)
_UNREAD_BEHIND = select(*_RAW).where(_UNREAD, mails.c.id > bindparam("behind")).order_by(mails.c.id)
_UNREAD_BEHIND = _UNREAD_BEHIND.limit(bindparam("most"))
# The sign keeps SQLite from an index in which all settled letters stand.
_OF_MAILBOX = Prepared(_UNREAD_BEHIND.where(literal_column("+mails.mailbox", Text) == bindparam("box")))
_COUNT_MANY = Prepared(
    update(mails).where(mails.c.id == bindparam("this")).values(attempts=mails.c.attempts + bindparam("by"))
)
_MARKED = Prepared(
    update(mail_places)
    .where(
        mail_places.c.mailbox == bindparam("box"),
        mail_places.c.validity == bindparam("era"),
        mail_places.c.uid == bindparam("number"),
    )
    .values(marked_at=bindparam("now"))
)
_SETTLE = Prepared(
    update(mails)
    .where(mails.c.id == bindparam("this"))
    .values({name: bindparam(f"new_{name}") for name in (*_FATE, *_HEADERS)})
)
_FIRST_TIME = Prepared(insert("sqlite", seen_keys).on_conflict_do_nothing())
_IS_KNOWN = Prepared(select(seen_keys.c.key).where(seen_keys.c.key == bindparam("wanted")))
_CAME_TO_PASS = text("outcome IN ('applied', 'comment', 'noted', 'bounce', 'own')")
_CARRIED_OUT = Prepared(
    select(mails.c.id).where(mails.c.sha256 == bindparam("hash"), mails.c.id != bindparam("besides"), _CAME_TO_PASS)
)


_BOX = mail_places.c
_TO_MARK = Prepared(
    select(_BOX.mailbox, _BOX.validity, _BOX.uid, _BOX.mail_id)
    .join(mails, mails.c.id == _BOX.mail_id)
    .where(text("mail_places.marked_at IS NULL"), _BOX.mailbox == bindparam("box"), mails.c.settled_at.is_not(None))
    .order_by(_BOX.mail_id)
    .limit(bindparam("most"))
)


def _put_places() -> Insert:
    """A place that is known bears whatever lies there now, and is to be marked anew."""
    each = func.json_each(bindparam("places"))
    cells: list[Any] = [literal_column(f"json_extract(value, '$[{place}]')") for place in range(3)]
    rows: Select[Any] = select(bindparam("box", type_=Text), *cells).select_from(each).where(literal_column("1 = 1"))
    put = insert("sqlite", mail_places).from_select(["mailbox", "validity", "uid", "mail_id"], rows)
    renewed = {"mail_id": put.excluded.mail_id, "marked_at": None}
    return put.on_conflict_do_update(index_elements=["mailbox", "validity", "uid"], set_=renewed)


_PUT_PLACES = Prepared(_put_places())


def first_time(c: Connection, key: str, now: datetime) -> bool:
    """True once for each key, for ever."""
    return _FIRST_TIME.run(c, key=key, at=now) > 0


def is_known(c: Connection, key: str) -> bool:
    """Whether `first_time` was asked for it."""
    return _IS_KNOWN.first(c, wanted=key) is not None


def forget_key(c: Connection, key: str) -> None:
    c.execute(delete(seen_keys).where(seen_keys.c.key == key))


def keep_raw(
    c: Connection,
    mailbox: str,
    validity: str,
    uid: str | int,
    *,
    raw: bytes | None,
    path: str = "",
    size: int,
    sha256: str,
    now: datetime,
) -> int:
    """As `keep_many`, for one letter."""
    return keep_many(c, mailbox, [NewRaw(validity, str(uid), raw, path, size, sha256)], now)[0]


def keep_many(c: Connection, mailbox: str, letters: Sequence[NewRaw], now: datetime, *, account: str = "") -> list[int]:
    """Makes letters durable and returns their ids, in order. The same bytes at another place of this mailbox (a copy, a new
    UIDVALIDITY) are the same letter and keep its fate; other bytes at a known place are another letter. `account`: by
    which name their places are known, "" = the mailbox's."""
    ids = _kept(c, mailbox, letters, now)
    places = [(letter.validity, letter.uid, id) for letter, id in zip(letters, ids, strict=True)]
    _PUT_PLACES.run(c, box=account or mailbox, places=orjson.dumps(places).decode())
    return ids


def _kept(c: Connection, mailbox: str, letters: Sequence[NewRaw], now: datetime) -> list[int]:
    hashes = orjson.dumps([letter.sha256 for letter in letters]).decode()
    ids: dict[str, int] = orjson.loads(_SAMES.value(c, box=mailbox, hashes=hashes))
    rows = {each.sha256: (mailbox, each.raw, each.path, each.size, each.sha256, now) for each in letters}
    new: list[dict[str, Any]] = [dict(zip(_KEPT, row, strict=True)) for sha, row in rows.items() if sha not in ids]
    whole = len(new) - len(new) % _GROUP
    for first in range(0, whole, _GROUP):
        group = enumerate(new[first : first + _GROUP])
        _KEEP_GROUP.run(c, **{f"{name}{place}": row[name] for place, row in group for name in _KEPT})
    if whole:
        ids = orjson.loads(_SAMES.value(c, box=mailbox, hashes=hashes))
    for row in new[whole:]:
        ids[row["sha256"]] = int(_KEEP.value(c, **row))
    return [ids[letter.sha256] for letter in letters]


def keep_noted(c: Connection, mailbox: str, name: str, size: int, now: datetime) -> int:
    """A letter of which there are no bytes, under a `name` in place of their hash; it lies nowhere, so it is never marked."""
    return _kept(c, mailbox, [NewRaw("", "", None, "", max(size, 0), name)], now)[0]


def forget_places(c: Connection, account: str, now: datetime) -> None:
    """The server counts from the beginning: no place known before is to be marked any more."""
    c.execute(_ALL_MARKED, {"box": account, "now": now})


def unread(
    c: Connection,
    limit: int,
    mailbox: str = "",
    behind: int = 0,
    most_bytes: int = 1 << 30,
    besides: Sequence[str] = (),
) -> list[RawLetter]:
    """Letters without a fate behind that id, of one mailbox or of all but `besides`, the oldest first: as many as weigh
    `most_bytes` together, and at least one."""
    found: list[RawLetter] = []
    weight = 0
    for row in _unread(c, limit, mailbox, behind, besides):
        weight += row.size
        if found and weight > most_bytes:
            break
        found.append(RawLetter(*row))
    return found


def _unread(c: Connection, limit: int, mailbox: str, behind: int, besides: Sequence[str]) -> Iterable[Any]:
    if mailbox:
        return _OF_MAILBOX.all(c, box=mailbox, behind=behind, most=limit)
    statement = _UNREAD_BEHIND.where(mails.c.mailbox.not_in(besides)) if besides else _UNREAD_BEHIND
    return c.execute(statement, {"behind": behind, "most": limit})


def is_unread(c: Connection, id: int) -> bool:
    return c.execute(select(mails.c.id).where(mails.c.id == id, mails.c.settled_at.is_(None))).first() is not None


def raw_letter(c: Connection, id: int) -> RawLetter | None:
    row = c.execute(select(*_RAW).where(mails.c.id == id)).first()
    return None if row is None else RawLetter(*row)


def count_attempts(c: Connection, ids: Sequence[int], by: int = 1) -> None:
    """Counts readings before they begin, since each may be the last; `by` -1 takes back what was counted and did not
    come to be."""
    _COUNT_MANY.run_many(c, ({"this": id, "by": by} for id in ids))


def settle_mail(
    c: Connection,
    id: int,
    outcome: str,
    *,
    now: datetime,
    reason: str = "",
    ticket_id: str = "",
    sender: str = "",
    subject: str = "",
    message_id: str = "",
) -> None:
    """The letter's fate: applied, comment, quarantined, ignored, duplicate."""
    values = (outcome, reason, ticket_id, now, sender, subject, message_id)
    named = {f"new_{name}": value for name, value in zip((*_FATE, *_HEADERS), values, strict=True)}
    _SETTLE.run(c, this=id, **named)


def carried_out_as(c: Connection, sha256: str, besides: int = 0) -> int:
    """The letter of these bytes, in whatever mailbox, that something has come of; 0: none. `besides`: a letter not to look at."""
    row = _CARRIED_OUT.first(c, hash=sha256, besides=besides)
    return int(row.id) if row else 0


def reopen_mail(c: Connection, id: int) -> bool:
    """Replay: the letter is unread again, with all its tries. False: there is none, or its bytes were pruned."""
    here = or_(mails.c.raw.is_not(None), mails.c.path != "")
    values = {"outcome": "", "reason": "", "settled_at": None, "attempts": 0}
    return c.execute(update(mails).where(mails.c.id == id, here).values(values)).rowcount > 0


def to_mark(c: Connection, mailbox: str, limit: int = 500) -> list[MailPlace]:
    """Where letters lie whose fate is decided and that the server does not know to be read yet."""
    return [MailPlace(*row) for row in _TO_MARK.all(c, box=mailbox, most=limit)]


def marked(c: Connection, places: Iterable[MailPlace], now: datetime) -> None:
    """The server knows, or has no such letter any more."""
    _MARKED.run_many(
        c, ({"box": place.mailbox, "era": place.validity, "number": place.uid, "now": now} for place in places)
    )


def quarantined(c: Connection, since: datetime, limit: int) -> list[MailRow]:
    """Put aside since then, the newest first."""
    found = select(*_MAIL).where(_QUARANTINED, mails.c.settled_at >= since)
    return _mails(c, found.order_by(mails.c.settled_at.desc(), mails.c.id.desc()).limit(limit))


def dropped(c: Connection, since: datetime, limit: int) -> list[MailRow]:
    """Put aside, and dropped by an admin since then, the newest first."""
    found = select(*_MAIL).where(mails.c.outcome == "dropped", mails.c.settled_at >= since)
    return _mails(c, found.order_by(mails.c.settled_at.desc(), mails.c.id.desc()).limit(limit))


def unbound(c: Connection) -> list[int]:
    """Letters that no ticket has and whose bytes are still here."""
    here = or_(mails.c.raw.is_not(None), mails.c.path != "")
    found = select(mails.c.id).where(mails.c.ticket_id == "", mails.c.settled_at.is_not(None), here)
    return list(c.execute(found.order_by(mails.c.id)).scalars())


def drop_raw(c: Connection, id: int) -> None:
    """Its bytes are nobody's business any more; a file of them is swept away by the nightly clean-up."""
    c.execute(update(mails).where(mails.c.id == id).values(raw=None, path=""))


def carried_out(c: Connection, limit: int) -> list[MailRow]:
    """Letters that were bound to a ticket and whose bytes are still here, the newest first."""
    here = or_(mails.c.raw.is_not(None), mails.c.path != "")
    found = select(*_MAIL).where(mails.c.outcome.in_(("applied", "comment", "noted")), mails.c.ticket_id != "", here)
    return _mails(c, found.order_by(mails.c.settled_at.desc(), mails.c.id.desc()).limit(limit))


def newly_set_aside(c: Connection, since: datetime, until: datetime, sender: str | None, most: int = 500) -> int:
    """How many of the `most` letters that were set aside last, since then, are of this sender, or of anybody. Asked for each
    letter of a flood, so it looks at no more."""
    values = {"since": since, "until": until, "most": most}
    found = c.execute(_NEWLY, values) if sender is None else c.execute(_NEWLY_OF, values | {"whose": sender})
    return found.scalar() or 0


def count_set_aside(c: Connection, since: datetime, sender: str | None = None, first: int = 0) -> int:
    """How many letters were set aside since then: of this sender, or of anybody; from the letter `first` on."""
    found = select(func.count()).select_from(mails)
    found = found.where(_QUARANTINED, mails.c.settled_at >= since, mails.c.id >= first)
    if sender is not None:
        found = found.where(mails.c.sender == sender)
    return c.execute(found).scalar() or 0


def get_mail(c: Connection, id: int) -> MailRow | None:
    found = _mails(c, select(*_MAIL).where(mails.c.id == id))
    return found[0] if found else None


def keep_update(c: Connection, raw: dict[str, Any] | str, error: str, now: datetime) -> int:
    """An update that could not be understood is kept whole; returns its id."""
    whole = raw if isinstance(raw, str) else orjson.dumps(raw).decode()
    kept = bad_updates.insert().returning(bad_updates.c.id)
    return int(c.execute(kept, {"raw": whole, "error": error, "at": now}).scalar_one())


def raw_to_prune(c: Connection, before: datetime, limit: int = 1000) -> list[tuple[int, str]]:
    """(id, path) of settled letters older than that whose bytes are still here; path "" where they lie in the table."""
    found = select(mails.c.id, mails.c.path).where(*_old(before)).order_by(mails.c.kept_at).limit(limit)
    return [(row.id, row.path) for row in c.execute(found)]


def prune_raw(c: Connection, before: datetime, ids: Sequence[int] | None = None) -> int:
    """Forgets the bytes of settled letters older than that (of `ids` among them); their identity and fate stay."""
    found = update(mails).where(*_old(before))
    if ids is not None:
        found = found.where(mails.c.id.in_(ids))
    return c.execute(found.values(raw=None, path="")).rowcount


def _old(before: datetime) -> tuple[Any, ...]:
    return (text("(raw IS NOT NULL OR path <> '')"), mails.c.kept_at < before, mails.c.settled_at.is_not(None))


def _mails(c: Connection, statement: Any) -> list[MailRow]:
    return [_mail(row) for row in c.execute(statement)]


def _mail(row: Row[Any]) -> MailRow:
    return MailRow(**row._mapping)
