"""J3: a status letter is delivered by LMTP to Dovecot -> pushed to who idles -> kept, carried out -> sendMessage is answered.

Beside each contestant a bare client idles on the same mailbox: what it hears is the server's push, and no program can be
quicker. limit: raw sockets: EXISTS, the letter fetched, one call; nothing kept. imbot: watcher, reading child, outbox, courier
and Telegram's channel, against a Bot API in a process of its own. a) from the EXISTS that imbot itself has read; b) from the
bare client's, so the two sessions' own unevenness is in it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import desk, office
from benchmarks.bare_idle import beside
from benchmarks.journey import Figures, Journey, Place, Ratio, check
from benchmarks.pace_stub import TOKEN, report, stub
from benchmarks.watching import count
from imbot import event_loop
from imbot.channels.telegram import Telegram, TelegramSettings
from imbot.channels.telegram_wire import read_update
from imbot.loops.pulse import Pulse
from imbot.loops.watcher import Watcher
from imbot.mailbox import imap_feed, imap_wire
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.reading import Reader
from imbot.store.db import Db
from tests.servers import Dovecot, make_certificates, open_folder

_LETTERS = 20
_WARM = 2  # of each contestant are not counted: templates and statements are compiled when first used
_PATIENCE = 30.0
_QUIET = 1.6  # seconds after which no server's timer of the letter before runs on: marked, idling again


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    count = _WARM + max(3, int(_LETTERS * scale))
    with open_folder("imbot-bench-") as folder:
        dovecot = Dovecot(folder, make_certificates(folder)).start()
        try:
            database = folder / "imbot.db"
            office.prepared_tickets(f"sqlite:///{database}", count)
            ports = {"port": dovecot.ports["IMAP"], "lmtp": dovecot.ports["LMTP"], "password": dovecot.password}
            yield ports | {"database": str(database), "count": count}
        finally:
            dovecot.stop()


def _deliver(place: Place, user: str, number: int) -> float:
    """Returns when the letter is in the mailbox: the moment."""
    with smtplib.LMTP("127.0.0.1", place["lmtp"]) as lmtp:
        lmtp.sendmail("itsm@demo.local", [user], office.status_letter(number))
        return time.monotonic()


def _moment(bare: subprocess.Popen[str]) -> float:
    assert bare.stdout is not None
    return float(bare.stdout.readline())


def _user() -> str:
    """A mailbox of its own for each run, empty."""
    return f"bench-{time.time_ns()}@example.test"


# --- the limit


def limit(place: Place) -> Figures:
    user, rows = _user(), []
    with (
        stub() as address,
        socket.create_connection(("127.0.0.1", place["port"])) as wire,
        wire.makefile("rb") as answers,
        closing(http.client.HTTPConnection(address.removeprefix("http://"))) as api,
    ):
        answers.readline()
        wire.sendall(f"a LOGIN {user} {place['password']}\r\nb SELECT INBOX\r\n".encode())
        _until(answers, b"b OK")
        with beside(place, user) as bare:
            for number in range(1, place["count"] + 1):
                wire.sendall(b"c IDLE\r\n")
                _until(answers, b"+")
                delivered = _deliver(place, user, number)
                _until(answers, b"EXISTS")
                seen = time.monotonic()
                wire.sendall(b"DONE\r\nd FETCH %d (BODY.PEEK[])\r\n" % number)
                _until(answers, b"d OK")
                _send(api, number)
                rows.append((delivered, _moment(bare), seen, time.monotonic()))
                time.sleep(_QUIET)
        check(len(report(address)["sent"]) == place["count"], "another number of messages was sent")
    return _figures(rows)


def _until(answers: Any, words: bytes) -> None:
    while words not in (line := answers.readline()):
        check(bool(line), "the server closed the connection")


def _send(api: http.client.HTTPConnection, number: int) -> None:
    body = json.dumps({"chat_id": 10_000 + number, "text": "done"})
    api.request("POST", f"/bot{TOKEN}/sendMessage", body, {"Content-Type": "application/json"})
    answer = api.getresponse()
    answer.read()
    check(answer.status == 200, f"sendMessage was answered {answer.status}")


# --- imbot


class _Stamped:
    """Telegram; notes when a message, not an edit, was answered."""

    name = "telegram"

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self.answered: asyncio.Queue[float] = asyncio.Queue()

    async def show(self, chat_id: str, rendered: Any, *, edit: str = "", dialog: bool = True) -> str:
        message_id = await self._telegram.show(chat_id, rendered, edit=edit, dialog=dialog)
        if not rendered.silent:
            self.answered.put_nowait(time.monotonic())
        return message_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._telegram, name)


class _Hearing:
    """In the place of the pattern that the wire looks for: notes when it was found."""

    def __init__(self) -> None:
        self._pattern = imap_feed.EXISTS
        self.at = 0.0

    def fullmatch(self, line: bytes) -> Any:
        found = self._pattern.fullmatch(line)
        if found:
            self.at = time.monotonic()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)


def imbot(place: Place) -> Figures:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name, stub() as address:
        database = Path(name) / "imbot.db"
        shutil.copy(place["database"], database)
        hearing: Any = _Hearing()
        with mock.patch.object(imap_wire, "EXISTS", hearing):
            rows = event_loop.run(_imbot(place, database, address, hearing))
        shown = {chat for _, chat, _ in report(address)["sent"]}
        wanted = {str(10_000 + number % place["count"]) for number in range(1, place["count"] + 1)}
        check(shown == wanted, f"{len(shown)} persons of {len(wanted)} were told")
        applied = count(database, "SELECT count(*) FROM mails WHERE outcome = 'applied'")
        check(applied == place["count"], f"{applied} letters of {place['count']} were applied")
    return _figures(rows)


async def _imbot(place: Place, database: Path, address: str, hearing: _Hearing) -> list[tuple[float, ...]]:
    user = _user()
    rows: list[tuple[float, ...]] = []
    chat = _Stamped(Telegram(TelegramSettings(TOKEN, api_base=address, poll_timeout=5)))
    await chat.open()
    async with Reader() as reader, desk.running(database, chat, desk.NoMail(), read_update) as db:
        await reader.read(office.status_letter(1))
        async with _watching(db, place, user, reader, database.parent / "letters"):
            with beside(place, user) as bare:
                await asyncio.sleep(1.0)
                for number in range(1, place["count"] + 1):
                    delivered = await asyncio.to_thread(_deliver, place, user, number)
                    shown = await asyncio.wait_for(chat.answered.get(), _PATIENCE)
                    rows.append((delivered, await asyncio.to_thread(_moment, bare), hearing.at, shown))
                    await asyncio.sleep(_QUIET)
    await chat.close()
    return rows


@asynccontextmanager
async def _watching(db: Db, place: Place, user: str, reader: Reader, folder: Path) -> Any:
    settings = ImapSettings("127.0.0.1", place["port"], user, place["password"], tls="none", start="all")
    stop, mailbox = asyncio.Event(), Imap(settings)
    pulse = Pulse(desk.now)
    watcher = Watcher(db, mailbox, reader, folder, desk.env(), pulse, desk.now, wait_seconds=600.0)
    task = asyncio.create_task(watcher.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


def _figures(rows: Sequence[tuple[float, ...]]) -> Figures:
    rows = rows[_WARM:]
    pushes = desk.percentiles([pushed - delivered for delivered, pushed, _, _ in rows])
    seen = desk.percentiles([shown - heard for _, _, heard, shown in rows])
    told = desk.percentiles([shown - delivered for delivered, _, _, shown in rows])
    behind = desk.percentiles([shown - pushed for _, pushed, _, shown in rows])
    return {
        "push_ms": pushes["p50_ms"],
        "notice_ms": told["p50_ms"],
        "behind_push_p50_ms": max(0.0, behind["p50_ms"]),
        "behind_push_p99_ms": max(0.0, behind["p99_ms"]),
        "seen_to_answered_p50_ms": seen["p50_ms"],
        "seen_to_answered_p99_ms": seen["p99_ms"],
    }


JOURNEY = Journey(
    "J3",
    "delivered -> pushed -> sendMessage answered",
    prepare,
    {"limit": limit, "imbot": imbot},
    (
        Ratio("J3a: EXISTS seen -> answered, 99 % / 10 ms", "imbot.seen_to_answered_p99_ms", 10.0, at_most=1, aim=0.5),
        Ratio("J3b: behind the push / 15 ms", "imbot.behind_push_p50_ms", 15.0, at_most=1, aim=8 / 15),
        Ratio("J3a: p50 / limit", "imbot.seen_to_answered_p50_ms", "limit.seen_to_answered_p50_ms"),
    ),
    dict.fromkeys(
        (
            "push_ms",
            "notice_ms",
            "behind_push_p50_ms",
            "behind_push_p99_ms",
            "seen_to_answered_p50_ms",
            "seen_to_answered_p99_ms",
        ),
        "ms",
    ),
)
