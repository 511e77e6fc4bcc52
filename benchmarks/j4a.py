"""J4a: a backlog of 10,000 status letters in a Dovecot mailbox -> made durable and queued -> carried out.

limit: the whole mailbox fetched over one socket, headers and text looked at, nothing kept. usual: imap-tools one by one, its
subject and text, an ORM session that commits each letter with what it changes, the letter marked; usual_keeps: its raw bytes
committed, one by one, and no more; aioimaplib: the same by that library, as its readers use it (each: a tenth of the letters).
imbot: its own watcher; "kept": raw letters and cursor committed; "carried out": statuses applied, notices in the outbox, letters
marked; "whole": one after the other. Then, not timed: kill -9 in the middle of keeping, a second start and kill -9 in the
middle of carrying out, and a third, behind which everything is there once.

The gate sets what protects a letter here, kept, beside what protects it there, the whole job, for the usual build keeps a letter
only with what it changes. The ratios beside it compare like with like.
"""

from __future__ import annotations

import asyncio
import base64
import quopri
import re
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from email.header import decode_header
from pathlib import Path
from typing import Any

import aioimaplib  # type: ignore[import-untyped]

from benchmarks import cut, office
from benchmarks.journey import Figures, Journey, Missing, Place, Ratio, check
from benchmarks.watching import Watched, freeze, watch
from benchmarks.watching import count as count_of
from imbot import event_loop
from imbot.mailbox.reading import Reader

_FULL = 10_000
_WINDOW, _BATCH = 500, 50  # letters that imbot asks for at once, and gives its reader at once


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    count = max(20, int(_FULL * scale))
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder,
        office.mailbox([office.status_letter(number) for number in range(1, count + 1)]) as place,
    ):
        database = Path(folder) / "imbot.db"
        office.prepared_tickets(f"sqlite:///{database}", count)
        with closing(sqlite3.connect(database)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield place | {"database": str(database)}


# --- the limit


def limit(place: Place) -> Figures:
    began = time.perf_counter()
    subjects = {_lazily(raw) for raw in _fetch_all(place)}
    seconds = time.perf_counter() - began
    check(len(subjects) == place["count"], f"{len(subjects)} different letters of {place['count']}")
    return {"letters_per_s": place["count"] / seconds}


def _fetch_all(place: Place) -> Iterator[bytes]:
    with socket.create_connection(("127.0.0.1", place["port"])) as wire, wire.makefile("rb", 1 << 18) as file:
        file.readline()
        wire.sendall(f"a LOGIN {office.BOT} {place['password']}\r\nb EXAMINE INBOX\r\n".encode())
        while not file.readline().startswith(b"b OK"):
            pass
        wire.sendall(b"c UID FETCH 1:* (UID BODY.PEEK[])\r\n")
        while (line := file.readline()).startswith(b"*"):
            if line.endswith(b"}\r\n"):
                yield file.read(int(line[line.rindex(b"{") + 1 : -3]))
                file.readline()


_FIELD = re.compile(rb"(?m)^([!-9;-~]+):[ \t]*((?:.*\r?\n)(?:[ \t].*\r?\n)*)")
_TYPE = re.compile(rb"text/(?:plain|html)(?:;\s*charset=\"?([\w-]+))?", re.IGNORECASE)


def _lazily(raw: bytes) -> str:
    """All header fields apart, those that matter decoded, and the text part: the least that any reader must do."""
    end = raw.index(b"\r\n\r\n") + 2
    fields = {name.lower(): value for name, value in _FIELD.findall(raw[:end])}
    subject = _decoded(fields.get(b"subject", b""))
    _decoded(fields.get(b"from", b""))
    found = _TYPE.match(fields.get(b"content-type", b"text/plain"))
    body = raw[end + 2 :]
    way = fields.get(b"content-transfer-encoding", b"").strip().lower()
    body = (
        base64.b64decode(body)
        if way == b"base64"
        else quopri.decodestring(body)
        if way == b"quoted-printable"
        else body
    )
    text = body.decode((found[1] if found and found[1] else b"utf-8").decode(), "replace")
    return subject + text


def _decoded(value: bytes) -> str:
    words = decode_header(value.decode("ascii", "replace").strip())
    return "".join(
        word if isinstance(word, str) else word.decode(charset or "ascii", "replace") for word, charset in words
    )


# --- the usual build


def usual(place: Place) -> Figures:
    from benchmarks.usual import Store

    count = _usual_count(place)
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        store = Store(Path(folder) / "usual.db", count)
        began = time.perf_counter()
        with _usual_mailbox(place) as mailbox:
            for one in mailbox.fetch(limit=count, mark_seen=False):
                store.carry_out(one.subject, one.text or one.html, one.obj.as_bytes())
                mailbox.flag(str(one.uid), r"\Flagged", True)
        seconds = time.perf_counter() - began
        check(store.counts() == (count, count, count), f"{store.counts()} letters, tickets, notices of {count}")
    return {"letters_per_s": count / seconds}


def usual_keeps(place: Place) -> Figures:
    """imap-tools takes apart what it fetches, so the bytes are asked of the client below it, by the same command."""
    from benchmarks.usual import Store

    count = _usual_count(place)
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        store = Store(Path(folder) / "usual.db", 0)
        began = time.perf_counter()
        with _usual_mailbox(place) as mailbox:
            for uid in mailbox.uids()[:count]:
                _, found = mailbox.client.uid("fetch", uid, "(BODY.PEEK[] UID FLAGS RFC822.SIZE)")
                store.keep(found[0][1])
        seconds = time.perf_counter() - began
        _check_kept(store.kept(), count)
    return {"letters_per_s": count / seconds}


def one_by_one(place: Place) -> Figures:
    from benchmarks.usual import Store

    count = _usual_count(place)
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        store = Store(Path(folder) / "usual.db", 0)
        began = time.perf_counter()
        asyncio.run(_one_by_one(place, store, count))
        seconds = time.perf_counter() - began
        _check_kept(store.kept(), count)
    return {"letters_per_s": count / seconds}


async def _one_by_one(place: Place, store: Any, count: int) -> None:
    client = aioimaplib.IMAP4("127.0.0.1", place["port"], timeout=60)
    await client.wait_hello_from_server()
    await client.login(office.BOT, place["password"])
    await client.select("INBOX")
    _, found = await client.uid_search("ALL")
    for uid in found[0].decode().split()[:count]:
        _, lines = await client.uid("fetch", uid, "(BODY.PEEK[])")
        store.keep(bytes(lines[1]))
    await client.logout()
    client.protocol.transport.close()  # it leaves its connection open
    await asyncio.sleep(0)


def _check_kept(kept: Sequence[bytes], count: int) -> None:
    check(len(set(kept)) == count, f"{len(set(kept))} different letters of {count} are kept")
    check(all(raw.startswith(b"Return-Path:") for raw in kept), "something else than letters is kept")


def _usual_count(place: Place) -> int:
    return max(10, int(place["count"]) // 10)


def _usual_mailbox(place: Place) -> Any:
    """imap-tools, signed in. Raises Missing."""
    try:
        from imap_tools import MailBoxUnencrypted
    except ImportError as error:
        raise Missing("imap-tools") from error
    return MailBoxUnencrypted("127.0.0.1", place["port"]).login(office.BOT, place["password"])


# --- imbot


def imbot(place: Place) -> Figures:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        shutil.copy(place["database"], folder / "imbot.db")
        done = event_loop.run(_watched(place, folder))
        check(done.kept == place["count"], f"{done.kept} letters kept before the first was read")
        _check(folder / "imbot.db", place["count"])
    _killed(place)
    return {
        "kept_per_s": place["count"] / done.keeping,
        "carried_out_per_s": place["count"] / (done.whole - done.keeping),
        "whole_per_s": place["count"] / done.whole,
    }


def _killed(place: Place) -> None:
    """kill -9 when half is kept and not yet known to be, and when half is carried out. Raises Wrong."""
    count = place["count"]
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        shutil.copy(place["database"], folder / "imbot.db")
        cut.first_half("j4a", place, folder, "mail_fetched", max(1, count // 2 // _WINDOW))
        kept = count_of(folder / "imbot.db", "SELECT count(*) FROM mails")
        check(
            kept < count and (kept > 0 or count < 2 * _WINDOW), f"{kept} letters of {count} were kept before the kill"
        )
        cut.first_half("j4a", place, folder, "letter_read", max(1, count // 2 // _BATCH))
        carried_out = count_of(folder / "imbot.db", "SELECT count(*) FROM mails WHERE outcome = 'applied'")
        in_middle = carried_out < count and (carried_out > 0 or count < 4 * _BATCH)
        check(in_middle, f"{carried_out} letters of {count} were carried out before the kill")
        half(place, folder)
        _check(folder / "imbot.db", count)
        found = count_of(folder / "imbot.db", "SELECT count(*) FROM mails")
        check(found == count, f"{found} letters of {count} are kept after two kills")


def half(place: Place, folder: Path) -> None:
    event_loop.run(_watched(place, folder))


async def _watched(place: Place, folder: Path) -> Watched:
    office.env()
    async with Reader() as reader:
        await reader.read(b"Subject: the child is there\r\n\r\n")
        freeze()
        return await watch(place, folder, reader)


def _check(database: Path, count: int) -> None:
    asked = {
        "letters applied": "SELECT count(*) FROM mails WHERE outcome = 'applied'",
        "tickets resolved": "SELECT count(*) FROM tickets WHERE status = 'resolved'",
        "notices in the outbox": "SELECT count(*) FROM parcels WHERE kind = 'notice' AND settled_at IS NULL",
        "letters marked": "SELECT count(*) FROM mail_places WHERE marked_at IS NOT NULL",
    }
    for words, statement in asked.items():
        found = count_of(database, statement)
        check(found == count, f"{found} {words} of {count}")


JOURNEY = Journey(
    "J4a",
    "a backlog of 10,000 status letters",
    prepare,
    {"limit": limit, "usual": usual, "usual_keeps": usual_keeps, "aioimaplib": one_by_one, "imbot": imbot},
    (
        Ratio("kept / limit", "imbot.kept_per_s", "limit.letters_per_s", at_least=0.25, aim=0.5),
        Ratio("kept / usual build, its whole job", "imbot.kept_per_s", "usual.letters_per_s", at_least=30),
        Ratio("kept / usual build that only keeps", "imbot.kept_per_s", "usual_keeps.letters_per_s"),
        Ratio("kept / aioimaplib that only keeps", "imbot.kept_per_s", "aioimaplib.letters_per_s"),
        Ratio("carried out / limit", "imbot.carried_out_per_s", "limit.letters_per_s"),
        Ratio("kept and carried out / usual build, its whole job", "imbot.whole_per_s", "usual.letters_per_s"),
    ),
    {"letters_per_s": "/s", "kept_per_s": "/s", "carried_out_per_s": "/s", "whole_per_s": "/s"},
)
