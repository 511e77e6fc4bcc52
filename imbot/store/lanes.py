"""Lanes of the outbox: what holds them, what an admin may do to a parcel, and looking at both. `store.outbox` offers all
of this under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    text,
    update,
)

from imbot.domain.parcels import Kind, Parcel, is_lane_of_chat
from imbot.store.schema import lanes, parcels
from imbot.store.sql import Prepared, dialect, insert
from imbot.store.touched import OUTBOX, touch

Rewrite = Callable[[Parcel], tuple[Kind, Mapping[str, Any]]]

_P = parcels.c
_OPEN = text("settled_at IS NULL")  # word for word as in the index
_WAITS = text("settled_at IS NULL AND waits_for <> ''")
_WAITING_LANES = Prepared(select(_P.lane).where(_WAITS, _P.waits_for == bindparam("for")).distinct())
_OF_LANE = Prepared(select(parcels).where(_P.lane == bindparam("which"), _OPEN).order_by(_P.id))
# Lanes whose names begin so lie together in the index: ":" is followed by ";".
_IN_VAIN = Prepared(
    select(parcels)
    .where(_OPEN, _P.lane >= bindparam("first"), _P.lane < bindparam("behind"))
    .where(_P.kind == bindparam("kind"), _P.created_at < bindparam("before"), _P.lease_until.is_(None))
    .limit(bindparam("limit"))
)
_OPEN_LANES = select(_P.lane).where(_OPEN).distinct()
# What waits for something holds nobody up: a request whose letter is put late (its photo came down late) must pass an addition
# that waits for that very request's number.
head = (
    select(func.min(_P.id))
    .where(_P.lane == bindparam("which"), text("settled_at IS NULL"), _P.waits_for == "")
    .scalar_subquery()
)
suspended_lane = exists().where(lanes.c.lane == bindparam("which"))
_WAKE = Prepared(
    update(parcels)
    .where(_P.id == head)
    .values(ready_at=case((suspended_lane, null()), else_=func.coalesce(_P.lease_until, _P.due_at)))
)


_ANY_OPEN = exists().where(_P.lane == bindparam("which"), text("settled_at IS NULL"))
_BUSY = Prepared(select(or_(_ANY_OPEN, suspended_lane).label("busy")))
_STANDS_OPEN = Prepared(
    select(_P.id)
    .where(_P.lane == bindparam("which"), _OPEN, _P.lease_until.is_(None))
    .where(func.substr(_P.key, 1, func.length(bindparam("start"))) == bindparam("start"))
    .limit(1)
)


_END_LANE = Prepared(
    update(parcels)
    .where(_P.lane == bindparam("which"), _OPEN)
    .values(settled_at=bindparam("now"), outcome=bindparam("how"), lease_until=None, ready_at=None)
)
_FREE = Prepared(delete(lanes).where(lanes.c.lane == bindparam("which")))


@dataclass(frozen=True, slots=True)
class StoredParcel:
    """A parcel as it lies in the table. `parcel.attempt`: the claims so far. `suspended`: its lane is."""

    parcel: Parcel
    settled_at: datetime | None
    outcome: str
    lease_until: datetime | None
    urgent: bool
    suspended: bool


def wake(c: Connection, lane: str) -> None:
    """Sets the head of `lane` ready, or not, as things stand. Follows every change to a lane."""
    if _WAKE.run(c, which=lane):
        touch(c, OUTBOX)


def suspend(c: Connection, lane: str, reason: str, now: datetime) -> None:
    """Nothing of `lane` goes until `resume`. A claim under way may still be settled. The first reason stays."""
    put = insert(dialect(c), lanes).on_conflict_do_nothing()
    c.execute(put, {"lane": lane, "reason": reason, "suspended_at": now})
    wake(c, lane)


def resume(c: Connection, lane: str) -> bool:
    """False: it was not suspended."""
    if c.execute(delete(lanes).where(lanes.c.lane == lane)).rowcount < 1:
        return False
    wake(c, lane)
    return True


def is_suspended(c: Connection, lane: str) -> bool:
    return c.execute(select(lanes.c.lane).where(lanes.c.lane == lane)).first() is not None


def suspended(c: Connection) -> list[tuple[str, str, datetime]]:
    """(lane, reason, since), the longest first."""
    found = select(lanes.c.lane, lanes.c.reason, lanes.c.suspended_at).order_by(lanes.c.suspended_at, lanes.c.lane)
    return [(row.lane, row.reason, row.suspended_at) for row in c.execute(found)]


def release(c: Connection, waits_for: str) -> int:
    """What the parcels waited for has come. Returns how many waited."""
    names = [row.lane for row in _WAITING_LANES.all(c, **{"for": waits_for})]
    if not names:
        return 0
    released = c.execute(update(parcels).where(_WAITS, _P.waits_for == waits_for).values(waits_for="")).rowcount
    for lane in names:
        _wake_anew(c, lane)  # they are older than what has passed them
    return released


def waiting(c: Connection, before: datetime) -> list[Parcel]:
    """Open parcels that wait for something since `before`, the longest first."""
    found = select(parcels).where(_WAITS, _P.created_at < before).order_by(_P.id)
    return [parcel_of(row) for row in c.execute(found)]


def count_waiting(c: Connection, waits_for: str) -> int:
    """How many parcels wait for this very thing."""
    found = select(func.count()).select_from(parcels).where(_WAITS, _P.waits_for == waits_for)
    return c.execute(found).scalar_one()


def readdress(
    c: Connection,
    from_lane: str,
    to_lane: str,
    target: str,
    now: datetime,
    rewrite: Rewrite | None = None,
    which: Callable[[Parcel], bool] | None = None,
) -> int:
    """The open parcels of a lane, of them all those that `which` holds for, go another way, in order and under their keys, at
    once. Returns how many.

    `rewrite` gives kind and payload for the new way. A claim under way loses its lease; its holder must not settle it. What
    another far end has said of them says nothing of this one (`outbox.stuck`).
    """
    moved = [one for one in of_lane(c, from_lane) if which is None or which(one)]
    for parcel in moved:
        kind, payload = rewrite(parcel) if rewrite else (parcel.kind, parcel.payload)
        values = {"lane": to_lane, "target": target, "kind": kind, "payload": payload, "due_at": now}
        if parcel.target != target:
            values["last_error"] = ""
        c.execute(update(parcels).where(_P.id == parcel.id).values(values | {"lease_until": None, "ready_at": None}))
    _wake_anew(c, from_lane)
    _wake_anew(c, to_lane)
    return len(moved)


def retry(c: Connection, id: int, now: datetime) -> bool:
    """Opens a parcel again, settled or not, and lets it go at once, its lane with it. False: no such parcel, or its body
    is gone."""
    stored = get(c, id)
    if stored is None or (stored.settled_at is not None and not stored.parcel.payload):
        return False
    values = {"settled_at": None, "outcome": "", "due_at": now, "created_at": now, "lease_until": None, "waits_for": ""}
    c.execute(update(parcels).where(_P.id == id).values(values))
    c.execute(delete(lanes).where(lanes.c.lane == stored.parcel.lane))
    _wake_anew(c, stored.parcel.lane)
    return True


def drop(c: Connection, id: int, now: datetime) -> bool:
    """An admin gives a parcel up; the next of its lane may go. False: it was settled, or there is none."""
    stored = get(c, id)
    if stored is None or stored.settled_at is not None:
        return False
    c.execute(_close(now, "dropped").where(_P.id == id))
    wake(c, stored.parcel.lane)
    return True


def settle_lane(c: Connection, lane: str, outcome: str, now: datetime) -> int:
    """Ends every open parcel of a lane, claimed or not (its ticket has ended)."""
    ended = _END_LANE.run(c, which=lane, now=now, how=outcome)
    _FREE.run(c, which=lane)
    return ended


def get(c: Connection, id: int) -> StoredParcel | None:
    found = _stored(c, _with_lanes().where(_P.id == id))
    return found[0] if found else None


def is_free(c: Connection, lane: str) -> bool:
    """Whether nothing in `lane` is open, and it is not suspended: what is put there now is its head, and may go."""
    return not _BUSY.value(c, which=lane)


def stands_open(c: Connection, lane: str, key_start: str) -> bool:
    """Whether a parcel whose key begins so waits in `lane`, and nobody has it in hand."""
    return _STANDS_OPEN.first(c, which=lane, start=key_start) is not None


def by_key(c: Connection, key: str) -> StoredParcel | None:
    found = _stored(c, _with_lanes().where(_P.key == key))
    return found[0] if found else None


def open_parcels(c: Connection, limit: int) -> list[StoredParcel]:
    """The oldest first."""
    return _stored(c, _with_lanes().where(_OPEN).order_by(_P.id).limit(limit))


def of_lane(c: Connection, lane: str) -> list[Parcel]:
    """The open parcels of a lane, in order."""
    return [parcel_of(row) for row in _OF_LANE.all(c, which=lane)]


def in_vain(c: Connection, kind: Kind, lanes_of: str, before: datetime, limit: int) -> list[Parcel]:
    """Open parcels of a kind that were put before then and that nobody has in hand, in the lanes `<lanes_of>:...`."""
    rows = _IN_VAIN.all(c, kind=kind, first=f"{lanes_of}:", behind=f"{lanes_of};", before=before, limit=limit)
    return [parcel_of(row) for row in rows]


def of_chat(c: Connection, chat_key: str) -> list[str]:
    """Its lanes in which something is open, by name: that of notices before those of receipts."""
    return sorted(lane for lane in c.execute(_OPEN_LANES).scalars() if is_lane_of_chat(lane, chat_key))


def prune(c: Connection, before: datetime) -> int:
    """What was settled before then loses its payload and its error; keys stay for ever, so nothing is ever put twice."""
    old = text("settled_at IS NOT NULL AND payload <> '{}'")
    found = update(parcels).where(old, _P.settled_at < before)
    return c.execute(found.values(payload={}, last_error="")).rowcount


def counts(c: Connection) -> dict[str, int]:
    """How many parcels are open by target, and `suspended` lanes and `waiting` parcels."""
    by_target = select(_P.target, func.count()).where(_OPEN).group_by(_P.target).order_by(_P.target)
    figures = {row[0]: row[1] for row in c.execute(by_target)}
    figures["suspended"] = c.execute(select(func.count()).select_from(lanes)).scalar_one()
    figures["waiting"] = c.execute(select(func.count()).select_from(parcels).where(_WAITS)).scalar_one()
    return figures


def parcel_of(row: Row[Any], attempt: int | None = None) -> Parcel:
    """A row of parcels; `attempt` stands for a claim that the row does not count yet."""
    return Parcel(
        id=row.id,
        lane=row.lane,
        target=row.target,
        key=row.key,
        kind=Kind(row.kind),
        payload=row.payload,
        due_at=row.due_at,
        created_at=row.created_at,
        attempt=row.attempts if attempt is None else attempt,
        waits_for=row.waits_for,
        last_error=row.last_error,
    )


def _wake_anew(c: Connection, lane: str) -> None:
    """`wake` where the head may have changed to an older parcel: the one that was ready is so no more."""
    c.execute(update(parcels).where(_P.lane == lane, _OPEN, text("ready_at IS NOT NULL")).values(ready_at=None))
    wake(c, lane)


def _close(now: datetime, outcome: str) -> Any:
    return update(parcels).values(settled_at=now, outcome=outcome, lease_until=None, ready_at=None)


def _with_lanes() -> Select[Any]:
    held = exists().where(lanes.c.lane == _P.lane)
    return select(parcels, held.label("held"))


def _stored(c: Connection, statement: Select[Any]) -> list[StoredParcel]:
    return [
        StoredParcel(parcel_of(row), row.settled_at, row.outcome, row.lease_until, row.urgent, row.held)
        for row in c.execute(statement)
    ]
