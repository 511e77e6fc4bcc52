"""Random orders of everything that may happen to parcels, held against the rule in its plainest words."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.store import outbox
from tests.store.conftest import NOW

LANES = ("ticket:a", "ticket:b", "chat:c")
TARGETS = ("smtp", "telegram")
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["put"] * 3 + ["claim"] * 2 + ["settle"] * 3  # life is mostly these
            + ["again", "uncount", "suspend", "resume", "release", "readdress", "drop", "retry", "clear_leases", "settle_lane"]
        ),
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    min_size=25,
    max_size=50,
)  # fmt: skip


def claimable(c: Connection, now: datetime) -> set[int]:
    """Of each lane that is not suspended the oldest open parcel that waits for nothing, where it is due and under no lease."""
    allowed = set()
    lanes: set[str] = set()
    for stored in outbox.open_parcels(c, 1000):
        parcel = stored.parcel
        if parcel.waits_for or parcel.lane in lanes:
            continue
        lanes.add(parcel.lane)
        leased = stored.lease_until is not None and stored.lease_until > now
        due = parcel.due_at <= now or stored.lease_until is not None
        if due and not leased and not stored.suspended:
            allowed.add(parcel.id)
    return allowed


class World:
    def __init__(self, c: Connection) -> None:
        self.c = c
        self.now = NOW
        self.count = 0
        self.claimed: list[Parcel] = []

    def do(self, what: str, number: int, which: int) -> None:
        self.now += timedelta(minutes=number)
        lane, c, now = LANES[which], self.c, self.now
        later = now + timedelta(minutes=number)
        match what:
            case "put":
                self.count += 1
                waits = "number:a" if number == 5 else ""
                key = f"k{self.count}"
                new = NewParcel(lane, TARGETS[number % 2], key, Kind.LETTER, {"n": 1}, later, waits, number == 3)
                assert outbox.put(c, new, now)
            case "claim":
                expected = claimable(c, now)
                taken = outbox.claim(c, now, 100)
                assert {parcel.id for parcel in taken} == expected
                self.claimed.extend(taken)
            case "settle" | "again" | "uncount" if self.claimed:
                self.end(what, self.claimed.pop(number % len(self.claimed)), later)
            case "suspend":
                outbox.suspend(c, lane, "reason", now)
            case "resume":
                outbox.resume(c, lane)
            case "release":
                outbox.release(c, "number:a")
            case "readdress":
                outbox.readdress(c, lane, LANES[number % 3], TARGETS[number % 2], now)
            case "drop":
                outbox.drop(c, self.any_id(number), now)
            case "retry":
                outbox.retry(c, self.any_id(number), now)
            case "clear_leases":
                outbox.clear_leases(c)
            case "settle_lane":
                outbox.settle_lane(c, lane, "ended", now)

    def any_id(self, number: int) -> int:
        ids = self.c.execute(text("SELECT id FROM parcels ORDER BY id")).scalars().all()
        return int(ids[number % len(ids)]) if ids else 0

    def end(self, what: str, parcel: Parcel, later: datetime) -> None:
        stored = outbox.get(self.c, parcel.id)
        assert stored is not None
        mine = stored.settled_at is None and stored.parcel.attempt == parcel.attempt
        if what == "settle":
            assert outbox.settle(self.c, parcel, "sent", self.now) is mine
        elif what == "again":
            assert outbox.again(self.c, parcel, later, "error") is mine
        else:
            assert outbox.uncount(self.c, parcel, later, "error") is mine


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_exactly_what_may_go_can_be_claimed_whatever_happened_before(
    c: Connection, done: list[tuple[str, int, int]]
) -> None:
    c.execute(text("DELETE FROM parcels"))
    c.execute(text("DELETE FROM lanes"))
    world = World(c)
    for what, number, which in done:
        world.do(what, number, which)
    world.do("claim", 0, 0)
    stray = c.execute(text("SELECT count(*) FROM parcels WHERE settled_at IS NOT NULL AND ready_at IS NOT NULL"))
    assert stray.scalar_one() == 0
