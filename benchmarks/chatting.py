"""A bot of `chat_bots` on the stub of `chat_stub`: both started as processes, driven, and looked at as the kernel sees them.
Also the company that imbot is given: a config file, and a data base in which every chat belongs to somebody."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks.chat_bots import TOKEN
from benchmarks.chat_stub import FIRST_CHAT
from benchmarks.journey import Missing, Wrong, check
from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.store import people
from imbot.store.db import once
from imbot.store.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds; ends a run that hangs, decides nothing
_SLOWEST = 20.0  # updates a second, below which a run is given up: the slowest peer in the slowest hour must not end it
_CONFIG = """\
[general]
language = "ru"
data_dir = {data}
support_contact = "00-11"
log_level = "error"
[telegram]
token = {token}
api_base = {telegram}
poll_timeout = 20
[files]
reserve_bytes = 0
{directory}[smtp]
host = "127.0.0.1"
port = {nobody}
tls = "none"
[mailbox]
kind = "imap"
host = "127.0.0.1"
port = {imap}
tls = "none"
start = "all"
username = {username}
password = "secret"
[itsm]
address = "itsm@demo.local"
profile = "inframanager"
senders = ["itsm@demo.local"]
bot_address = "bot@demo.local"
[itsm.evidence]
kind = "auth-results"
authserv_id = "mx.demo.local"
own_hosts = ["mx.demo.local"]
"""
DOMAIN = """\
[directory]
kind = "domain"
[directory.domain]
domains = ["demo.local"]
"""
LDAP = """\
[directory]
kind = "ldap"
[directory.ldap]
uris = ["ldaps://127.0.0.1:{nobody}"]
bind_dn = "uid=bot,dc=demo,dc=local"
bind_password = "secret"
base = "dc=demo,dc=local"
"""


def patience(updates: int) -> float:
    """Seconds in which so many updates are answered, however slow the bot and the hour."""
    return PATIENCE + updates / _SLOWEST


class Stub:
    """The stub's process; `port`, and what it said so far by name."""

    def __init__(self, **world: Any) -> None:
        asked = [sys.executable, "-m", "benchmarks.chat_stub", json.dumps(world)]
        self._process = subprocess.Popen(
            asked, cwd=ROOT, env=_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._rest = b""
        self.heard: dict[str, Any] = {}
        self.url = f"http://127.0.0.1:{self.hear('port')}"

    def hear(self, name: str, bot: subprocess.Popen[bytes] | None = None, patience: float = PATIENCE) -> Any:
        """Wait until the stub says `name`, for `patience` seconds. Raises Wrong where the bot ends first, or nothing comes."""
        assert self._process.stdout
        end = time.monotonic() + patience
        while name not in self.heard:
            if not select.select([self._process.stdout], [], [], 1.0)[0]:
                check(bot is None or bot.poll() is None, f"the bot ended with {bot.returncode if bot else ''}")
                check(time.monotonic() < end, f"no {name!r} from the stub, only {self.heard}: {self.report()}")
                continue
            data = os.read(self._process.stdout.fileno(), 65536)
            check(bool(data), f"the stub ended with {self._process.poll()}")
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self.heard |= json.loads(line)
        return self.heard[name]

    def say(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n".encode())

    def report(self) -> dict[str, Any]:
        self.heard.pop("calls", None)
        self.say("report")
        self.hear("calls")
        return self.heard

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.say("stop")
        end(self._process)


@contextmanager
def stub(**world: Any) -> Iterator[Stub]:
    made = Stub(**world)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def bot(name: str, url: str, words: Path | str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A bot's process. Raises Missing for a peer that is not there."""
    process = start(bot_command(name, url, words))
    try:
        yield process
    finally:
        end(process)


def bot_command(name: str, url: str, words: Path | str = "") -> Sequence[str]:
    """Raises Missing for a peer that is not there."""
    return [_python(name), "-m", "benchmarks.chat_bots", name, url, str(words)]


def start(command: Sequence[str], *, quiet: bool = False, path: Sequence[Path] = ()) -> subprocess.Popen[bytes]:
    """In a group of its own; `quiet`: an end with an error is what is wanted. `path`: further folders of modules."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=_env(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if quiet else None,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        kill(process)
    _close_pipes(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9, with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(15)
    _close_pipes(process)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _python(name: str) -> str:
    """aiogram wants another pydantic than imbot: BENCH_AIOGRAM names the interpreter of an environment of its own."""
    own = os.environ.get("BENCH_AIOGRAM", "") if name == "aiogram" else ""
    needed = {"telebot": ("telebot",), "orm": ("aiosqlite", "greenlet"), "aiogram": ("aiogram",)}.get(name, ())
    lost = [each for each in needed if not own and importlib.util.find_spec(each) is None]
    if lost:
        raise Missing(" and ".join(lost) + (" (BENCH_AIOGRAM: a Python that has it)" if name == "aiogram" else ""))
    return own or sys.executable


def _env(path: Sequence[Path] = ()) -> dict[str, str]:
    """Bytecode is kept, as an installation has it: to compile imbot anew costs a start more than all the rest."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": os.pathsep.join([*map(str, path), str(ROOT), os.environ.get("PYTHONPATH", "")])}


# --- the company


def linked_database(folder: Path, chats: int) -> Path:
    """A migrated data base in which the stub's chats belong to persons; closed, nothing left in its log."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "imbot.db"
    migrate(f"sqlite:///{database}")
    once(f"sqlite:///{database}", _link, chats)
    with contextlib.closing(sqlite3.connect(database)) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


def _link(c: Connection, chats: int) -> None:
    now = datetime.now(UTC)
    for number in range(chats):
        chat = Chat("telegram", str(FIRST_CHAT + number))
        people.see_chat(c, chat, "ru", now)
        people.link_chat(c, chat, Entry(f"p{number}@demo.local", f"Сотрудник {number}", "12-34", "Офис"), now)


def company(
    folder: Path, url: str, database: str, *, mailbox: Mapping[str, Any] | None = None, directory: str = DOMAIN
) -> Path:
    """imbot's config file in `folder`, on a copy of `database`; no mail server answers but, where it is given, the `mailbox`
    (`port`, `username`). `directory`: its section of the file."""
    data = folder / "var"
    data.mkdir(mode=0o700)
    shutil.copy(database, data / "imbot.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    mailbox = mailbox or {"port": nobody, "username": "bot@demo.local"}
    text = _CONFIG.format(
        data=json.dumps(str(data)),
        token=json.dumps(TOKEN),
        telegram=json.dumps(url),
        nobody=nobody,
        imap=mailbox["port"],
        username=json.dumps(mailbox["username"]),
        directory=directory.format(nobody=nobody),
    )
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return path


def rows(database: Path, statement: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as c:
        return c.execute(statement).fetchall()


def checked(report: Mapping[str, Any], answers: int) -> Mapping[str, Any]:
    """The stub's report of a run in which each update had one answer, the right one, in order."""
    if report["wrongs"]:
        raise Wrong(f"{report['wrongs']} wrong answers, first {report['wrong'][0]}")
    check(report["answers"] == answers, f"{report['answers']} answers to {answers} updates")
    check(report["repeats"] == 0, f"{report['repeats']} answers came twice")
    return report
