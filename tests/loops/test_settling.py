"""What a far end has taken is not done again because the data base was away when it was to be noted; and what was not done yet
waits for no lease."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.office import NOW, env
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.loops import settling
from imbot.loops.courier import Courier
from imbot.loops.pulse import Pulse
from imbot.loops.settling import noted
from imbot.services import delivery
from imbot.store import outbox
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.migrate import migrate

LONG = 30.0  # seconds; ends a test that hangs, decides nothing


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "imbot.db"
    migrate(f"sqlite:///{path}")
    return path


class Rig:
    """A courier over a data base that refuses `away` times to run `function`; `done` counts what was sent."""

    def __init__(self, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
        self.db, self.pulse = db, Pulse(lambda: NOW)
        self.away, self.function, self.done = 0, "", 0
        self.reds: list[str] = []
        run = db.run

        async def flaky(fn: Any, *args: Any) -> Any:
            if self.away and getattr(fn, "__name__", "") == self.function:
                self.away -= 1
                raise StoreUnavailable("the data base is locked by another program")
            return await run(fn, *args)

        monkeypatch.setattr(db, "run", flaky)
        monkeypatch.setattr(settling, "_WAIT", 0.02)

    async def carry(self, errand: Any) -> str:
        """Put one parcel and let the courier carry it; its outcome."""
        stop = asyncio.Event()
        await self.db.run(outbox.put, NewParcel("ticket:t", "smtp", "k", Kind.NOTE, {"a": 1}), NOW)
        courier = Courier(self.db, errand, env(), self.pulse, lambda: NOW)
        running = asyncio.create_task(courier.run(stop))
        async with asyncio.timeout(LONG):
            while (stored := await self.db.read(outbox.by_key, "k")) is None or stored.settled_at is None:
                self.reds += [leg.error for name, leg in self.pulse.legs.items() if name == "store" and leg.since]
                await asyncio.sleep(0.005)
            stop.set()
            await running
        return str(stored.outcome)


@pytest.fixture
async def rig(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    db = await Db.open(f"sqlite:///{shutil.copy(template, tmp_path / 'imbot.db')}")
    yield Rig(db, monkeypatch)
    await db.close()


async def test_what_was_sent_is_only_noted_again(rig: Rig) -> None:
    async def send(parcel: Parcel) -> None:
        rig.done += 1
        await noted(rig.db, outbox.settle, parcel, "accepted", NOW)

    rig.away, rig.function = 3, "settle"
    assert await rig.carry(send) == "accepted"
    assert (rig.done, rig.away) == (1, 0)
    assert "the data base is locked by another program" in rig.reds


async def test_what_was_not_done_yet_is_begun_again_without_waiting_for_its_lease(rig: Rig) -> None:
    async def look_first(parcel: Parcel) -> None:
        rig.done += 1
        await rig.db.run(outbox.settle, parcel, "packed", NOW)

    rig.away, rig.function = 1, "settle"
    assert await rig.carry(look_first) == "packed"
    assert rig.done == 2


async def test_a_refusal_that_cannot_be_noted_at_once_takes_nobody_by_surprise(rig: Rig) -> None:
    async def refused(_: Parcel) -> None:
        rig.done += 1
        raise DeliveryError("550 no such user", permanent=True, kind="refused")

    surprises: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
    rig.away, rig.function = 2, delivery.failed.__name__
    assert await rig.carry(refused) == "failed: 550 no such user"
    assert (rig.done, surprises) == (1, [])
