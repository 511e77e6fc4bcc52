"""A real, migrated data base file for each test: `c` is a connection within a transaction, `db` the bridge."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.people import Entry, Person
from imbot.domain.tickets import Ticket
from imbot.store import people, tickets
from imbot.store.db import Db
from imbot.store.engine import connect, disconnect, raw_connection
from imbot.store.migrate import migrate

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ANNA = Chat("telegram", "1001")
EVE = Chat("telegram", "666")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "imbot.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "imbot.db"))


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def c(path: Path) -> Iterator[Connection]:
    connection = connect(path)
    raw = raw_connection(connection)
    raw.execute("BEGIN IMMEDIATE")
    yield connection
    raw.execute("COMMIT")
    disconnect(connection)


@pytest.fixture
async def db(url: str) -> AsyncIterator[Db]:
    db = await Db.open(url)
    yield db
    await db.close()


@pytest.fixture
def anna(c: Connection) -> Person:
    return link_anna(c)


def link_anna(c: Connection) -> Person:
    entry = Entry("anna@company.ru", "Иванова Анна Сергеевна", "+7 900 000-00-01", "Офис 2", "Бухгалтерия")
    return people.link_chat(c, ANNA, entry, NOW)


def a_ticket(person_id: int, id: str = "tick1", **changes: object) -> Ticket:
    token = f"imb:{id.upper():X<10}"
    values = {"id": id, "person_id": person_id, "chat_key": ANNA.key, "title": "Принтер: не печатает"}
    values |= {"backend": "inframanager", "token": token, "message_id": f"<{id}@bot>", "created_at": NOW}
    return Ticket(**(values | changes))  # type: ignore[arg-type]


def file_ticket(c: Connection, person_id: int, id: str = "tick1", **changes: object) -> Ticket:
    ticket = a_ticket(person_id, id, **changes)
    tickets.add(c, ticket)
    return ticket
