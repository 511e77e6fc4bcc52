"""Who goes next where one chat has a hundred messages coming: everybody's turn comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from imbot.domain.parcels import LEASE, Kind, NewParcel, Parcel, lane_of_receipts
from imbot.store import outbox
from tests.store.conftest import NOW

ANNA, TOM = "telegram:1", "telegram:22"


def receipts(c: Connection, chat: str, count: int, **changes: Any) -> None:
    """Each has a lane of its own, and is due a second behind the one before."""
    for n in range(count):
        due = NOW - timedelta(minutes=5) + timedelta(seconds=n)
        values: dict[str, Any] = {"due_at": due} | changes
        one = NewParcel(
            lane_of_receipts(chat, f"{chat[9:]}x{n}"), "telegram", f"{chat} {n}", Kind.RECEIPT, {"n": n}, **values
        )
        assert outbox.put(c, one, NOW)


def claimed(c: Connection, telegram: int = 6, under_way: tuple[int, ...] = (), **others: int) -> list[Parcel]:
    return outbox.claim_for(c, NOW, {"telegram": telegram, **others}, under_way)


def keys(parcels: list[Parcel]) -> list[str]:
    return [parcel.key for parcel in parcels]


def test_what_is_for_another_chat_finds_a_hand_behind_a_hundred_of_one(c: Connection) -> None:
    receipts(c, ANNA, 100)
    receipts(c, TOM, 1, due_at=NOW)
    first = claimed(c)
    assert keys(first) == [f"{ANNA} 0", f"{ANNA} 1", f"{TOM} 0"]
    assert claimed(c) == []  # those in hand count as well
    outbox.settle(c, first[0], "shown", NOW)
    assert keys(claimed(c)) == [f"{ANNA} 2"]


def test_a_few_hands_are_filled_by_who_has_waited_longest(c: Connection) -> None:
    receipts(c, ANNA, 5)
    receipts(c, TOM, 5, due_at=NOW)
    assert keys(claimed(c, 3)) == [f"{ANNA} 0", f"{ANNA} 1", f"{TOM} 0"]
    assert keys(claimed(c, 1)) == [f"{TOM} 1"]


def test_what_somebody_waits_for_goes_in_any_case(c: Connection) -> None:
    receipts(c, ANNA, 3)
    assert len(claimed(c)) == 2
    outbox.put(c, NewParcel(f"receipts/new:{ANNA}", "telegram", "sent", Kind.RECEIPT, {"n": 1}, urgent=True), NOW)
    assert keys(claimed(c)) == ["sent"]


def test_letters_are_of_no_chat(c: Connection) -> None:
    for n in range(4):
        outbox.put(c, NewParcel(f"mail/{n}:7", "smtp", f"m{n}", Kind.NOTE, {"n": n}), NOW)
    assert len(claimed(c, 1, smtp=4)) == 4


def test_a_lease_that_ran_out_holds_no_hand_unless_its_holder_goes_on(c: Connection) -> None:
    receipts(c, ANNA, 3)
    held = outbox.claim_for(c, NOW - LEASE - timedelta(seconds=1), {"telegram": 2})
    assert held == []  # nothing was due then
    first = outbox.claim_for(c, NOW - timedelta(minutes=4), {"telegram": 2})
    later = NOW - timedelta(minutes=4) + LEASE
    again = outbox.claim_for(c, later, {"telegram": 9}, [first[0].id])
    assert keys(again) == [f"{ANNA} 2", f"{ANNA} 1"]


@pytest.mark.parametrize("chats", [1, 3, 30])
def test_everything_goes_in_the_end(c: Connection, chats: int) -> None:
    for chat in range(chats):
        receipts(c, f"telegram:{chat}", 5)
    gone = 0
    while batch := claimed(c, 24):
        assert len(batch) == min(24, 2 * chats, 5 * chats - gone)
        for parcel in batch:
            outbox.settle(c, parcel, "shown", NOW)
        gone += len(batch)
    assert gone == 5 * chats
