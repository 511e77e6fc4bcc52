"""Which parcels may go now, and taking them in hand: heads of lanes that are ready, the urgent ones first, then the longest due.
Reads one index and no settled row, however many parcels there are (`store.outbox` says when `ready_at` is set, and offers
all of this under its own name).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Subquery,
    TextClause,
    and_,
    bindparam,
    column,
    literal,
    select,
    text,
    union_all,
    update,
)

from imbot.domain.parcels import LEASE, MOST_A_CHAT, Parcel, chat_of_lane
from imbot.store.epoch import held
from imbot.store.lanes import parcel_of
from imbot.store.schema import parcels
from imbot.store.sql import Prepared

_P = parcels.c
_READY = text("ready_at IS NOT NULL")  # word for word as in the index

# Every target that has something ready, and when its first one is, by jumping through the index instead of walking it.
_TARGETS = Prepared(
    text(
        """WITH RECURSIVE found(target) AS (
         SELECT min(target) FROM parcels WHERE ready_at IS NOT NULL
         UNION ALL
         SELECT (SELECT min(target) FROM parcels WHERE ready_at IS NOT NULL AND target > found.target)
         FROM found WHERE found.target IS NOT NULL)
       SELECT target,
         (SELECT min(ready_at) FROM parcels WHERE ready_at IS NOT NULL AND target = found.target AND urgent = 1) AS urgent,
         (SELECT min(ready_at) FROM parcels WHERE ready_at IS NOT NULL AND target = found.target AND urgent = 0) AS rest
       FROM found WHERE target IS NOT NULL"""
    ).columns(_P.target, column("urgent", _P.ready_at.type), column("rest", _P.ready_at.type))
)


def _claimable(urgent: bool, *more: TextClause) -> Subquery:
    here = and_(_READY, _P.target == bindparam("which"), _P.urgent == literal(urgent), _P.ready_at <= bindparam("now"))
    return select(parcels).where(here, *more).order_by(_P.ready_at, _P.id).limit(bindparam("most")).subquery()


_CLAIMABLE = Prepared(union_all(select(_claimable(True)), select(_claimable(False))))
# The chat of a lane is what follows its first colon; `crowded`: chats between line feeds.
_UNCROWDED = text("instr(:crowded, char(10) || substr(lane, instr(lane, ':') + 1) || char(10)) = 0")
_CLAIMABLE_ELSEWHERE = Prepared(union_all(select(_claimable(True)), select(_claimable(False, _UNCROWDED))))
_CLAIM = Prepared(
    update(parcels)
    .where(_P.id == bindparam("this"))
    .values(attempts=_P.attempts + 1, lease_until=bindparam("until"), ready_at=bindparam("until"))
)
# Those that are held by a lease are few, which SQLite would not guess: left to itself it walks all that is ready, or the table.
_TAKEN = Prepared(
    text(
        "SELECT id FROM parcels INDEXED BY ix_parcels_leases WHERE lease_until IS NOT NULL AND ready_at IS NOT NULL"
    ).columns(_P.id)
)
_LANES_IN_HAND = Prepared(
    text("SELECT lane FROM parcels INDEXED BY ix_parcels_leases WHERE lease_until > :now AND target = :which")
    .bindparams(bindparam("now", type_=_P.due_at.type))
    .columns(_P.lane)
)
_BY_ID = Prepared(select(parcels).where(_P.id == bindparam("this")))


def taken(c: Connection, under_way: Collection[int] = ()) -> list[Parcel]:
    """Parcels that were claimed as they were put, and are not under way yet: the courier was not there to be given them (another
    process put them), or had no hand free. Whoever does not carry one out gives it back (`uncount`)."""
    wanted = sorted(
        row.id for row in _TAKEN.all(c) if row.id not in under_way
    )  # most are under way, and need not be read
    return [parcel_of(_BY_ID.first(c, this=id)) for id in wanted]


def claim(
    c: Connection,
    now: datetime,
    limit: int,
    targets_down: Collection[str] = frozenset(),
    only: str = "",
    under_way: Collection[int] = (),
) -> list[Parcel]:
    """Takes up to `limit` parcels that may go now: urgent ones first, then the longest due, one a lane.

    Each claim counts an attempt and holds the parcel until its lease ends. `targets_down`: far ends to leave alone, those
    with no hand free included, else their parcels fill the limit. `only`: a probe of one far end. Gives nothing while
    the outbox is held (`store.epoch`).
    """
    if held(c):
        return []
    targets = [only] if only else [target for target in _first_of_targets(c) if target not in targets_down]
    ready = [row for target in targets for row in _ready(c, target, now, limit, under_way)]
    ready.sort(key=lambda row: (not row.urgent, row.ready_at, row.id))
    return _claimed(c, ready[:limit], now)


def claim_for(c: Connection, now: datetime, wanted: Mapping[str, int], under_way: Collection[int] = ()) -> list[Parcel]:
    """As `claim`, for several far ends at once: at most so many each, and no more of one chat than it takes."""
    if held(c):
        return []
    first = _first_of_targets(c)
    rows: list[Row[Any]] = []
    for target in (target for target in wanted if target in first and first[target] <= now):
        ready = _ready_by_chat if target in MOST_A_CHAT else _ready
        rows += ready(c, target, now, wanted[target], under_way)
    return _claimed(c, rows, now)


def _ready_by_chat(c: Connection, target: str, now: datetime, limit: int, under_way: Collection[int]) -> list[Row[Any]]:
    """As `_ready`, past the chats of which enough is in hand (`MOST_A_CHAT`). What is urgent goes in any case."""
    most = MOST_A_CHAT[target]
    in_hand = Counter(chat_of_lane(row.lane) for row in _LANES_IN_HAND.all(c, which=target, now=now))
    passed = set(under_way)
    taken: list[Row[Any]] = []
    while len(taken) < limit:
        crowded = "\n".join(("", *(chat for chat, count in in_hand.items() if count >= most), ""))
        asked = {"which": target, "now": now, "most": limit + len(passed), "crowded": crowded}
        found = [row for row in _CLAIMABLE_ELSEWHERE.all(c, **asked) if row.id not in passed]
        found.sort(key=lambda row: (not row.urgent, row.ready_at, row.id))
        if not found:
            break
        for row in found:  # the first of them is taken in any case, so this comes to an end
            chat = chat_of_lane(row.lane)
            if len(taken) < limit and (row.urgent or in_hand[chat] < most):
                in_hand[chat] += 1
                passed.add(row.id)
                taken.append(row)
    return taken


def _ready(c: Connection, target: str, now: datetime, limit: int, under_way: Collection[int]) -> list[Row[Any]]:
    asked = {"which": target, "now": now}
    found = _CLAIMABLE.all(c, **asked, most=limit)
    rows = [row for row in found if row.id not in under_way]
    if len(rows) < len(found):  # their leases ran out, and they stand before others
        rows = [row for row in _CLAIMABLE.all(c, **asked, most=limit + len(under_way)) if row.id not in under_way]
    rows.sort(key=lambda row: (not row.urgent, row.ready_at, row.id))
    return rows[:limit]


def _claimed(c: Connection, rows: Sequence[Row[Any]], now: datetime) -> list[Parcel]:
    if rows:
        _CLAIM.run_many(c, ({"this": row.id, "until": now + LEASE} for row in rows))
    return [parcel_of(row, row.attempts + 1) for row in rows]


def _first_of_targets(c: Connection) -> dict[str, datetime]:
    return _first_of(_TARGETS.all(c))


def _first_of(rows: Sequence[Any]) -> dict[str, datetime]:
    return {row.target: min(at for at in (row.urgent, row.rest) if at is not None) for row in rows}


def look(c: Connection, under_way: Collection[int]) -> tuple[dict[str, datetime], dict[str, datetime], list[Parcel]]:
    """When the next parcel of each far end may be claimed (in the past: now), the same of what is urgent alone, and `taken`, at
    one moment. None may while the outbox is held. Reads only: a claim of nothing would be a commit all the same."""
    rows = [] if held(c) else _TARGETS.all(c)
    urgent = {row.target: row.urgent for row in rows if row.urgent is not None}
    return _first_of(rows), urgent, taken(c, under_way)
