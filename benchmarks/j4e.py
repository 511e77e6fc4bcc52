"""J4e: bombs. How late is the event loop while letters made to do harm go through the watcher and its reading child?

idle: the ticker alone on the same machine. imbot: every bomb, and between them letters that must get through.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import office
from benchmarks.bombs import bombs
from benchmarks.journey import Figures, Journey, Place, Ratio, check
from benchmarks.watching import count, freeze, ticking, watch
from imbot import event_loop
from imbot.mailbox.reading import Reader


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    letters: list[bytes] = []
    for number, (_, bomb) in enumerate(bombs(scale), 1):
        letters += [bomb, office.status_letter(number)]
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder, office.mailbox(letters) as place:
        office.prepared_tickets(f"sqlite:///{folder}/imbot.db", len(letters) // 2)
        yield place | {"database": f"{folder}/imbot.db", "good": len(letters) // 2}


def idle(_place: Place) -> Figures:
    async def wait() -> Figures:
        async with ticking() as lags:
            await asyncio.sleep(3)
        return {"lag_p99_ms": lags.p99, "lag_worst_ms": lags.worst}

    return asyncio.run(wait())


def imbot(place: Place) -> Figures:
    return event_loop.run(_imbot(place))


async def _imbot(place: Place) -> Figures:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        database = folder / "imbot.db"
        database.write_bytes(Path(place["database"]).read_bytes())
        office.env()
        async with Reader() as reader:
            await reader.read(office.status_letter(1))
            freeze()
            async with ticking() as lags:
                done = await watch(place, folder, reader)
        applied = count(database, "SELECT count(*) FROM tickets WHERE status = 'resolved'")
        check(applied == place["good"], f"{applied} good letters applied of {place['good']}")
        settled = count(database, "SELECT count(*) FROM mails WHERE settled_at IS NOT NULL")
        check(settled == place["count"], f"{settled} letters have a fate of {place['count']}")
    return {
        "lag_p99_ms": lags.p99,
        "lag_worst_ms": lags.worst,
        "own_work_ms": lags.own,
        "whole_s": done.whole,
    }


JOURNEY = Journey(
    "J4e",
    "letters made to do harm, and good ones between them",
    prepare,
    {"idle": idle, "imbot": imbot},
    (
        Ratio("lag, 99 % / 50 ms", "imbot.lag_p99_ms", 50.0, at_most=1),
        Ratio("longest lag / 50 ms", "imbot.lag_worst_ms", 50.0),
    ),
    {"lag_p99_ms": "ms", "lag_worst_ms": "ms", "own_work_ms": "ms", "whole_s": "s"},
)
