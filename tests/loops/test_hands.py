"""How many parcels a far end is given at once, and when it is given more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection

from imbot.domain.parcels import Kind, NewParcel
from imbot.loops import courier as module
from imbot.loops.hands import HANDS, Hands
from imbot.services import delivery
from imbot.store import outbox
from tests.loops.test_courier import Post, post

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
    assert hands.of("smtp") == 2 * HANDS["smtp"]
    assert hands.are_to_fill("smtp", 8)
    assert not hands.are_to_fill("smtp", 9)


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


async def test_a_few_free_hands_are_not_worth_a_claim_and_what_is_urgent_does_not_wait(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, claims = post.db.run, 0

    async def counted(fn: Any, *args: Any) -> Any:
        nonlocal claims
        claims += fn is delivery.claim
        return await run(fn, *args)

    post.hold = asyncio.Event()
    courier: Any = post.courier
    await post.put(HANDS["telegram"] - 2, "telegram")  # two hands are free
    await post.until(HANDS["telegram"] - 2)
    await asyncio.sleep(0.05)
    monkeypatch.setattr(post.db, "run", counted)
    late = NewParcel("ticket:late", "telegram", "late", Kind.NOTE, {"a": 1})
    await run(outbox.put, late, post.now)
    await asyncio.sleep(0.1)
    assert (claims, len(post.tried)) == (0, HANDS["telegram"] - 2)
    urgent = NewParcel("ticket:urgent", "telegram", "urgent", Kind.NOTE, {"a": 1}, urgent=True)
    await run(outbox.put, urgent, post.now)
    await post.until(HANDS["telegram"])  # and takes along what waits
    assert claims == 1
    post.hold.set()
    async with asyncio.timeout(30):
        while await post.db.read(outbox.due):  # noqa: ASYNC110 - the last one tells nobody
            await asyncio.sleep(0.01)
    assert not courier._running


async def test_all_that_waits_goes_though_hands_are_filled_in_groups(post: Post) -> None:
    def put(c: Connection) -> None:
        for n in range(200):
            outbox.put(c, NewParcel(f"ticket:{n}", "smtp", f"{n}", Kind.NOTE, {"a": n}), post.now)

    await post.db.run(put)
    await post.until(200)
    assert len({id for _, id in post.tried}) == 200


async def test_a_claim_of_many_lets_others_run_between_two(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    start = post.courier._start

    def noted(parcel: Any) -> None:
        turns.append("start")
        asyncio.get_running_loop().call_soon(turns.append, "other")
        start(parcel)

    monkeypatch.setattr(post.courier, "_start", noted)
    monkeypatch.setattr(module, "_ONE_FIRST", frozenset())

    def put(c: Connection) -> None:
        for n in range(4):
            outbox.put(c, NewParcel(f"ticket:{n}", "smtp", f"{n}", Kind.NOTE, {"a": n}), post.now)

    await post.db.run(put)
    await post.until(4)
    assert turns[:7] == ["start", "other", "start", "other", "start", "other", "start"]
