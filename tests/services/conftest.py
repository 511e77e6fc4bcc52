"""Services on a real data base: a company with one ITSM, Anna signed in, a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from imbot.backends.evidence import EvidenceSettings
from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.dialog.facts import DialogSettings
from imbot.domain.calendar import WorkingHours
from imbot.domain.chats import Attached, Chat, Commanded, Event, FileRef, Incoming, Pressed, Typed
from imbot.domain.forms import parse_catalogue, parse_locations
from imbot.domain.parcels import Parcel
from imbot.domain.people import Entry, Person
from imbot.services import turns
from imbot.services.env import Backend, Env, Fresh
from imbot.store import outbox, people, sessions
from imbot.store.engine import connect, raw_connection
from imbot.store.migrate import migrate
from imbot.wiring import read_toml

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANNA, EVE = Chat("telegram", "1001"), Chat("telegram", "666")
ANNA_ENTRY = Entry("anna@demo.local", "Иванова Анна Сергеевна", "12-34", "Офис 2", "Бухгалтерия")
EVE_ENTRY = Entry("eve@demo.local", "Петрова Ева")
MOSCOW = ZoneInfo("Europe/Moscow")


def make_env(**changes: Any) -> Env:
    profile = replace(load_profile(packed("templates") / "mail" / "inframanager"), senders=("itsm@demo.local",))
    backend = Backend(
        profile,
        EvidenceSettings("auth-results", authserv_id="mx.demo.local"),
        to="help@demo.local",
        sender="bot@demo.local",
        sender_name="imbot",
        name="inframanager",
    )
    values: dict[str, Any] = {
        "key": b"k" * 32,
        "zone": MOSCOW,
        "language": "ru",
        "languages": ("ru", "en"),
        "catalogue": parse_catalogue(read_toml(packed("data") / "catalogue.toml")),
        "locations": parse_locations(read_toml(packed("data") / "locations.toml")),
        "dialog": DialogSettings(support_contact="00-11", language="ru"),
        "backends": {backend.name: backend},
        "default_backend": backend.name,
        "working": WorkingHours(MOSCOW),
        "admins": ("tom@demo.local",),
    }
    return Env(**(values | changes))


@dataclass
class Office:
    """One data base and its clock. Events go through `turns.take`, as from a channel."""

    c: Connection
    env: Env
    now: datetime = NOW
    updates: int = 0
    fresh: Fresh = field(default_factory=lambda: Fresh.mint("demo.local"))

    def take(self, chat: Chat, event: Event, **more: Any) -> turns.Taken:
        self.updates += 1
        self.fresh = Fresh.mint("demo.local")
        incoming = Incoming(f"telegram:{self.updates}", chat, event, **({"language": "ru"} | more))
        return turns.take(self.c, incoming, self.now, self.env, self.fresh)

    def screen(self, chat: Chat = ANNA) -> dict[str, Any]:
        slot = sessions.slot(self.c, chat.key)
        assert slot is not None
        assert slot.screen is not None
        return slot.screen

    def show(self, chat: Chat = ANNA, message_id: str = "m1") -> None:
        """As the loop of screens does."""
        slot = sessions.slot(self.c, chat.key)
        assert slot is not None
        sessions.shown(self.c, chat.key, slot.seq, message_id, self.now)

    def say(self, text: str, chat: Chat = ANNA) -> str:
        self.take(chat, Typed(text, f"u{self.updates}"))
        return str(self.screen(chat)["name"])

    def command(self, name: str, argument: str = "", chat: Chat = ANNA) -> str:
        self.take(chat, Commanded(name, argument))
        return str(self.screen(chat)["name"])

    def press(self, label: str, chat: Chat = ANNA) -> str:
        """Press the button of the current screen whose label (a key or a text) is or bears `label`."""
        buttons = [one for row in self.screen(chat)["rows"] for one in row]
        hits = [one for one in buttons if one["label"] == label] or [one for one in buttons if label in one["label"]]
        assert hits, f"no {label!r} among {[one['label'] for one in buttons]}"
        slot = sessions.slot(self.c, chat.key)
        self.take(chat, Pressed(hits[0]["value"], slot.message_id if slot else ""))
        return str(self.screen(chat)["name"]) if (sessions.slot(self.c, chat.key) or slot).screen else ""  # type: ignore[union-attr]

    def attach(self, name: str = "photo.jpg", chat: Chat = ANNA, caption: str = "", size: int = 1000) -> None:
        ref = FileRef(f"v-{name}", f"u-{name}", name, size, "image/jpeg", "photo")
        self.take(chat, Attached(ref, caption, f"u{self.updates}"))

    def link(self, chat: Chat = ANNA, entry: Entry = ANNA_ENTRY) -> Person:
        people.see_chat(self.c, chat, "ru", self.now)
        return people.link_chat(self.c, chat, entry, self.now)

    def due(self, target: str) -> list[Parcel]:
        """What may go to this far end now: taken as it was put, or claimed."""
        taken = [one for one in outbox.taken(self.c) if one.target == target]
        return taken + outbox.claim(self.c, self.now, 50, only=target)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("services") / "imbot.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def company(office: Office, tmp_path: Path) -> Office:
    """The office with a folder for files."""
    folder = tmp_path / "files"
    folder.mkdir()
    dialog = DialogSettings(support_contact="00-11", language="ru", refused_types=frozenset({"exe", "js"}))
    office.env = replace(office.env, files=folder, dialog=dialog)
    return office


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "imbot.db"
    path.write_bytes(template.read_bytes())
    connection = connect(path)
    raw_connection(connection).execute("BEGIN IMMEDIATE")
    yield Office(connection, make_env())
    raw_connection(connection).execute("COMMIT")
    connection.invalidate()
    connection.close()
