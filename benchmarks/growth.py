"""growth: what a data base of 1,000, 10,000, 100,000 and 1,000,000 tickets makes of the same work.

A turn of the dialog, a status letter received, a page of "my tickets", a start, the nightly clean-up when nothing is due, and
when letters are.
Each in this one process, in a transaction of its own, in CPU time by the kernel's accounting: it is the growth that is looked
for, and a sync costs the same at any size. Whoever has nothing to hide is flat: within a fifth of its own time at 1,000.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from benchmarks import desk, filling, office
from benchmarks.journey import Figures, Journey, Place, Ratio, check
from imbot import event_loop
from imbot.config_sections import Retention
from imbot.domain.chats import Chat
from imbot.loops.cleaning import clean_up
from imbot.mime.read import bytes_to_mail
from imbot.services import reports, tickets
from imbot.store import epoch, inbox, outbox, people, sessions
from imbot.store import tickets as ticket_rows
from imbot.store.db import Db
from imbot.store.engine import connect, disconnect, raw_connection
from imbot.store.inbox import NewRaw
from imbot.store.migrate import migrate

_SIZES = {"x1": 1_000, "x10": 10_000, "x100": 100_000, "x1000": 1_000_000}
_TIMES = 60
_DUE = 300  # letters whose bytes the clean-up takes at once
_WORK = ("turn_us", "letter_us", "page_us", "start_ms", "clean_up_ms", "clean_up_due_ms")


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        databases = {}
        for name, size in _SIZES.items():
            path = Path(folder) / f"{name}.db"
            migrate(f"sqlite:///{path}")
            filling.fill(path, max(10 * filling.EACH, int(size * scale)))
            databases[name] = str(path)
        yield {"databases": databases, "times": min(_TIMES, max(5, int(_TIMES * scale)))}


def imbot(place: Place) -> Figures:
    found: Figures = {}
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        # The smallest goes twice, first for nothing: statements and templates are compiled when first used.
        for name, source in (("x1", place["databases"]["x1"]), *place["databases"].items()):
            path = Path(folder) / f"{name}.db"
            shutil.copy(source, path)
            figures = _work(path, place["times"]) | event_loop.run(_whole(path, Path(folder)))
            found |= {f"{work}_{name}": figures[work] for work in _WORK}
            path.unlink()
    return found


def _work(path: Path, times: int) -> Figures:
    c = connect(path)
    try:
        owners = _owners(c, times)
        turns = _timed(c, _turns, owners)
        letters = _timed(c, _letter, owners)
        pages = _timed(c, _page, owners)
    finally:
        disconnect(c)
    return {"turn_us": turns / 4 * 1e6, "letter_us": letters * 1e6, "page_us": pages * 1e6}


def _owners(c: Connection, times: int) -> Sequence[int]:
    """Numbers of persons all over the table, none twice."""
    last = raw_connection(c).execute("SELECT max(id) FROM people").fetchone()[0]
    return [2 + place * (last - 2) // times for place in range(times)] if last > times else range(2, last + 1)


def _timed(c: Connection, work: Callable[[Connection, int], None], persons: Sequence[int]) -> float:
    """The median, in seconds of one person's work in a transaction of its own."""
    raw, spent = raw_connection(c), []
    for person in persons:
        began = time.process_time()
        raw.execute("BEGIN IMMEDIATE")
        work(c, person)
        raw.execute("COMMIT")
        spent.append(time.process_time() - began)
    return statistics.median(spent)


def _turns(c: Connection, person: int) -> None:
    """Four turns, from the command to the review."""
    desk.to_the_review(c, Chat("telegram", str(desk.FIRST_CHAT + person)))


def _letter(c: Connection, person: int) -> None:
    """The person's open ticket is done, says the helpdesk. Kept, then received."""
    number = (person - 1) * filling.EACH + 1
    raw = office.status_letter(number, desk.now() - timedelta(hours=2))
    (mail_id,) = inbox.keep_many(c, "replies", [NewRaw("2", str(number), raw, "", len(raw), str(number))], desk.now())
    outcome = reports.receive(c, mail_id, bytes_to_mail(raw), desk.now(), desk.env())
    check(outcome == "applied", f"the letter about IM-CL-{number} was {outcome}")


def _page(c: Connection, person: int) -> None:
    owner = people.person(c, person)
    told = tickets.listed(c, owner, 0, desk.env())
    check(told.values["total"] == filling.EACH, f"{told.values['total']} tickets of {filling.EACH}")


async def _whole(path: Path, folder: Path) -> Figures:
    """A start, as `imbot.app.build` and the loops make it, and the clean-up: medians of five."""
    starts, nights, busy, now = [], [], [], desk.now()
    for turn in range(5):
        began = time.process_time()
        check(migrate(f"sqlite:///{path}") == [], "the schema is old")
        db = await Db.open(f"sqlite:///{path}")
        await db.run(epoch.begin, "", "fresh", now)
        await db.read(ticket_rows.of_lost_backends, tuple(desk.env().backends))
        await db.run(outbox.clear_leases)
        await db.read(outbox.look, [])
        await db.read(sessions.owed, now, 200)
        starts.append(time.process_time() - began)
        began = time.process_time()
        await clean_up(db, Retention(), folder, folder, now)
        nights.append(time.process_time() - began)
        await db.run(_put_old_letters, range(turn * _DUE, (turn + 1) * _DUE))
        began = time.process_time()
        done = await clean_up(db, Retention(), folder, folder, now)
        busy.append(time.process_time() - began)
        check(done["letters"] == _DUE, f"{done['letters']} letters of {_DUE} were due")
        await db.close()
    spent = {"start_ms": starts, "clean_up_ms": nights, "clean_up_due_ms": busy}
    return {name: statistics.median(seconds) * 1e3 for name, seconds in spent.items()}


def _put_old_letters(c: Connection, numbers: Sequence[int]) -> None:
    """Letters of 3 KB whose bytes have outlived their time."""
    then = desk.now() - timedelta(days=Retention().raw_letters_days + 1)
    letters = [NewRaw("3", str(number), b"x" * 3000, "", 3000, f"due{number}") for number in numbers]
    for mail in inbox.keep_many(c, "replies", letters, then):
        inbox.settle_mail(c, mail, "ignored", now=then)


JOURNEY = Journey(
    "growth",
    "the same work at 1, 10, 100 and 1,000 times a thousand tickets",
    prepare,
    {"imbot": imbot},
    tuple(
        Ratio(f"{work.rpartition('_')[0]}: {name} / x1", f"imbot.{work}_{name}", f"imbot.{work}_x1", at_most=1.2)
        for work in _WORK
        for name in _SIZES
        if name != "x1"
    ),
    {f"{work}_{name}": work.rpartition("_")[2] for work in _WORK for name in _SIZES},
)
