"""A small company with a real data base, and the command line that works on it. Its fixtures are offered by `conftest`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from imbot import cli
from imbot.app import secret_key
from imbot.domain.chats import Chat
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Entry, Role
from imbot.domain.tickets import Status, Ticket
from imbot.store import files, ledger, outbox, people, ratings, tickets
from imbot.store.db import once
from imbot.store.files import FileRow
from imbot.store.migrate import migrate

NOW = datetime.now(UTC).replace(microsecond=0)
ANNA, TOM = Chat("telegram", "1001"), Chat("telegram", "1002")
CONFIG = """
[general]
data_dir = "var"
admins = ["tom@company.ru"]
[telegram]
token = "123456789:AAEhBOweik6ad9r_QXMENQ"
api_base = "http://127.0.0.1:1"
[directory]
kind = "file"
[directory.file]
path = "directory.toml"
[smtp]
host = "127.0.0.1"
port = 1
[mailbox]
host = "127.0.0.1"
port = 1
username = "bot"
password = "secret"
[itsm]
address = "support@company.ru"
senders = ["support@company.ru"]
bot_address = "bot@company.ru"
[itsm.evidence]
authserv_id = "mx.company.ru"
"""
DIRECTORY = """
[[person]]
address = "anna@company.ru"
name = "Иванова Анна Сергеевна"
[[person]]
address = "eve@company.ru"
name = "Eve"
disabled = true
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Company:
    """A config, a data base, and the command line that works on them."""

    folder: Path
    call: Callable[..., Answer]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'var' / 'imbot.db'}"

    def __call__(self, *arguments: str) -> Answer:
        return self.call(*arguments, "--config", str(self.folder / "config.toml"))


@pytest.fixture
def imbot(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Answer]]:
    """One command of the command line. The log of the tests comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["imbot", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsysbinary.readouterr()
        code = end.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out.decode(), captured.err.decode())

    yield call
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def empty(tmp_path: Path, imbot: Callable[..., Answer]) -> Company:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "directory.toml").write_text(DIRECTORY, encoding="utf-8")
    return Company(tmp_path, imbot)


@pytest.fixture
def company(empty: Company) -> Company:
    """Anna has filed two tickets, one of them with a photo; Tom is an admin."""
    (empty.folder / "var" / "files").mkdir(parents=True)
    migrate(empty.url)
    secret_key(empty.folder / "var")
    once(empty.url, _settle_in)
    (empty.folder / "var" / "files" / "photo").write_bytes(b"jpeg")
    return empty


def _settle_in(c: Any) -> None:
    anna = people.link_chat(c, people_chat(c, ANNA), Entry("anna@company.ru", "Иванова Анна Сергеевна"), NOW)
    people.link_chat(c, people_chat(c, TOM), Entry("tom@company.ru", "Tom", role=Role.ADMIN), NOW)
    first = Ticket(
        id="t1",
        person_id=anna.id,
        chat_key=ANNA.key,
        title="Принтер: =HYPERLINK(1)",
        backend="itsm",
        token="imb:7KQ2MXPA4T",
        message_id="<1@company.ru>",
        created_at=NOW - timedelta(days=2),
        category="Оборудование",
        location="Офис 1",
    )
    tickets.add(c, first, "office-1")
    tickets.add_number(c, "itsm", "IM-CL-1042", "t1", NOW)
    tickets.save(c, replace(first, number="IM-CL-1042", status=Status.CLOSED, resolved_at=NOW, closed_at=NOW))
    second = replace(first, id="t2", token="imb:AAAAAAAAAA", message_id="<2@company.ru>", title="Old", created_at=NOW)
    tickets.add(c, second)
    ratings.rate(c, "t1", 2, NOW)
    ratings.rating_words(c, "t1", "-1+2 долго")
    ledger.log(c, "t1", NOW - timedelta(days=400), "filed", {"title": "Принтер"})
    ledger.log(c, "t1", NOW, "registered", {"number": "IM-CL-1042"})
    files.add(c, photo("f1", "t1", NOW - timedelta(days=200)))
    files.stored(c, "f1", "photo", 4, "0" * 64, "image/jpeg")
    outbox.put(c, NewParcel("ticket:t2", "smtp", "letter:2", Kind.LETTER, {"message_id": "<2@company.ru>"}), NOW)


def people_chat(c: Any, chat: Chat) -> Chat:
    people.see_chat(c, chat, "ru", NOW)
    return chat


def photo(id: str, ticket: str, at: datetime) -> FileRow:
    return FileRow(id, ticket, ANNA.key, "v", f"u{id}", "a.jpg", 4, "image/jpeg", "photo", "", "1", "", "wanted", at)
