"""How many parcels a far end is given at once, and when it is given more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection

from imbot.channels.telegram_http import CONNECTIONS
from imbot.domain.parcels import Kind, NewParcel
from imbot.loops.hands import HANDS, Hands
from imbot.store import outbox
from tests.loops.test_courier import Post, counted_claims, post

__all__ = ["post"]


def swift(moment: float = 0.0) -> Hands:
    """A mail server that takes twenty letters a second."""
    clock = {"now": moment}
    hands = Hands(lambda: clock["now"])
    for number in range(8):
        clock["now"] = moment + number / 20
        hands.took("smtp")
    return hands


def test_a_swift_mail_server_is_given_more_at_once_and_in_groups() -> None:
    hands = swift()
    assert hands.of("smtp") == 3 * HANDS["smtp"]
    assert hands.are_to_fill("smtp", 16)
    assert not hands.are_to_fill("smtp", 17)


def test_a_slow_one_is_given_few_and_each_hand_is_filled_as_it_comes_free() -> None:
    clock = [0.0]
    hands = Hands(lambda: clock[0])
    for number in range(20):
        clock[0] = number * 2.0
        hands.took("smtp")
    assert hands.of("smtp") == HANDS["smtp"]
    assert hands.are_to_fill("smtp", HANDS["smtp"] - 1)
    assert not hands.are_to_fill("smtp", HANDS["smtp"])


def test_who_was_swift_a_minute_ago_must_show_it_anew() -> None:
    clock = [0.0]
    hands = Hands(lambda: clock[0])
    for _ in range(8):
        hands.took("smtp")
    assert hands.of("smtp") > HANDS["smtp"]
    clock[0] = 60.0
    assert hands.of("smtp") == HANDS["smtp"]


def test_others_are_given_what_they_ever_were() -> None:
    hands = swift()
    for _ in range(20):
        hands.took("telegram")
    assert {target: hands.of(target) for target in HANDS if target != "smtp"} == {
        target: most for target, most in HANDS.items() if target != "smtp"
    }
    assert hands.are_to_fill("directory", 3)
    assert not hands.are_to_fill("directory", 4)


def test_what_is_urgent_finds_a_hand_though_the_server_has_become_slow() -> None:
    hands = Hands()
    most = HANDS["smtp"]
    assert hands.free("smtp", most, urgent=False) == 0
    assert hands.free("smtp", most, urgent=True) == 1
    assert hands.free("smtp", 3 * most, urgent=True) == 0
    assert hands.free("telegram", HANDS["telegram"], urgent=True) == 0


async def test_the_last_free_hand_of_a_slow_far_end_is_filled(post: Post) -> None:
    post.hold = asyncio.Event()
    await post.put(HANDS["telegram"] - 1, "telegram")
    await post.until(HANDS["telegram"] - 1)
    await asyncio.sleep(0.05)
    await post.db.run(outbox.put, NewParcel("ticket:late", "telegram", "late", Kind.NOTE, {"a": 1}), post.now)
    await post.until(HANDS["telegram"])


async def test_a_few_free_hands_of_a_swift_one_are_not_worth_a_claim_and_what_is_urgent_does_not_wait(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier: Any = post.courier
    monkeypatch.setattr(Hands, "_is_swift", True)
    await post.put(1)
    await post.until(1)  # it works
    post.hold = asyncio.Event()
    await post.put(18, "smtp")
    await post.until(18)  # one has gone before, of the same key
    await asyncio.sleep(0.05)
    claims = counted_claims(post, monkeypatch)
    await post.db.run(outbox.put, NewParcel("ticket:late", "smtp", "late", Kind.NOTE, {"a": 1}), post.now)
    await asyncio.sleep(0.1)
    assert (claims, len(post.tried)) == ([], 18)
    await post.db.run(outbox.put, NewParcel("ticket:now", "smtp", "now", Kind.NOTE, {"a": 1}, urgent=True), post.now)
    await post.until(20)  # and takes along what waits
    assert len(claims) == 1
    post.hold.set()
    await asyncio.wait([task for _, task in courier._running.values()], timeout=30)


async def test_what_is_urgent_and_found_no_hand_goes_with_the_next_that_comes_free(post: Post) -> None:
    courier: Any = post.courier
    courier._hands._monotonic = lambda: 0.0  # as swift as can be
    for _ in range(8):
        courier._hands.took("smtp")
    await post.put(1)
    await post.until(1)
    begun: asyncio.Queue[asyncio.Event] = asyncio.Queue()
    errand = courier._errand

    async def held(parcel: Any) -> None:
        hold = asyncio.Event()
        begun.put_nowait(hold)
        await hold.wait()
        await errand(parcel)

    courier._errand = held
    for n in range(1, 25):
        await post.db.run(
            outbox.put, NewParcel(f"ticket:h{n}", "smtp", f"h{n}", Kind.NOTE, {"a": n}, urgent=True), post.now
        )
    async with asyncio.timeout(30):
        holds = [await begun.get() for _ in range(24)]
    await post.db.run(outbox.put, NewParcel("ticket:code", "smtp", "code", Kind.NOTE, {"a": 1}, urgent=True), post.now)
    await asyncio.sleep(0.05)
    looked = asyncio.get_running_loop().time()
    holds[0].set()
    async with asyncio.timeout(30):
        holds.append(await begun.get())
    assert asyncio.get_running_loop().time() - looked < 0.9, "the net of a second has found it, not the hand"
    for hold in holds:
        hold.set()


async def test_all_that_waits_goes_though_hands_are_filled_in_groups(post: Post) -> None:
    def put(c: Connection) -> None:
        for n in range(200):
            outbox.put(c, NewParcel(f"ticket:{n}", "smtp", f"{n}", Kind.NOTE, {"a": n}), post.now)

    await post.db.run(put)
    await post.until(200)
    assert len({id for _, id in post.tried}) == 200


async def test_one_chat_takes_few_hands_and_its_next_goes_as_soon_as_one_of_them_is_free(post: Post) -> None:
    courier: Any = post.courier
    begun: list[str] = []
    holds: dict[str, asyncio.Event] = {}
    errand = courier._errand

    async def held(parcel: Any) -> None:
        begun.append(parcel.key)
        await holds.setdefault(parcel.key, asyncio.Event()).wait()
        await errand(parcel)

    async def until(*wanted: str) -> None:
        async with asyncio.timeout(30):
            while sorted(begun) != sorted(wanted):  # noqa: ASYNC110 - the errand tells nobody
                await asyncio.sleep(0.005)

    def put(key: str, chat: str) -> NewParcel:
        return NewParcel(f"receipts/{key}:telegram:{chat}", "telegram", key, Kind.RECEIPT, {"a": 1})

    await post.put(1, "telegram")
    await post.until(1)  # it works
    courier._errand = held
    for n in range(4):
        await post.db.run(outbox.put, put(f"a{n}", "1"), post.now)
    await until("a0", "a1")
    await post.db.run(outbox.put, put("b0", "2"), post.now)
    await until("a0", "a1", "b0")
    looked = asyncio.get_running_loop().time()
    holds["a1"].set()
    await until("a0", "a1", "b0", "a2")
    assert asyncio.get_running_loop().time() - looked < 0.9, "the net of a second has found it, not the hand"
    for key in ("a0", "a2", "a3", "b0"):
        holds.setdefault(key, asyncio.Event()).set()


def test_parcels_leave_connections_to_telegram_for_answers() -> None:
    assert HANDS["telegram"] + HANDS["files:telegram"] <= CONNECTIONS - 8
