from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from imbot.domain.parcels import LEASE, Kind, NewParcel, Parcel
from imbot.store import outbox
from imbot.store.epoch import begin
from imbot.store.touched import OUTBOX, take_touched
from tests.store.conftest import NOW

LATER = NOW + timedelta(minutes=1)


def put(c: Connection, key: str, lane: str = "ticket:a", **changes: Any) -> bool:
    values: dict[str, Any] = {"lane": lane, "target": "smtp", "key": key, "kind": Kind.LETTER, "payload": {"n": key}}
    return outbox.put(c, NewParcel(**(values | changes)), NOW)


def claim(c: Connection, **kwargs: Any) -> list[str]:
    return [parcel.key for parcel in outbox.claim(c, NOW, 10, **kwargs)]


def claim_one(c: Connection) -> Parcel:
    (parcel,) = outbox.claim(c, NOW, 1)
    return parcel


def next_due(c: Connection) -> datetime | None:
    return min(outbox.look(c, [])[0].values(), default=None)


def test_a_key_is_put_once_for_ever(c: Connection) -> None:
    assert put(c, "k1")
    assert not put(c, "k1", lane="ticket:b")
    outbox.settle(c, claim_one(c), "sent", NOW)
    outbox.prune(c, LATER)
    assert not put(c, "k1")
    assert claim(c) == []


def test_a_claim_gives_all_that_was_put_and_counts_the_attempt(c: Connection) -> None:
    put(c, "k1", payload={"letter": "<a@b>", "files": ["ф"]}, waits_for="")
    (parcel,) = outbox.claim(c, NOW, 10)
    assert parcel == Parcel(
        parcel.id, "ticket:a", "smtp", "k1", Kind.LETTER, {"letter": "<a@b>", "files": ["ф"]}, NOW, NOW, attempt=1
    )
    assert claim(c) == []  # it is leased


def test_only_the_oldest_open_parcel_of_a_lane_is_claimed(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2")
    put(c, "b1", lane="ticket:b")
    first, second = outbox.claim(c, NOW, 10)
    assert (first.key, second.key) == ("a1", "b1")
    assert outbox.settle(c, first, "sent", NOW)
    assert claim(c) == ["a2"]


def test_the_head_of_a_lane_holds_it_until_it_is_due(c: Connection) -> None:
    put(c, "a1", due_at=LATER)
    put(c, "a2")
    assert claim(c) == []
    assert next_due(c) == LATER
    assert [p.key for p in outbox.claim(c, LATER, 10)] == ["a1"]


def test_urgent_parcels_go_first_then_those_due_longest(c: Connection) -> None:
    put(c, "late", lane="l1", due_at=NOW - timedelta(seconds=1))
    put(c, "later", lane="l2")
    put(c, "code", lane="l3", kind=Kind.CODE, urgent=True, target="zsmtp")
    put(c, "oldest", lane="l4", due_at=NOW - timedelta(seconds=2), target="telegram")
    assert claim(c) == ["code", "oldest", "late", "later"]


def test_a_limit_is_kept_and_urgent_ones_fill_it_first(c: Connection) -> None:
    for n in range(3):
        put(c, f"n{n}", lane=f"n{n}")
        put(c, f"u{n}", lane=f"u{n}", urgent=True)
    assert [p.key for p in outbox.claim(c, NOW, 2)] == ["u0", "u1"]
    assert [p.key for p in outbox.claim(c, NOW, 2)] == ["u2", "n0"]
    assert [p.key for p in outbox.claim(c, NOW, 9)] == ["n1", "n2"]


def test_a_target_that_is_down_is_left_alone_and_can_be_probed(c: Connection) -> None:
    put(c, "mail", lane="l1")
    put(c, "mail2", lane="l2")
    put(c, "chat", lane="l3", target="telegram")
    assert claim(c, targets_down={"smtp"}) == ["chat"]
    assert [p.key for p in outbox.claim(c, NOW, 1, {"smtp"}, only="smtp")] == ["mail"]


def test_again_keeps_the_attempts_and_the_place(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2")
    assert outbox.again(c, claim_one(c), LATER, "421 later")
    assert claim(c) == []
    (parcel,) = outbox.claim(c, LATER, 10)
    assert (parcel.key, parcel.attempt, parcel.last_error) == ("a1", 2, "421 later")


def test_what_is_hastened_goes_at_once_and_overtakes_nobody(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2", due_at=LATER)
    assert outbox.hasten(c, "ticket:a", "a2", NOW)
    assert claim(c) == ["a1"]
    put(c, "b1", lane="ticket:b", due_at=LATER)
    assert outbox.hasten(c, "ticket:b", "b", NOW)
    assert [parcel.key for parcel in outbox.taken(c)] == ["a1", "b1"]
    assert not outbox.hasten(c, "ticket:b", "b", NOW)  # it is in somebody's hands


def test_an_outage_costs_no_attempt(c: Connection) -> None:
    put(c, "a1")
    assert outbox.uncount(c, claim_one(c), LATER, "refused")
    (parcel,) = outbox.claim(c, LATER, 10)
    assert parcel.attempt == 1


def test_a_claim_whose_lease_ran_out_cannot_settle(c: Connection) -> None:
    put(c, "a1")
    stale = claim_one(c)
    assert next_due(c) == NOW + LEASE
    (fresh,) = outbox.claim(c, NOW + LEASE, 10)
    assert fresh.attempt == 2
    assert not outbox.settle(c, stale, "sent", LATER)
    assert not outbox.again(c, stale, LATER, "x")
    assert not outbox.uncount(c, stale, LATER, "x")
    assert outbox.settle(c, fresh, "sent", LATER)
    assert not outbox.settle(c, fresh, "sent", LATER)


def test_a_start_clears_all_leases(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2")
    claim(c)
    assert outbox.clear_leases(c) == 1
    assert claim(c) == ["a1"]
    assert outbox.clear_leases(c) == 1
    assert outbox.clear_leases(c) == 1 - 1


def test_a_parcel_that_waits_holds_nobody_up_and_goes_first_once_it_is_released(c: Connection) -> None:
    put(c, "a1", waits_for="number:a")
    put(c, "a2")
    put(c, "a3", waits_for="number:a")
    put(c, "b1", lane="ticket:b", waits_for="number:b")
    (passed,) = outbox.claim(c, NOW, 10)
    assert passed.key == "a2"
    assert outbox.again(c, passed, NOW, "421")
    assert [p.key for p in outbox.waiting(c, LATER)] == ["a1", "a3", "b1"]
    assert outbox.release(c, "number:a") == 2
    assert outbox.release(c, "number:a") == 0
    for key in ("a1", "a2", "a3"):  # in the order in which they were put
        parcel = claim_one(c)
        assert parcel.key == key
        assert outbox.settle(c, parcel, "sent", NOW)
    assert claim(c) == []


def test_what_an_older_version_held_up_behind_one_that_waits_goes_at_the_next_start(c: Connection) -> None:
    put(c, "a1", waits_for="number:a")
    put(c, "a2")
    c.execute(text("UPDATE parcels SET ready_at = NULL"))
    assert claim(c) == []
    assert outbox.clear_leases(c) == 0
    assert claim(c) == ["a2"]


def test_a_suspended_lane_stands_still_and_goes_on(c: Connection) -> None:
    put(c, "a1")
    parcel = claim_one(c)
    outbox.suspend(c, "ticket:a", "550 no such user", NOW)
    outbox.suspend(c, "ticket:a", "another reason", LATER)
    assert outbox.is_suspended(c, "ticket:a")
    assert outbox.suspended(c) == [("ticket:a", "550 no such user", NOW)]
    assert outbox.again(c, parcel, NOW, "550")
    put(c, "a2")
    assert claim(c) == []
    assert next_due(c) is None
    assert outbox.resume(c, "ticket:a")
    assert not outbox.resume(c, "ticket:a")
    assert not outbox.is_suspended(c, "ticket:a")
    assert claim(c) == ["a1"]


def test_settling_can_replace_the_body_and_a_code_always_loses_it(c: Connection) -> None:
    put(c, "a1")
    put(c, "code", lane="signin:x", kind=Kind.CODE, payload={"code": "ABCD2345"})
    letter, code = outbox.claim(c, NOW, 10)
    outbox.settle(c, letter, "sent", NOW, {"answer": "250 ok"})
    outbox.settle(c, code, "sent", NOW, {"code": "ABCD2345"})
    kept, lost = outbox.get(c, letter.id), outbox.get(c, code.id)
    assert kept is not None
    assert lost is not None
    assert (kept.parcel.payload, kept.outcome, kept.settled_at) == ({"answer": "250 ok"}, "sent", NOW)
    assert lost.parcel.payload == {}


def test_a_settled_parcel_keeps_its_body_until_it_is_pruned(c: Connection) -> None:
    put(c, "a1")
    outbox.settle(c, claim_one(c), "sent", NOW)
    assert outbox.prune(c, NOW) == 0
    assert outbox.prune(c, LATER) == 1
    assert outbox.prune(c, LATER) == 0
    stored = outbox.by_key(c, "a1")
    assert stored is not None
    assert stored.parcel.payload == {}


def test_the_end_of_a_ticket_ends_its_lane(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2", waits_for="number:a")
    put(c, "b1", lane="ticket:b")
    outbox.suspend(c, "ticket:a", "x", NOW)
    assert outbox.settle_lane(c, "ticket:a", "withdrawn", NOW) == 2
    assert outbox.suspended(c) == []
    assert claim(c) == ["b1"]


def test_a_blocked_chats_parcels_go_another_way_in_order_under_their_keys(c: Connection) -> None:
    put(c, "n1", lane="chat:telegram:1", target="telegram", kind=Kind.NOTICE)
    put(c, "n2", lane="chat:telegram:1", target="telegram", kind=Kind.NOTICE)
    put(c, "v0", lane="chat:vk:1", target="vk", kind=Kind.NOTICE)
    outbox.claim(c, NOW, 10, only="telegram")
    assert outbox.readdress(c, "chat:telegram:1", "chat:vk:1", "vk", NOW) == 2
    order = []
    while batch := outbox.claim(c, NOW, 10):
        (parcel,) = batch
        order.append((parcel.key, parcel.target))
        outbox.settle(c, parcel, "shown", NOW)
    assert order == [("n1", "vk"), ("n2", "vk"), ("v0", "vk")]


def test_notices_become_letters_where_no_chat_is_left(c: Connection) -> None:
    put(c, "n1", lane="chat:telegram:1", target="telegram", kind=Kind.NOTICE, payload={"screen": "resolved"})

    def by_mail(parcel: Parcel) -> tuple[Kind, dict[str, Any]]:
        return Kind.NOTE, {"letter": dict(parcel.payload)}

    assert outbox.readdress(c, "chat:telegram:1", "person:1", "smtp", NOW, by_mail) == 1
    (parcel,) = outbox.claim(c, NOW, 10)
    assert (parcel.kind, parcel.target, parcel.payload) == (Kind.NOTE, "smtp", {"letter": {"screen": "resolved"}})


def test_counts_say_what_is_open_held_and_waiting(c: Connection) -> None:
    put(c, "a1")
    put(c, "b1", lane="ticket:b", waits_for="number:b")
    put(c, "c1", lane="chat:x", target="telegram")
    outbox.suspend(c, "ticket:a", "x", NOW)
    assert outbox.counts(c) == {"smtp": 2, "telegram": 1, "suspended": 1, "waiting": 1}
    held = [stored.suspended for stored in outbox.open_parcels(c, 10)]
    assert held == [True, False, False]


def test_what_is_not_there_is_none(c: Connection) -> None:
    assert outbox.get(c, 1) is None
    assert outbox.by_key(c, "k") is None
    assert next_due(c) is None


def test_nothing_is_claimed_while_the_outbox_is_held(c: Connection) -> None:
    put(c, "a1")
    assert not begin(c, "of another time", "fresh", NOW)
    assert claim(c) == []
    assert outbox.claim_for(c, NOW, {"smtp": 5}) == []
    assert outbox.confirm_epoch(c, "fresh", NOW) == 1
    assert claim(c) == ["a1"]


@pytest.mark.parametrize("one_lane", [False, True])
def test_a_claim_among_a_hundred_thousand_parcels_reads_no_other_rows(c: Connection, one_lane: bool) -> None:
    c.execute(
        text(
            f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
            INSERT INTO parcels(lane, target, key, kind, payload, due_at, created_at, settled_at, ready_at)
            SELECT {"'chat:one'" if one_lane else "'chat:' || i"}, 'telegram', 'k' || i, 'notice', '{{}}', i, i,
                   CASE WHEN i <= 50000 THEN i END,
                   CASE WHEN i = 50001 OR (i > 50001 AND {int(not one_lane)}) THEN i END FROM n"""
        )
    )
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    raw = c.connection.dbapi_connection
    raw.set_progress_handler(count, 100)  # type: ignore[union-attr]
    for _ in range(10):
        for parcel in outbox.claim(c, NOW, 10):
            assert outbox.settle(c, parcel, "shown", NOW)
    raw.set_progress_handler(None, 0)  # type: ignore[union-attr]
    assert steps < 1_000  # hundreds of machine steps: a scan of the table takes many thousands


def test_the_plans_of_the_hot_statements_use_the_narrow_indices(c: Connection) -> None:
    plans = [
        ("SELECT * FROM parcels WHERE ready_at IS NOT NULL AND target='t' AND urgent=0 AND ready_at<=9"
         " ORDER BY ready_at, id LIMIT 5", "ix_parcels_ready"),
        ("SELECT min(ready_at) FROM parcels WHERE ready_at IS NOT NULL", "ix_parcels_next"),
        ("SELECT min(id) FROM parcels WHERE lane='a' AND settled_at IS NULL", "ix_parcels_lane"),
        ("SELECT DISTINCT lane FROM parcels WHERE lease_until IS NOT NULL", "ix_parcels_leases"),
        ("SELECT id FROM parcels WHERE settled_at IS NULL AND waits_for <> '' AND waits_for='n'", "ix_parcels_waits"),
    ]  # fmt: skip
    for statement, index in plans:
        plan = " ".join(row.detail for row in c.execute(text(f"EXPLAIN QUERY PLAN {statement}")))
        assert f"INDEX {index}" in plan, plan


def test_a_lane_goes_on_when_a_parcel_that_was_moved_into_it_is_settled_by_its_old_claim(c: Connection) -> None:
    put(c, "n1", lane="chat:telegram:1", target="telegram")
    parcel = claim_one(c)
    put(c, "v1", lane="chat:vk:1", target="vk")
    outbox.readdress(c, "chat:telegram:1", "chat:vk:1", "vk", NOW)
    assert outbox.settle(c, parcel, "shown after all", NOW)
    assert claim(c) == ["v1"]


def test_what_may_go_at_once_is_claimed_with_the_transaction_that_puts_it(c: Connection) -> None:
    letter = NewParcel("ticket:1", "smtp", "k1", Kind.LETTER, {"a": 1})
    assert outbox.put(c, letter, NOW, take=True)
    (mine,) = outbox.taken(c)
    assert (mine.key, mine.attempt) == ("k1", 1)
    assert claim(c) == []
    assert outbox.taken(c, [mine.id]) == []
    assert outbox.settle(c, mine, "sent", NOW)
    assert outbox.taken(c) == []


def test_what_stands_behind_waits_or_is_held_is_not_claimed_as_it_is_put(c: Connection) -> None:
    put(c, "first", lane="ticket:1")
    outbox.put(c, NewParcel("ticket:1", "smtp", "behind", Kind.LETTER, {}), NOW, take=True)
    outbox.put(c, NewParcel("ticket:2", "smtp", "waits", Kind.LETTER, {}, waits_for="number:2"), NOW, take=True)
    outbox.put(c, NewParcel("ticket:3", "smtp", "later", Kind.LETTER, {}, due_at=LATER), NOW, take=True)
    assert outbox.taken(c) == []
    assert claim(c) == ["first"]


def test_a_second_put_of_what_is_under_way_takes_nothing(c: Connection) -> None:
    letter = NewParcel("ticket:1", "smtp", "k1", Kind.LETTER, {})
    outbox.put(c, letter, NOW, take=True)
    assert not outbox.put(c, letter, NOW, take=True)
    assert [one.attempt for one in outbox.taken(c)] == [1]


def test_what_was_taken_by_who_died_may_be_claimed_again(c: Connection) -> None:
    outbox.put(c, NewParcel("ticket:1", "smtp", "k1", Kind.LETTER, {}), NOW, take=True)
    outbox.clear_leases(c)
    assert outbox.taken(c) == []
    assert claim(c) == ["k1"]


def test_only_what_may_go_some_time_wakes_the_courier(c: Connection) -> None:
    take_touched(c)
    put(c, "waiting", waits_for="number:1")
    assert take_touched(c) == frozenset()
    put(c, "first")
    assert take_touched(c) == {OUTBOX}
    put(c, "behind it")
    assert take_touched(c) == frozenset()
