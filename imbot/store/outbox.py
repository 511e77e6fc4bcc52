"""Parcels: put, claimed, settled. Only the head of a lane may be claimed: nothing overtakes in it but what waits.

    put -> ready -> claimed (attempt counted, lease) -> settled
             ^--------- again, uncount, lease ran out

`ready_at` is set on exactly one kind of row: of a lane that is not suspended, the oldest open parcel that waits for nothing
(`waits_for`). It is the later of its due moment and its lease, so that a claim reads one index and no settled row, however
many parcels there are. `lanes.wake` keeps it true and follows every change to a lane. When to try again and when to give
up is decided in `domain.parcels`; holding, re-addressing and looking at lanes lives in `store.lanes`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    select,
    text,
    update,
)

from imbot.domain.calendar import AHEAD
from imbot.domain.letters import Letter
from imbot.domain.parcels import LEASE, Kind, NewParcel, Parcel
from imbot.store.claims import claim as claim
from imbot.store.claims import claim_for as claim_for
from imbot.store.claims import look as look
from imbot.store.claims import taken as taken
from imbot.store.columns import Json
from imbot.store.epoch import HELD, held_mark
from imbot.store.epoch import confirm_epoch as confirm_epoch
from imbot.store.epoch import epoch as epoch
from imbot.store.epoch import held as held
from imbot.store.facts import fact, noted_last, set_fact
from imbot.store.lanes import StoredParcel as StoredParcel
from imbot.store.lanes import by_key as by_key
from imbot.store.lanes import count_waiting as count_waiting
from imbot.store.lanes import counts as counts
from imbot.store.lanes import drop as drop
from imbot.store.lanes import get as get
from imbot.store.lanes import head, parcel_of, stands_open, suspended_lane, wake
from imbot.store.lanes import in_vain as in_vain
from imbot.store.lanes import is_free as is_free
from imbot.store.lanes import is_suspended as is_suspended
from imbot.store.lanes import of_chat as of_chat
from imbot.store.lanes import of_lane as of_lane
from imbot.store.lanes import open_parcels as open_parcels
from imbot.store.lanes import prune as prune
from imbot.store.lanes import readdress as readdress
from imbot.store.lanes import release as release
from imbot.store.lanes import resume as resume
from imbot.store.lanes import retry as retry
from imbot.store.lanes import settle_lane as settle_lane
from imbot.store.lanes import suspend as suspend
from imbot.store.lanes import suspended as suspended
from imbot.store.lanes import waiting as waiting
from imbot.store.schema import parcels
from imbot.store.sql import Prepared
from imbot.store.touched import OUTBOX, note_taken, touch

_P = parcels.c
_PUT_BACK = "clock_put_back"  # a fact: until when a clock had run ahead that was found put right at a start
_LOSE_BODY = frozenset({Kind.CODE})


# A head that nothing holds is taken with the transaction that put it, as long as little else is under way.
_FEW = 8
# The newest is its lane's head where nothing else of it is: what `lanes.wake` would find, known as it is put.
_PUT = Prepared(
    text(
        """INSERT INTO parcels
             (lane, target, "key", kind, payload, due_at, created_at, waits_for, urgent, attempts, lease_until, ready_at)
           SELECT :lane, :target, :key, :kind, :payload, :due_at, :created_at, :waits_for, :urgent,
             taken, CASE WHEN taken THEN :until END, CASE WHEN taken THEN :until WHEN heads THEN :due_at END
           FROM (SELECT heads, heads AND :take AND :due_at <= :created_at
                     AND NOT EXISTS (SELECT 1 FROM facts WHERE name = :held AND value = '1')
                     AND (SELECT count(*) FROM (SELECT 1 FROM parcels INDEXED BY ix_parcels_leases
                                                WHERE lease_until IS NOT NULL LIMIT :few)) < :few AS taken
                 FROM (SELECT :waits_for = ''
                     AND NOT EXISTS (SELECT 1 FROM parcels WHERE lane = :lane AND settled_at IS NULL AND waits_for = '')
                     AND NOT EXISTS (SELECT 1 FROM lanes WHERE lane = :lane) AS heads))
           WHERE true
           ON CONFLICT ("key") DO NOTHING
           RETURNING id, attempts, ready_at"""
    )
    .bindparams(
        bindparam("payload", type_=_P.payload.type),
        bindparam("due_at", type_=_P.due_at.type),
        bindparam("created_at", type_=_P.due_at.type),
        bindparam("until", type_=_P.due_at.type),
        held=HELD,
        few=_FEW,
    )
    .columns(_P.id, _P.attempts, _P.ready_at)
)
_TAKE = Prepared(
    update(parcels)
    .where(_P.key == bindparam("this"), _P.id == head, _P.lease_until.is_(None), ~suspended_lane)
    .where(_P.due_at <= bindparam("now"), ~held_mark)
    .where(
        text(
            "(SELECT count(*) FROM (SELECT 1 FROM parcels INDEXED BY ix_parcels_leases WHERE lease_until IS NOT NULL"
            " LIMIT :few)) < :few"
        ).bindparams(few=_FEW)
    )
    .values(attempts=_P.attempts + 1, lease_until=bindparam("until"), ready_at=bindparam("until"))
    .returning(*_P)
)
# What was put for a later moment; one that has failed waits for its next try.
_HASTEN = Prepared(
    update(parcels)
    .where(_P.lane == bindparam("which"), text("settled_at IS NULL"), _P.lease_until.is_(None), _P.last_error == "")
    .where(_P.due_at > bindparam("now"), func.substr(_P.key, 1, func.length(bindparam("start"))) == bindparam("start"))
    .values(due_at=bindparam("now"))
    .returning(_P.key)
)
_MINE = and_(_P.id == bindparam("this"), _P.attempts == bindparam("attempt"), _P.settled_at.is_(None))
_SETTLED = (
    update(parcels)
    .where(_MINE)
    .values(settled_at=bindparam("now"), outcome=bindparam("how"), lease_until=None, ready_at=None)
    .returning(_P.lane)  # it may stand in another lane by now: readdress
)
_SETTLE = Prepared(_SETTLED)
_SETTLE_WITH = Prepared(_SETTLED.values(payload=bindparam("body")))
_AGAIN = Prepared(
    update(parcels)
    .where(_MINE)
    .values(
        due_at=bindparam("due"),
        last_error=bindparam("error"),
        attempts=_P.attempts - bindparam("back"),
        lease_until=None,
    )
    .returning(_P.lane)
)


def put(
    c: Connection, parcel: NewParcel, now: datetime, *, take: bool = False, at_hand: Letter | str | None = None
) -> bool:
    """Puts a parcel at the end of its lane. False: its key was put before, and nothing happens. `take`: where it may go at once
    and little else is under way, it is claimed with this very transaction, and the courier is given it behind the commit, with
    what is `at_hand`. Of many the courier claims as many as it has hands. What is taken so must not be settled, dropped or moved
    by the same transaction: it would go all the same."""
    values = {
        "lane": parcel.lane,
        "target": parcel.target,
        "key": parcel.key,
        "kind": str(parcel.kind),
        "payload": parcel.payload,
        "due_at": parcel.due_at or now,
        "created_at": now,
        "waits_for": parcel.waits_for,
        "urgent": parcel.urgent,
        "until": now + LEASE,
        "take": take,
    }
    row = _PUT.first(c, **values)
    if row is None:
        return False
    if row.attempts:
        note_taken(c, _as_stored(parcel, row.id, row.attempts, now, at_hand))
    elif row.ready_at is not None:
        touch(c, OUTBOX)
    return True


def _as_stored(parcel: NewParcel, id: int, attempts: int, now: datetime, at_hand: Letter | str | None) -> Parcel:
    """As `parcel_of` would read it."""
    return Parcel(
        id=id,
        lane=parcel.lane,
        target=parcel.target,
        key=parcel.key,
        kind=parcel.kind,
        payload=Json.from_driver(Json.to_driver(parcel.payload)),
        due_at=parcel.due_at or now,
        created_at=now,
        attempt=attempts,
        waits_for=parcel.waits_for,
        at_hand=at_hand,
    )


def hasten(c: Connection, lane: str, key_start: str, now: datetime) -> bool:
    """What lies in `lane` under such a key and was put for a later moment goes now, as if it were put with `take`. One that
    waits for its next try does so still. Returns whether there is one of either kind that nobody has in hand."""
    if not stands_open(c, lane, key_start):
        return False
    for row in _HASTEN.all(c, which=lane, start=key_start, now=now):
        if not _take(c, lane, row.key, now):
            wake(c, lane)
    return True


def _take(c: Connection, lane: str, key: str, now: datetime) -> bool:
    row = _TAKE.first(c, this=key, which=lane, now=now, until=now + LEASE)
    if row is None:
        return False
    note_taken(c, parcel_of(row))
    return True


def settle(c: Connection, parcel: Parcel, outcome: str, now: datetime, body: Mapping[str, Any] | None = None) -> bool:
    """The end of a parcel: the next of its lane may go. False: this claim was not the last one, or it is settled.

    `body` is kept instead of the payload; a code loses its payload in any case (`secure_delete` wipes the page).
    """
    values = {"this": parcel.id, "attempt": parcel.attempt, "now": now, "how": outcome}
    kept = {} if parcel.kind in _LOSE_BODY else body
    row = _SETTLE.first(c, **values) if kept is None else _SETTLE_WITH.first(c, **values, body=kept)
    return _wake_after(c, row)


def again(c: Connection, parcel: Parcel, due_at: datetime, error: str) -> bool:
    """This attempt failed; another at `due_at`. False: this claim was not the last one."""
    return _put_back(c, parcel, due_at, error, 0)


def uncount(c: Connection, parcel: Parcel, due_at: datetime, error: str) -> bool:
    """The far end as a whole was down: back it goes, and the attempt is not counted."""
    return _put_back(c, parcel, due_at, error, 1)


def clear_leases(c: Connection) -> int:
    """At a start, before anything is claimed: whoever held a lease is dead. Returns how many were held. Lanes in which something
    waits are looked at as well: before 30 November 2026 it held up all that was behind it."""
    held_lanes = select(_P.lane).where(text("lease_until IS NOT NULL")).distinct()
    waiting_lanes = select(_P.lane).where(text("settled_at IS NULL AND waits_for <> ''")).distinct()
    names = [*c.execute(held_lanes).scalars(), *c.execute(waiting_lanes).scalars()]
    cleared = c.execute(update(parcels).where(text("lease_until IS NOT NULL")).values(lease_until=None)).rowcount
    for lane in names:
        wake(c, lane)
    return cleared


def hurry(c: Connection, targets: Collection[str], now: datetime) -> int:
    """What has failed and waits for its next try is tried now. Returns how many."""
    late = select(_P.id, _P.lane).where(
        text("ready_at IS NOT NULL"), _P.target.in_(targets), _P.last_error != "", _P.lease_until.is_(None)
    )
    rows = c.execute(late.where(_P.due_at > now)).all()
    for row in rows:
        c.execute(update(parcels).where(_P.id == row.id).values(due_at=now))
        wake(c, row.lane)
    return len(rows)


def stuck(c: Connection, target: str) -> bool:
    """Whether something for this far end has been tried, has failed and is to be tried again."""
    found = select(_P.id).where(text("ready_at IS NOT NULL"), _P.target == target, _P.last_error != "").limit(1)
    return c.execute(found).first() is not None


def clock_went_back(c: Connection, now: datetime, before: datetime) -> None:
    """What was put off by a clock that ran ahead until `before` is put off by as much less; and what was put by it has waited
    since now, not since a moment to come, by which it would be waited for in vain, or kept, for as much longer."""
    ahead = update(parcels).where(text("settled_at IS NULL"), _P.created_at > now)
    c.execute(ahead.values(created_at=now))
    late = select(_P.id, _P.lane, _P.due_at).where(text("settled_at IS NULL"), _P.due_at > now)
    for row in c.execute(late).all():
        due = max(now, row.due_at - (before - now))
        c.execute(update(parcels).where(_P.id == row.id).values(due_at=due))
        wake(c, row.lane)


def clock_was_put_back(c: Connection, now: datetime) -> None:
    """Behind a start: the same, where the clock was put right while imbot did not run. How far it was ahead is told by what it
    noted last; of one correction that is taken off once."""
    put = c.execute(select(func.max(_P.created_at)).where(text("settled_at IS NULL"))).scalar()
    before = max(put or now, noted_last(c) or now)
    seen = fact(c, _PUT_BACK)
    if before > now + AHEAD and not (seen and before <= datetime.fromisoformat(seen)):
        clock_went_back(c, now, before)
        set_fact(c, _PUT_BACK, before.isoformat(), now)


def _put_back(c: Connection, parcel: Parcel, due_at: datetime, error: str, back: int) -> bool:
    values = {"this": parcel.id, "attempt": parcel.attempt, "due": due_at, "error": error, "back": back}
    return _wake_after(c, _AGAIN.first(c, **values))


def _wake_after(c: Connection, changed: Any) -> bool:
    """Follows a change that was made where there is a row, which bears its lane, and none where it is None."""
    if changed is None:
        return False
    wake(c, changed.lane)
    return True
