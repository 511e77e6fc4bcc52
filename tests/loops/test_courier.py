"""How the courier treats a far end that does not take what it brings: patiently, and without running in circles itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from benchmarks.office import NOW, env
from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.loops.courier import Courier
from imbot.loops.pulse import Pulse
from imbot.services import delivery
from imbot.store import outbox
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.migrate import migrate

LETTER = Letter("<1@demo.local>", "bot@demo.local", "help@demo.local", "s", "t", NOW)
LONG = 30.0  # seconds; ends a test that hangs, decides nothing


class Post:
    """`answers`: what the far end does with each parcel in turn: an error, or None for well; then all is well."""

    def __init__(self, db: Db) -> None:
        self.db, self.now = db, NOW
        self.pulse = Pulse(self.clock)
        self.answers: list[DeliveryError | None] = []
        self.tried: list[tuple[datetime, int]] = []
        self.hold: asyncio.Event | None = None
        self.courier = Courier(db, self.errand, env(), self.pulse, self.clock)

    def clock(self) -> datetime:
        return self.now

    async def errand(self, parcel: Parcel) -> None:
        self.tried.append((self.now, parcel.id))
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        await self.db.run(outbox.settle, parcel, "accepted", self.now)

    async def put(self, number: int, target: str = "smtp") -> None:
        for n in range(number):
            one = NewParcel(f"ticket:{target}{n}", target, f"{target}{n}", Kind.NOTE, {"a": 1})
            await self.db.run(outbox.put, one, self.now)

    async def until(self, tries: int) -> None:
        async with asyncio.timeout(LONG):
            while len(self.tried) < tries:  # noqa: ASYNC110 - the errand tells nobody
                await asyncio.sleep(0.005)


def counted_claims(post: Post, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """From now on; grows with each claim."""
    run, claims = post.db.run, []

    async def counted(fn: Any, *args: Any) -> Any:
        if fn is delivery.claim:
            claims.append(args)
        return await run(fn, *args)

    monkeypatch.setattr(post.db, "run", counted)
    return claims


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    path = tmp_path / "imbot.db"
    migrate(f"sqlite:///{path}")
    db = await Db.open(f"sqlite:///{path}")
    post, stop = Post(db), asyncio.Event()
    running = asyncio.create_task(post.courier.run(stop))
    yield post
    stop.set()
    if post.hold is not None:
        post.hold.set()
    await running
    await db.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


async def test_while_a_probe_is_under_way_the_courier_waits(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.answers = [DeliveryError("no route", kind="down")]
    await post.put(2)
    await post.until(1)
    post.hold = asyncio.Event()
    post.now += timedelta(minutes=1)
    await post.until(2)
    looks, read = 0, post.db.read

    async def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return await read(*args)

    monkeypatch.setattr(post.db, "read", counted)
    await asyncio.sleep(0.5)
    assert looks < 30


async def test_a_mail_server_that_takes_nothing_for_now_gets_one_try_at_a_time_and_a_pause_behind_it(
    post: Post,
) -> None:
    post.answers = [DeliveryError("421 shutting down", kind="throttled")] * 6
    await post.put(8)
    for tries in range(1, 7):
        await post.until(tries)
        await asyncio.sleep(0.05)
        post.now += timedelta(seconds=1.3)
        await post.db.run(outbox.hurry, ("smtp",), post.now)
    moments = [moment for moment, _ in post.tried[:6]]
    assert len(set(moments)) == len(moments)


async def test_a_far_end_that_works_for_others_is_probed_at_once(post: Post) -> None:
    post.answers = [DeliveryError("502", kind="down")]
    await post.put(2, "telegram")
    await post.until(2)  # both were under way
    await asyncio.sleep(0.05)
    tried = len(post.tried)
    post.now += timedelta(seconds=2.5)
    post.courier.works_elsewhere("telegram")
    await post.until(tried)
    post.courier.works_elsewhere("smtp")  # of which nothing is known
    async with asyncio.timeout(LONG):
        while (await post.db.read(outbox.look, []))[0]:
            post.courier.works_elsewhere("telegram")
            await post.db.run(outbox.hurry, ("telegram",), post.now)
            await asyncio.sleep(0.01)
    assert post.pulse.legs["telegram"].since is None


async def test_all_that_were_under_way_when_a_far_end_went_down_are_one_failure_of_it(post: Post) -> None:
    post.answers = [DeliveryError("502", kind="down")] * 10
    post.hold = asyncio.Event()
    await post.put(9, "telegram")
    await post.until(9)
    post.hold.set()
    breakers = post.courier._breakers
    async with asyncio.timeout(LONG):
        while len(post.answers) > 1:  # noqa: ASYNC110 - the errand tells nobody
            await asyncio.sleep(0.005)
    assert breakers["telegram"].failures == 1
    post.now += timedelta(seconds=10)
    await post.db.run(outbox.hurry, ("telegram",), post.now)
    await post.until(10)
    async with asyncio.timeout(LONG):
        while breakers["telegram"].failures < 2:  # noqa: ASYNC110 - the courier tells nobody
            await asyncio.sleep(0.005)


async def test_what_was_put_as_taken_goes_without_a_claim(post: Post) -> None:
    one = NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1})
    await post.db.run(partial(outbox.put, take=True), one, post.now)
    await post.until(1)
    stored = await post.db.read(outbox.by_key, "a")
    assert stored is not None
    assert stored.parcel.attempt == 1


async def test_servers_of_files_that_fail_hold_up_no_message(post: Post) -> None:
    post.answers = [DeliveryError("the download was refused with HTTP 500", kind="down")] * 2
    await post.put(2, "files:telegram")
    await post.until(2)
    await post.put(30, "telegram")
    await post.until(32)  # at the same moment, and not one probe after another
    assert post.pulse.legs["files:telegram"].since == NOW
    assert post.pulse.legs["telegram"].since is None


async def test_where_a_far_end_is_down_what_was_put_as_taken_waits_its_turn(post: Post) -> None:
    post.answers = [DeliveryError("no route", kind="down")]
    await post.put(1)
    await post.until(1)
    await post.db.run(partial(outbox.put, take=True), NewParcel("ticket:b", "smtp", "b", Kind.NOTE, {"a": 1}), post.now)
    async with asyncio.timeout(LONG):
        while await post.db.read(outbox.taken):  # noqa: ASYNC110 - the courier tells nobody
            await asyncio.sleep(0.005)
    stored = await post.db.read(outbox.by_key, "b")
    assert stored is not None
    assert (stored.parcel.attempt, len(post.tried)) == (0, 1)
    post.now += timedelta(seconds=70)
    post.courier.probe()
    await post.until(3)


async def test_an_errand_that_ends_unsettled_is_not_carried_again_before_its_lease_ends(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(parcel: Parcel) -> None:
        post.tried.append((post.now, parcel.id))

    monkeypatch.setattr(post.courier, "_errand", forget)
    await post.db.run(outbox.put, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), post.now, take=True)
    await post.until(1)
    for number in range(3):  # each commit wakes the courier
        await post.db.run(outbox.put, NewParcel(f"n{number}", "nobody", f"n{number}", Kind.NOTE, {}), post.now)
        await asyncio.sleep(0.05)
    assert len(post.tried) == 1


async def test_what_is_offered_goes_once_though_the_next_look_sees_it_as_well(post: Post) -> None:
    def put(c: Connection) -> list[Parcel]:
        outbox.put(c, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), post.now, take=True)
        return outbox.taken(c)

    for _ in range(2):
        taken = await post.db.run(put)
        post.courier.offer(taken)
        post.courier.offer(taken)
    await post.until(1)
    await asyncio.sleep(0.05)
    assert len(post.tried) == 1


async def test_what_an_errand_puts_and_claims_goes_on_behind_it(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    errand = post.errand
    put = partial(outbox.put, take=True, at_hand=LETTER)
    seen: list[Parcel] = []

    async def first(parcel: Parcel) -> None:
        seen.append(parcel)
        await errand(parcel)
        if parcel.key == "a":
            await post.db.run(put, NewParcel("ticket:b", "smtp", "b", Kind.NOTE, {"b": 1}), post.now)

    monkeypatch.setattr(post.courier, "_errand", first)
    await post.db.run(outbox.put, NewParcel("ticket:a", "self", "a", Kind.NOTE, {"a": 1}), post.now)
    await post.until(2)
    assert [(parcel.key, parcel.attempt, parcel.at_hand) for parcel in seen] == [("a", 1, None), ("b", 1, LETTER)]


async def test_what_was_undone_is_not_carried(post: Post) -> None:
    def put_and_fail(c: Connection) -> None:
        outbox.put(c, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), post.now, take=True)
        raise LookupError("nothing of this happened")

    undone = post.db.run(put_and_fail)
    kept = post.db.run(outbox.put, NewParcel("ticket:b", "smtp", "b", Kind.NOTE, {"b": 1}), post.now, take=True)
    answers = await asyncio.gather(undone, kept, return_exceptions=True)
    assert isinstance(answers[0], LookupError)
    await post.until(1)
    await asyncio.sleep(0.05)
    assert len(post.tried) == 1
    assert await post.db.read(outbox.by_key, "a") is None


async def test_what_is_offered_while_its_claim_is_on_its_way_back_goes_once(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn and a claim may be one commit, and the turn's answer may come first."""
    run = post.db.run

    async def claimed_together(fn: Any, *args: Any) -> Any:
        answer = await run(fn, *args)
        if fn is delivery.claim:
            post.courier.offer(answer)
        return answer

    monkeypatch.setattr(post.db, "run", claimed_together)
    await post.put(3)
    await post.until(3)
    await asyncio.sleep(0.05)
    assert len(post.tried) == 3


async def test_nothing_is_offered_to_a_courier_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "imbot.db"
    migrate(f"sqlite:///{path}")
    db = await Db.open(f"sqlite:///{path}")
    idle = Post(db)
    await db.run(partial(outbox.put, take=True), NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), NOW)
    idle.courier.offer(await db.read(outbox.taken))
    await asyncio.sleep(0.02)
    assert idle.tried == []
    await db.close()


async def test_what_was_given_back_for_want_of_a_hand_is_not_carried_by_an_offer_that_comes_late(post: Post) -> None:
    def put(c: Connection) -> list[Parcel]:
        outbox.put(c, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), post.now, take=True)
        return outbox.taken(c)

    courier: Any = post.courier
    start = courier._start
    begun: list[Parcel] = []
    courier._start = begun.append  # nothing is carried: only who would be is looked at
    (parcel,) = await post.db.run(put)
    await courier._take(parcel, {}, post.now)
    begun.clear()
    courier.offer([parcel])
    assert begun == []
    courier._start = start
    await post.until(1)
    assert len(post.tried) == 1


async def test_what_is_under_way_beyond_its_lease_is_not_asked_for_over_and_over(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.hold = asyncio.Event()
    await post.put(1, "self")
    await post.until(1)
    post.now += timedelta(minutes=6)
    claims = counted_claims(post, monkeypatch)
    post.courier.probe()
    await asyncio.sleep(0.2)
    assert 1 <= len(claims) <= 2
    await post.db.run(outbox.put, NewParcel("ticket:b", "self", "b", Kind.NOTE, {"b": 1}), post.now)
    await post.until(2)  # and others go meanwhile
    assert len({id for _, id in post.tried}) == 2


async def test_what_could_not_be_given_back_is_looked_for_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    courier: Any = post.courier
    monkeypatch.setattr(courier, "_start", lambda _: None)
    await post.db.run(outbox.put, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), post.now, take=True)
    (parcel,) = await post.db.read(outbox.taken)
    monkeypatch.undo()

    async def locked(*_: Any) -> None:
        raise StoreUnavailable("the data base is locked")

    monkeypatch.setattr(post.db, "run", locked)
    with pytest.raises(StoreUnavailable):
        await courier._take(parcel, {}, post.now)
    monkeypatch.undo()
    courier.probe()
    await post.until(1)


async def test_while_the_one_probe_is_being_claimed_no_other_is_offered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = post.db.run

    async def slowly(fn: Any, *args: Any, **more: Any) -> Any:
        answer = await run(fn, *args, **more)
        if fn is delivery.claim and answer:
            await run(outbox.put, NewParcel("ticket:b", "smtp", "b", Kind.NOTE, {"b": 1}), post.now, take=True)
        return answer

    monkeypatch.setattr(post.db, "run", slowly)
    post.hold = asyncio.Event()
    await post.put(1)
    await post.until(1)
    await asyncio.sleep(0.05)
    assert len(post.tried) == 1  # it has not worked yet: one at a time
    post.hold.set()
    await post.until(2)


async def test_a_clock_that_is_put_back_by_seconds_holds_nothing_up(post: Post) -> None:
    soon = post.now + timedelta(seconds=0.25)
    await post.db.run(outbox.put, NewParcel("ticket:a", "self", "a", Kind.NOTE, {"a": 1}, due_at=soon), post.now)
    await asyncio.sleep(0.05)
    post.now -= timedelta(seconds=50)
    post.courier.probe()
    await asyncio.sleep(0.05)
    post.now += timedelta(seconds=0.3)
    post.courier.probe()
    await post.until(1)
