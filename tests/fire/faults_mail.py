"""Faults of the mail server that takes our letters, and of the mailbox that imbot reads."""

from __future__ import annotations

import asyncio
import contextlib
import poplib
import sqlite3
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from imbot.store import lanes
from imbot.store.db import once
from tests.fire.scene import Act, Fault, Scene, again_and_again, during, legs, nothing, order, row

_SMTP, _MAILBOX = legs("smtp"), legs("mailbox")
_CLEAR = order("smtp", "clear")
_HEAL_SMTP, _HEAL_IMAP = order("proxy", "heal", leg="smtp"), order("proxy", "heal", leg="imap")
_CUT = order("smtp", "cut")
# Letters that the mail server refused for good: their lanes wait for somebody.
_REFUSED = (
    "SELECT p.id FROM parcels p JOIN lanes l ON l.lane = p.lane"
    " WHERE p.settled_at IS NULL AND p.kind = 'letter' AND p.waits_for = '' AND p.last_error LIKE '%: 55%'"
)


def _answers(stage: str, text: str) -> Act:
    return order("smtp", "answer", stage=stage, text=text)


async def _repaired(scene: Scene) -> None:
    """The mail server takes letters again, and an admin has those that it refused sent again (`imbot outbox retry`)."""
    await _CLEAR(scene)
    scene.repairs = send_refused_again


def send_refused_again(path: Path) -> int:
    """How many there were."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as c:
        numbers = [int(number) for (number,) in c.execute(_REFUSED)]
    for number in numbers:
        once(f"sqlite:///{path}", lanes.retry, number, datetime.now(UTC))
    return len(numbers)


async def _stop_dovecot(scene: Scene) -> None:
    """With its connections: a child of it that serves one may outlive it by half a minute."""
    await asyncio.to_thread(scene.world.dovecot.stop)
    await order("proxy", "cut", leg="imap")(scene)


async def _start_dovecot(scene: Scene) -> None:
    """It comes back at another port; the wire leads there."""
    await asyncio.to_thread(scene.world.dovecot.start)
    await scene.world.proxy.call("retarget", leg="imap", port=scene.world.mailbox_port)


async def _restart_dovecot(scene: Scene) -> None:
    await _stop_dovecot(scene)
    await _start_dovecot(scene)


def _maildir(scene: Scene) -> Path:
    return scene.world.dovecot.folder / "mail" / scene.world.mailbox


async def _rename_mailbox(scene: Scene) -> None:
    """Somebody gives the mailbox another name: under the old one there is an empty, new one, as soon as it is asked for."""
    await asyncio.to_thread(_maildir(scene).rename, _renamed(scene))
    await order("proxy", "cut", leg="imap")(scene)


async def _rename_back(scene: Scene) -> None:
    """What has come into the new one in the meantime is moved into the old one."""
    await asyncio.to_thread(_merge, _renamed(scene), _maildir(scene))
    await order("proxy", "cut", leg="imap")(scene)


def _merge(old: Path, place: Path) -> None:
    aside: list[Path] = []
    while old.exists():
        with contextlib.suppress(FileNotFoundError):  # nobody has asked for it
            aside.append(place.rename(place.with_name(f"aside-{time.monotonic_ns()}")))
        with contextlib.suppress(OSError):  # there is another new one already
            old.rename(place)
    for folder in aside:
        for letter in (*folder.glob("new/*"), *folder.glob("cur/*")):
            letter.rename(place / "new" / letter.name.partition(":")[0])


def _renamed(scene: Scene) -> Path:
    return _maildir(scene).with_name("renamed")


async def _lock_mailbox(scene: Scene) -> None:
    """The server may not read the mailbox any more, and says so."""
    await asyncio.to_thread(_maildir(scene).chmod, 0)
    await order("proxy", "cut", leg="imap")(scene)


async def _unlock_mailbox(scene: Scene) -> None:
    await asyncio.to_thread(_maildir(scene).chmod, 0o700)


async def _look_often(scene: Scene) -> None:
    """A letter for the mailbox, so that there is something to be cut in."""
    marker = f"{time.monotonic():.6f}"
    raw = f"From: someone@example.test\r\nTo: {scene.world.mailbox}\r\nMessage-ID: <{marker}@example.test>\r\n"
    raw += "Subject: newsletter\r\nPrecedence: bulk\r\n\r\n" + ("news " * 12 + "\r\n") * 200
    with contextlib.suppress(OSError):
        await scene.world.deliver(raw.encode())


@contextlib.asynccontextmanager
async def _another_reader(scene: Scene) -> AsyncIterator[None]:
    """Somebody else has the mailbox open: a server gives it to one session at a time (RFC 1939, 3), and says nothing to the
    others, or that it is in use."""
    other = await asyncio.to_thread(_open_by_pop3, scene)
    try:
        yield
    finally:
        await asyncio.to_thread(other.quit)


def _open_by_pop3(scene: Scene) -> poplib.POP3:
    dovecot = scene.world.dovecot
    while True:  # until imbot's own session leaves room
        other = poplib.POP3("127.0.0.1", dovecot.ports["POP3"], timeout=60)
        try:
            other.user(scene.world.mailbox)
            other.pass_(dovecot.password)
        except poplib.error_proto:
            other.close()
            continue
        return other


_CUT_IN_LITERALS = during(
    "imap_cut_in_literal",
    lambda scene: again_and_again(
        scene, row(order("proxy", "cut_after", leg="imap", n=9_000, direction="to_client"), _look_often), 1.5
    ),
)

SMTP: tuple[Fault, ...] = (
    Fault("smtp_refused", "no connection is taken", "smtp", order("proxy", "refuse", leg="smtp"), _HEAL_SMTP, _SMTP,
          seconds=12, down="smtp"),
    Fault("smtp_silent", "silence instead of an answer to MAIL", "smtp", order("smtp", "hang", stage="mail"), _CLEAR, _SMTP,
          down="smtp"),
    Fault("smtp_silent_dot", "silence behind the final dot", "smtp", order("smtp", "hang", stage="data"), _CLEAR, _SMTP,
          down="smtp"),
    Fault("smtp_421", "it shuts down, and says so", "smtp", _answers("mail", "421 4.3.2 Shutting down"), _CLEAR, _SMTP,
          seconds=15, down="smtp"),
    Fault("smtp_450", "greylisted at RCPT", "smtp", _answers("rcpt", "450 4.2.0 Greylisted"), _CLEAR, _SMTP, seconds=15,
          down="smtp"),
    Fault("smtp_550", "no such user, at RCPT", "smtp", _answers("rcpt", "550 5.1.1 No such user"), _repaired),
    Fault("smtp_552", "too big, behind the final dot", "smtp", _answers("data", "552 5.3.4 Too big"), _repaired),
    Fault("smtp_drop_dot", "the connection ends behind the final dot", "smtp", order("smtp", "drop_after_dot", n=3), _CLEAR),
    Fault("smtp_drop_data", "the connection ends in mid-data", "smtp", order("smtp", "drop_mid_data", n=3), _CLEAR),
    Fault("smtp_certificate", "a certificate of another host", "smtp",
          row(order("smtp", "wrong_certificate"), _CUT), _CLEAR, _SMTP, down="smtp"),
    Fault("smtp_auth", "the login is refused", "smtp", row(order("smtp", "refuse_auth"), _CUT), _CLEAR, _SMTP, seconds=12,
          down="smtp"),
    Fault("smtp_slow", "forty bytes a second", "smtp", order("smtp", "slow", bytes_per_second=40), _CLEAR, _SMTP, down="smtp"),
    Fault("smtp_cut", "it restarts", "smtp", _CUT, _CLEAR, seconds=4),
    Fault("smtp_size", "it takes small letters only", "smtp", order("smtp", "size_limit", size=2500), _repaired),
    Fault("smtp_frozen", "nothing flows any more, and nobody is told", "smtp", order("proxy", "freeze", leg="smtp"),
          _HEAL_SMTP, _SMTP, down="smtp"),
)  # fmt: skip

IMAP: tuple[Fault, ...] = (
    Fault("imap_cut", "all connections end at once", "imap", order("proxy", "cut", leg="imap"), nothing, seconds=5),
    Fault("imap_cut_in_literal", "connections end in mid-letter", "imap", _CUT_IN_LITERALS[0],
          row(_CUT_IN_LITERALS[1], _HEAL_IMAP), seconds=9),
    Fault("imap_silent", "nothing flows any more, in mid-IDLE", "imap", order("proxy", "freeze", leg="imap"), _HEAL_IMAP,
          _MAILBOX, down="imap"),
    Fault("imap_refused", "no connection is taken", "imap", order("proxy", "refuse", leg="imap"), _HEAL_IMAP, _MAILBOX,
          seconds=12, down="imap"),
    Fault("imap_corrupt", "bytes are garbled on the way", "imap", order("proxy", "corrupt", leg="imap", times=3), _HEAL_IMAP),
    Fault("imap_slow", "a thin line", "imap", order("proxy", "slow", leg="imap", bytes_per_second=4000, delay=0.2), _HEAL_IMAP,
          seconds=12),
    Fault("imap_restarted", "the server says BYE and is back at once", "imap", _restart_dovecot, seconds=5),
    Fault("imap_down", "the server is stopped, and comes back", "imap", _stop_dovecot, _start_dovecot, _MAILBOX, seconds=10,
          down="imap"),
    Fault("imap_renamed", "the mailbox is renamed, and renamed back", "imap", _rename_mailbox, _rename_back, seconds=8,
          maildir=True),
    Fault("imap_locked", "the mailbox cannot be opened", "imap", _lock_mailbox, _unlock_mailbox, _MAILBOX, down="imap",
          maildir=True),
    Fault("pop3_locked", "another program holds the mailbox", "imap", *during("pop3_locked", _another_reader), _MAILBOX,
          down="imap", pop3=True),
)  # fmt: skip
