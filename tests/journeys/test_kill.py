"""The real `imbot run` process, killed with SIGKILL at each named failpoint of journeys A and B and started again.

What must hold whatever is killed: one ticket, one letter with one Message-ID, every status told. A letter goes out twice
only where the kill fell between the server's 250 and our commit; a notice only where it fell while that notice was being
shown, which it also may where another failpoint was meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from imbot.app import make_folders
from imbot.demo.cast import ITSM_ADDRESS
from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.store import people
from imbot.store.db import once
from imbot.store.migrate import migrate
from tests.journeys.office import ANNA, ANNA_MAIL, PNG, Office

pytestmark = pytest.mark.servers

# failpoint -> how many letters the ITSM may get
FAILPOINTS = {
    "update_received:7": 1,
    "turn_committed:7": 1,
    "screen_shown:6": 1,
    "parcel_claimed:1": 1,
    "parcel_claimed:4": 1,
    "parcel_settled:2": 1,
    "smtp_mid_data": 1,
    "smtp_250": 2,
    "mail_fetched": 1,
    "raw_stored": 1,
    "report_applied": 1,
    "notice_sent": 1,
    "mail_marked": 1,
    "mail_marked:2": 1,
}


class Nanny:
    """Starts `imbot run`, and starts it again, without the failpoint, whenever it was killed."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config, self._log = config, log
        self._database = config.parent / "var" / "imbot.db"
        self.kills = 0
        self.notices_on_their_way: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, failpoint: str = "") -> None:
        env = {**os.environ, "IMBOT_FAILPOINT": failpoint}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "imbot", "run", "--config", str(self._config)), env=env, stdout=log, stderr=log
            )
        self._watch = asyncio.create_task(self._mind(self._process))

    async def _mind(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if code == -9:
            self.kills += 1
            self.notices_on_their_way |= claimed_notices(self._database)
            await self.start()
        elif code != 0:
            raise AssertionError(f"imbot ended with {code}: {self._log.read_text(errors='replace')[-3000:]}")

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 15)
        if self._watch is not None:
            await self._watch


def claimed_notices(database: Path) -> set[int]:
    """Those that were taken up and not settled: their chat may have had them."""
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as c:
        rows = c.execute("SELECT id FROM parcels WHERE kind = 'notice' AND attempts > 0 AND settled_at IS NULL")
        return {int(row[0]) for row in rows}


@contextlib.asynccontextmanager
async def minded(office: Office) -> AsyncIterator[Nanny]:
    link_anna(office)
    nanny = Nanny(office.write_config(), office.folder / "imbot.log")
    try:
        yield nanny
    finally:
        with contextlib.suppress(ProcessLookupError):
            await nanny.stop()


def link_anna(office: Office) -> None:
    """As after a sign-in, which has journeys of its own."""
    url = make_folders(office.folder / "var").database
    migrate(url)
    now, chat = datetime.now(UTC), Chat("telegram", str(ANNA))
    once(url, people.see_chat, chat, "ru", now)
    once(url, people.link_chat, chat, Entry(ANNA_MAIL, "Иванова Анна Сергеевна", "12-34", "Тверская, 7"), now)


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(office: Office, failpoint: str) -> None:
    async with minded(office) as nanny:
        await nanny.start(failpoint)
        await file_and_finish(office)
        await office.until(lambda: nanny.kills == 1, f"{failpoint} is reached")
        await settled(office)
    check_letters(office, FAILPOINTS[failpoint])
    check_told(office, nanny.notices_on_their_way)


async def file_and_finish(office: Office) -> None:
    """Journeys A and B: file with a photo, registered, done."""
    office.api.say(ANNA, "/menu")
    await office.press(ANNA, "Новая заявка")
    await office.press(ANNA, "Оборудование")
    await office.press(ANNA, "ринтер")
    await office.said(ANNA, "пиш")
    office.api.say(ANNA, "Принтер мигает красным")
    await office.said(ANNA, "Проверьте заявку")
    office.api.attach(ANNA, [("экран.jpg", "image/jpeg", PNG)], caption="экран ошибки")
    await office.said(ANNA, "Проверьте заявку", "экран ошибки")
    await office.press(ANNA, "Отправить", "экран ошибки")
    letter = await office.letter_to(ITSM_ADDRESS)
    await office.said(ANNA, "не подтвердила")
    await office.itsm_says("register", letter)
    await office.said(ANNA, "IM-CL-1042", "принята")
    await office.itsm_says("done", letter, "Заменён картридж")
    await office.said(ANNA, "Заменён картридж", "выполнена")


async def settled(office: Office) -> None:
    """Nothing is under way any more: every parcel settled, every screen shown, every letter marked."""

    def quiet() -> bool:
        with contextlib.closing(sqlite3.connect(office.folder / "var" / "imbot.db", timeout=10)) as c:
            left = c.execute(
                "SELECT (SELECT count(*) FROM parcels WHERE settled_at IS NULL)"
                " + (SELECT count(*) FROM slots WHERE due_at IS NOT NULL)"
                " + (SELECT count(*) FROM mails WHERE settled_at IS NULL)"
                " + (SELECT count(*) FROM mail_places WHERE marked_at IS NULL)"
            ).fetchone()[0]
        return bool(left == 0)

    await office.until(quiet, "everything is settled")


def check_letters(office: Office, allowed: int) -> None:
    ids = Counter(str(message_from_bytes(one.data)["Message-ID"]) for one in office.letters_to(ITSM_ADDRESS))
    assert len(ids) == 1, f"one request has letters with {len(ids)} Message-IDs"
    assert 1 <= ids.total() <= allowed
    with contextlib.closing(sqlite3.connect(office.folder / "var" / "imbot.db")) as c:
        assert c.execute("SELECT count(*) FROM tickets").fetchone()[0] == 1
        assert c.execute("SELECT status FROM tickets").fetchone()[0] == "resolved"
        assert c.execute("SELECT count(*) FROM mails").fetchone()[0] == 2


def check_told(office: Office, on_their_way: set[int]) -> None:
    """Each notice stands in the chat, and not oftener than a kill excuses. A notice names ticket and title; the receipt
    begins with the title alone."""
    told = [one["text"] for one in office.bot_messages(ANNA) if one["text"].startswith("Заявка IM-CL-1042 «")]
    times = {words: sum(words in text for text in told) for words in ("» принята", "Заменён картридж")}
    assert min(times.values()) >= 1, f"not told: {times}"
    assert sum(times.values()) - len(times) <= len(on_their_way), f"told too often: {told}"
