"""J2: Send is pressed on the review -> committed -> packed -> a real Postfix, which syncs every letter, answers 250.

disk: the file system's fdatasync alone. limit: the bare conversation over one kept session, one letter at a time, nothing
kept. usual: an ORM commit, one connection of aiosmtplib for the letter, an ORM commit. imbot: the press as an update through
dispatch, outbox and courier; the chat is a queue in this process, without HTTP, and answers at once.

bulk: Postfix's own smtp-source with as many sessions as imbot has and one of imbot's letters, and the letters that wait in the
outbox, while the chat takes their receipts at Telegram's pace. Of either, the start, the connection and the first letters are not
counted: what smtp-source takes for those alone, in a run before each turn, is taken off; imbot's time begins with the 250 to the
last of them. It ends with the 250 to the last of all, for what Postfix has accepted is what the gate is about; that each is
settled as well is checked behind it, not timed. They go in turns of a quarter each: a shared machine changes its speed within
seconds, and gives more to whoever comes after a rest. Then, not timed: kill -9 right behind the 250 to half of them, and a second
start, which sends what is left.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from benchmarks import cut, desk, machine
from benchmarks.journey import Figures, Journey, Missing, Place, Ratio, check
from benchmarks.postfix import empty, installed, postfix, taken
from imbot import event_loop
from imbot.channels.pacer import Pacer
from imbot.domain.chats import Chat, Incoming, Pressed
from imbot.mailbox.smtp import Smtp, SmtpSettings
from imbot.mime import letter_to_bytes
from imbot.store import outbox
from imbot.store.db import Db

_PRESSES, _BULK = 300, 2000
_WARM = 20  # of each contestant are not counted: statements and templates are compiled when first used
_SESSIONS = 1  # the one connection of `imbot.mailbox.smtp`
_TURNS = ("source", "drain", "drain", "source") * 2
_TWICE = 24  # letters that one kill may repeat: no more than it has in hand
_PAUSE = 0.02  # seconds between presses: what follows the 250 (settling, the receipt) is no part of the next one


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    presses, bulk = _WARM + max(10, int(_PRESSES * scale)), _WARM + max(20, int(_BULK * scale) // _TURNS.count("drain"))
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name, postfix() as server:
        folder = Path(name)
        sends = desk.at_the_review(f"sqlite:///{folder / 'review.db'}", presses)
        desk.waiting_letters(f"sqlite:///{folder / 'waiting.db'}", bulk)
        sample = folder / "letter.eml"
        sample.write_bytes(letter_to_bytes(desk.sample_letter()))
        lines = folder / "letter.lines"  # smtp-source ends each line itself
        lines.write_bytes(sample.read_bytes().replace(b"\r\n", b"\n"))
        letters = {"sample": str(sample), "sample_lines": str(lines)}
        yield {**server, **letters, "folder": name, "sends": sends, "bulk": bulk}


def _ready(place: Place) -> None:
    if place["missing"]:
        raise Missing(str(place["missing"]))
    empty(place["hold"])


def _check_taken(place: Place, wanted: Sequence[str]) -> None:
    """Each of these letters lies at the far end, once, and no other."""
    found = taken(place["hold"])
    check(max(found.values(), default=0) == 1, f"{_repeats(found)} letters were taken twice")
    check(set(found) == set(wanted), f"{len(found)} letters of {len(wanted)} were taken, or others")


def _repeats(found: Mapping[str, int]) -> int:
    return sum(found.values()) - len(found)


def disk(place: Place) -> Figures:
    return {"fdatasync_per_s": machine.syncs_per_second(Path(place["folder"]))}


# --- one at a time


def limit(place: Place) -> Figures:
    _ready(place)
    sample = Path(place["sample"]).read_bytes()
    ids = [f"<{number}@limit.bench.test>" for number in range(len(place["sends"]))]
    times, spent = [], 0.0
    with socket.create_connection(("127.0.0.1", place["port"])) as wire, wire.makefile("rb") as answers:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _say(wire, answers, b"", b"220")
        _say(wire, answers, b"EHLO bench.test\r\n", b"250")
        for number, message_id in enumerate(ids):
            spent = machine.cpu() if number == _WARM else spent
            letter = sample.replace(b"<0@bot.demo.local>", message_id.encode()) + b"\r\n.\r\n"
            began = time.perf_counter()
            _say(wire, answers, b"MAIL FROM:<bot@demo.local>\r\n", b"250")
            _say(wire, answers, b"RCPT TO:<help@demo.local>\r\n", b"250")
            _say(wire, answers, b"DATA\r\n", b"354")
            _say(wire, answers, letter, b"250")
            times.append(time.perf_counter() - began)
            time.sleep(_PAUSE)
        spent = machine.cpu() - spent
    _check_taken(place, ids)
    return desk.percentiles(times[_WARM:]) | {"cpu_us": spent / (len(times) - _WARM) * 1e6}


def _say(wire: socket.socket, answers: object, words: bytes, wanted: bytes) -> None:
    if words:
        wire.sendall(words)
    while (line := answers.readline())[3:4] == b"-":  # type: ignore[attr-defined]
        pass
    check(line.startswith(wanted), f"{words[:30]!r} was answered {line!r}")


def usual(place: Place) -> Figures:
    _ready(place)
    return asyncio.run(_usual(place))


async def _usual(place: Place) -> Figures:
    import aiosmtplib

    from benchmarks.usual import Desk, usual_letter

    count, times, spent = len(place["sends"]), [], 0.0
    text = Path(place["sample"]).read_text("ascii").partition("\r\n\r\n")[2]
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        store = Desk(Path(folder) / "usual.db")
        for number in range(count):
            spent = machine.cpu() if number == _WARM else spent
            began = time.perf_counter()
            row = store.file(f"Заявка {number}", text)
            message = usual_letter(f"<{number}@usual.bench.test>", f"Заявка {number}", text)
            await aiosmtplib.send(message, hostname="127.0.0.1", port=place["port"], use_tls=False, start_tls=False)
            times.append(time.perf_counter() - began)
            store.sent(row)
            await asyncio.sleep(_PAUSE)
        spent = machine.cpu() - spent
        check(store.count_sent() == count, f"{store.count_sent()} rows of {count} are sent")
    _check_taken(place, [f"<{number}@usual.bench.test>" for number in range(count)])
    return desk.percentiles(times[_WARM:]) | {"cpu_us": spent / (count - _WARM) * 1e6}


class _Timed:
    """The mail server as the errands see it; notes when it answered."""

    def __init__(self, smtp: Smtp) -> None:
        self._smtp = smtp
        self.answered: asyncio.Queue[float] = asyncio.Queue()

    async def send(self, envelope_sender: str, recipients: list[str], data: bytes) -> str:
        answer = await self._smtp.send(envelope_sender, recipients, data)
        self.answered.put_nowait(time.perf_counter())
        return answer


def imbot(place: Place) -> Figures:
    _ready(place)
    return event_loop.run(_imbot(place))


async def _imbot(place: Place) -> Figures:
    times, spent = [], 0.0
    smtp = Smtp(SmtpSettings("127.0.0.1", place["port"], tls="none"))
    await smtp.check()
    timed, chat = _Timed(smtp), desk.QuietChat()
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        database = Path(folder) / "imbot.db"
        shutil.copy(Path(place["folder"]) / "review.db", database)
        async with desk.running(database, chat, timed) as db:
            await asyncio.sleep(0.2)
            for number, value in enumerate(place["sends"]):
                spent = machine.cpu() if number == _WARM else spent
                person = Chat("telegram", str(desk.FIRST_CHAT + number))
                began = time.perf_counter()
                chat.put(Incoming(f"telegram:{number}", person, Pressed(value, "m"), handle="h", language="ru"))
                times.append(await asyncio.wait_for(timed.answered.get(), 30) - began)
                await asyncio.sleep(_PAUSE)
            spent = machine.cpu() - spent
            await _until_settled(db)
        await smtp.close()
        _check_taken(place, _settled(database, len(times)))
    return desk.percentiles(times[_WARM:]) | {"cpu_us": spent / (len(times) - _WARM) * 1e6}


def _settled(database: Path, count: int) -> list[str]:
    """The Message-IDs of all tickets, each of which knows that its letter was accepted."""
    with closing(sqlite3.connect(database)) as c:
        ids = [row[0] for row in c.execute("SELECT message_id FROM tickets WHERE handover = 'accepted'")]
        letters = "SELECT count(*) FROM parcels WHERE kind = 'letter' AND outcome = 'accepted'"
        settled = c.execute(letters).fetchone()[0]
    check(len(ids) == count, f"{len(ids)} tickets of {count} know that their letter was accepted")
    check(settled == count, f"{settled} letters of {count} are settled")
    return ids


async def _until_settled(db: Db, *targets: str) -> None:
    """Nothing for these far ends (none named: for any) is open."""
    async with asyncio.timeout(60):
        while any(not targets or one in targets for one in await db.read(_open_targets)):
            await asyncio.sleep(0.05)


def _open_targets(c: Connection) -> list[str]:
    return [target for target, count in outbox.counts(c).items() if count and target not in ("suspended", "waiting")]


# --- in bulk


def bulk(place: Place) -> Figures:
    desk.env(), desk.templates()
    return event_loop.run(_bulk(place))


async def _bulk(place: Place) -> Figures:
    seconds, spent, letters = {"source": 0.0, "drain": 0.0}, 0.0, {"source": 0, "drain": 0}
    warm: list[float] = []
    for who in _TURNS:
        _ready(place)
        if who == "source":
            warm.append(_source(place, _WARM))
            _ready(place)
            took = _source(place, place["bulk"])
        else:
            took, cpu = await _drain(place)
            spent += cpu
        seconds[who] += took
        letters[who] += place["bulk"] - _WARM
    return {
        "source_letters_per_s": source_rate(letters["source"], seconds["source"], warm),
        "letters_per_s": letters["drain"] / seconds["drain"],
        "cpu_us": spent / letters["drain"] * 1e6,
        "repeats_after_kill": await _killed(place),
    }


def source_rate(letters: int, seconds: float, warm: Sequence[float]) -> float:
    """Letters a second without what each run took for the start and the first ones, which the runs of `warm` took. Their median,
    not their sum: one that had to wait for the disk would take off too much. 0, which is no figure, where all letters took no
    longer than the first ones: there were too few to tell."""
    rest = seconds - len(warm) * statistics.median(warm)
    return letters / rest if rest > 0 else 0.0


def _source(place: Place, count: int) -> float:
    """Seconds for `count` letters, from before the process is there until it has ended."""
    asked = [installed("smtp-source"), "-d", "-s", str(_SESSIONS), "-m", str(count), "-F", place["sample_lines"]]
    asked += ["-f", "bot@demo.local", "-t", "help@demo.local", f"127.0.0.1:{place['port']}"]
    began = time.perf_counter()
    subprocess.run(asked, check=True, timeout=600)
    seconds = time.perf_counter() - began
    found = sum(taken(place["hold"]).values())
    check(found == count, f"{found} letters of {count} were taken")
    return seconds


async def _drain(place: Place) -> tuple[float, float]:
    """Seconds from 250 to 250, and seconds of the processor, for all but the first ones."""
    smtp = Smtp(SmtpSettings("127.0.0.1", place["port"], tls="none"))
    await smtp.check()
    count = place["bulk"]
    timed = _Timed(smtp)
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        database = Path(folder) / "imbot.db"
        shutil.copy(Path(place["folder"]) / "waiting.db", database)
        async with desk.running(database, desk.QuietChat(Pacer()), timed) as db:
            while timed.answered.qsize() < _WARM:
                await asyncio.sleep(0.001)
            spent = machine.cpu()
            while timed.answered.qsize() < count:
                await asyncio.sleep(0.01)
            spent = machine.cpu() - spent
            await _until_settled(db, "smtp")
        await smtp.close()
        _check_taken(place, _settled(database, count))
    moments = [timed.answered.get_nowait() for _ in range(count)]
    return moments[-1] - moments[_WARM - 1], spent


async def _killed(place: Place) -> float:
    """kill -9 behind half of the letters that wait, and a second start: each of them is at the far end, and settled. Returns how
    many are there twice, which is honest only for what nobody can have noted."""
    _ready(place)
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        database = Path(folder) / "imbot.db"
        shutil.copy(Path(place["folder"]) / "waiting.db", database)
        await asyncio.to_thread(cut.first_half, "j2", place, Path(folder), "smtp_250", place["bulk"] // 2)
        await _drained(place, database)
        ids, found = _settled(database, place["bulk"]), taken(place["hold"])
    check(set(found) == set(ids), f"{len(found)} letters of {len(ids)} were taken after a kill, or others")
    check(_repeats(found) <= _TWICE, f"{_repeats(found)} letters were taken twice after a kill")
    return float(_repeats(found))


def half(place: Place, folder: Path) -> None:
    event_loop.run(_drained(place, folder / "imbot.db"))


async def _drained(place: Place, database: Path) -> None:
    smtp = Smtp(SmtpSettings("127.0.0.1", place["port"], tls="none"))
    async with desk.running(database, desk.QuietChat(Pacer()), smtp) as db:
        await _until_settled(db, "smtp")
    await smtp.close()


JOURNEY = Journey(
    "J2",
    "Send pressed -> letter accepted by Postfix",
    prepare,
    {"disk": disk, "limit": limit, "usual": usual, "imbot": imbot, "bulk": bulk},
    (
        Ratio("p50 / SMTP alone", "imbot.p50_ms", "limit.p50_ms", at_most=3, aim=2),
        Ratio("p99 / 10 ms", "imbot.p99_ms", 10.0, at_most=1),
        Ratio("p50 / usual build", "imbot.p50_ms", "usual.p50_ms"),
        Ratio(
            f"bulk / smtp-source, {_SESSIONS} sessions",
            "bulk.letters_per_s",
            "bulk.source_letters_per_s",
            0.75,
            aim=0.85,
        ),
    ),
    {
        "fdatasync_per_s": "/s",
        "p50_ms": "ms",
        "p99_ms": "ms",
        "cpu_us": "us a letter",
        "letters_per_s": "/s",
        "source_letters_per_s": "/s",
    },
)
