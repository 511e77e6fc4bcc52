"""What an admin may do to a parcel: drop it, send it again."""

from __future__ import annotations

from sqlalchemy import Connection

from imbot.domain.parcels import Kind
from imbot.store import outbox
from tests.store.conftest import NOW
from tests.store.test_outbox import LATER, claim, claim_one, put


def test_an_admin_drops_and_the_next_goes(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2")
    first = outbox.open_parcels(c, 10)[0].parcel
    assert outbox.drop(c, first.id, NOW)
    assert not outbox.drop(c, first.id, NOW)
    assert not outbox.drop(c, 99, NOW)
    assert claim(c) == ["a2"]


def test_an_admin_retries_at_once_even_what_was_settled(c: Connection) -> None:
    put(c, "a1")
    put(c, "a2")
    first = claim_one(c)
    outbox.settle(c, first, "failed", NOW)
    second = claim_one(c)
    outbox.suspend(c, "ticket:a", "failed", NOW)
    assert outbox.retry(c, first.id, NOW)
    assert claim(c) == ["a1"]  # ahead of a2, which is under way and no longer ready
    assert outbox.again(c, second, NOW, "x")
    assert claim(c) == []


def test_what_has_no_body_any_more_is_not_retried(c: Connection) -> None:
    put(c, "code", kind=Kind.CODE)
    parcel = claim_one(c)
    outbox.settle(c, parcel, "sent", NOW)
    assert not outbox.retry(c, parcel.id, NOW)
    assert not outbox.retry(c, 99, NOW)


def test_an_open_parcel_is_retried_before_its_time(c: Connection) -> None:
    put(c, "a1", due_at=LATER, payload={})
    (stored,) = outbox.open_parcels(c, 10)
    assert outbox.retry(c, stored.parcel.id, NOW)
    assert claim(c) == ["a1"]
