"""The machine's clock ran a day ahead, imbot was stopped, the clock put right, imbot started: what was put off goes as soon as it
is clear that the clock is right now, and was not before."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from benchmarks.office import NOW, env
from imbot.dialog.screen import Screen, screen_to_json
from imbot.domain.parcels import Kind, NewParcel
from imbot.loops.pulse import Pulse
from imbot.loops.screens import Screens
from imbot.store import facts, outbox, sessions
from imbot.store.db import Db
from tests.loops.test_courier import Post
from tests.loops.test_screens import CHAT, TEMPLATES, Phone
from tests.loops.test_screens import db as db

AHEAD = NOW + timedelta(days=1)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes have passed since the start."""
    monkeypatch.setattr("imbot.loops.pulse.SETTLED", 0.0)


def put_off(c: Connection) -> None:
    """A letter that was tried in vain by the clock that ran ahead, and the next one of its request, put by the right one."""
    outbox.put(c, NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {"a": 1}), AHEAD)
    (one,) = outbox.claim(c, AHEAD, 1)
    outbox.again(c, one, AHEAD, "451")
    outbox.put(c, NewParcel("ticket:a", "smtp", "b", Kind.NOTE, {"a": 1}), NOW)


@pytest.mark.usefixtures("settled")
async def test_letters_that_were_put_off_ahead_of_time_go(db: Db) -> None:
    await db.run(put_off)
    post, stop = Post(db), asyncio.Event()
    post.now = NOW + timedelta(minutes=1)
    running = asyncio.create_task(post.courier.run(stop))
    await post.until(2)
    stop.set()
    await running


@pytest.mark.usefixtures("settled")
async def test_a_screen_that_was_put_off_ahead_of_time_is_shown(db: Db) -> None:
    phone, stop = Phone(), asyncio.Event()
    screen = screen_to_json(Screen("store_down", {"support_contact": ""}))
    await db.run(sessions.owe, CHAT, screen, AHEAD, False, AHEAD)
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: NOW), lambda: NOW)
    running = asyncio.create_task(screens.run(stop))
    await phone.until(lambda: phone.shown == ["m1"])
    stop.set()
    await running


async def test_a_clock_that_is_behind_at_a_start_moves_nothing(db: Db) -> None:
    """A machine that was switched on a moment ago: its time service needs a minute."""
    await db.run(put_off)
    post, stop = Post(db), asyncio.Event()
    running = asyncio.create_task(post.courier.run(stop))
    await post.put(1)
    await post.until(1)
    rows = await db.read(outbox.of_lane, "ticket:a")
    assert [(row.created_at, row.due_at) for row in rows] == [(AHEAD, AHEAD), (NOW, NOW)]
    stop.set()
    await running


async def test_of_one_correction_what_was_put_off_is_hastened_once(db: Db) -> None:
    """What is to wait until tomorrow by the right clock does so, however often imbot is started that day."""
    await db.run(facts.set_fact, "mailbox_ok_at", AHEAD.isoformat(), AHEAD)
    await db.run(outbox.clock_was_put_back, NOW)
    tomorrow = NOW + timedelta(hours=20)

    def ask_tomorrow(c: Connection) -> None:
        outbox.put(c, NewParcel("survey:a", "self", "a", Kind.NOTE, {"a": 1}, due_at=tomorrow), NOW)

    def due(c: Connection) -> datetime:
        (one,) = outbox.open_parcels(c, 10)
        return one.parcel.due_at

    await db.run(ask_tomorrow)
    await db.run(outbox.clock_was_put_back, NOW + timedelta(minutes=5))
    assert await db.read(due) == tomorrow
    again = AHEAD + timedelta(days=1)
    await db.run(facts.set_fact, "mailbox_ok_at", again.isoformat(), again)
    await db.run(outbox.clock_was_put_back, NOW + timedelta(minutes=10))
    assert await db.read(due) < tomorrow, "another correction is another one"
