"""A small company for the commands of `imbot mail`: a config, a data base with two tickets of Anna, the command line on it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from imbot import cli
from imbot.app import secret_key
from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.mime import bytes_to_mail
from imbot.services import reports
from imbot.store import inbox, people, tickets
from imbot.store.db import once
from imbot.store.migrate import migrate

NOW = datetime.now(UTC).replace(microsecond=0)
ANNA = Chat("telegram", "1001")
CONFIG = """
[general]
data_dir = "var"
admins = ["tom@company.ru"]
{general}
[general.night]
from = "00:00"
to = "00:00"
[telegram]
token = "123456789:AAEhBOweik6ad9r_QXMENQ"
api_base = "http://127.0.0.1:1"
[directory]
kind = "domain"
[directory.domain]
domains = ["company.ru"]
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
profile = "{profile}"
[itsm.evidence]
kind = "{evidence}"
authserv_id = "mx.company.ru"
"""
VOUCHED = "Authentication-Results: mx.company.ru; dmarc=pass header.from=company.ru\r\n"


@dataclass(frozen=True)
class Answer:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.text.splitlines()]


@dataclass(frozen=True)
class Desk:
    """`run` is the command line as it is; calling the desk adds its config."""

    folder: Path
    run: Callable[..., Answer]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'var' / 'imbot.db'}"

    def __call__(self, *arguments: str) -> Answer:
        return self.run(*arguments, "--config", str(self.folder / "config.toml"))

    def configure(self, *, evidence: str = "auth-results", profile: str = "inframanager", general: str = "") -> None:
        text = CONFIG.format(evidence=evidence, profile=profile, general=general)
        (self.folder / "config.toml").write_text(text, encoding="utf-8")

    def file(self, name: str, raw: bytes) -> str:
        path = self.folder / name
        path.write_bytes(raw)
        return str(path)

    def came(self, raw: bytes) -> int:
        """A letter kept and received under the settings of today, as by the watcher."""
        from imbot import wiring
        from imbot.config import load

        env = wiring.env(load(self.folder / "config.toml"), bytes(32))
        mail = bytes_to_mail(raw)
        place = ("replies", "1", mail.sha256)
        id = once(self.url, inbox.keep_raw, *place, raw=raw, size=len(raw), sha256=mail.sha256, now=NOW)
        once(self.url, reports.receive, id, mail, NOW, env, reports.look(mail, env, "replies"))
        return id

    def ticket(self, id: str = "t1") -> Ticket:
        found = once(self.url, tickets.get, id)
        assert found is not None
        return found


def letter(subject: str, text: str = "", *, vouched: bool = True, sender: str = "support@company.ru") -> bytes:
    head = (VOUCHED if vouched else "") + f"From: Desk <{sender}>\r\nTo: bot@company.ru\r\nSubject: {subject}\r\n"
    head += f"Date: {NOW:%a, %d %b %Y %H:%M:%S} +0000\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}\r\n{text}\r\n".encode()


DONE = letter("Заявка № IM-CL-1042 выполнена", "Решение:\n23.11.2026 - Заменён картридж")
FORGED = letter("Заявка № IM-CL-1042 выполнена", "Решение:\n23.11.2026 - Заменён картридж", vouched=False)


def make_desk(folder: Path, capture: pytest.CaptureFixture[bytes], patch: pytest.MonkeyPatch) -> Desk:
    def call(*arguments: str) -> Answer:
        patch.setattr(sys, "argv", ["imbot", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capture.readouterr()
        code = end.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err.decode())

    desk = Desk(folder, call)
    patch.chdir(folder)
    desk.configure()
    for name in ("files", "letters"):
        (folder / "var" / name).mkdir(parents=True)
    migrate(desk.url)
    secret_key(folder / "var")
    once(desk.url, _settle_in)
    return desk


def _settle_in(c: Any) -> None:
    people.see_chat(c, ANNA, "ru", NOW)
    anna = people.link_chat(c, ANNA, Entry("anna@company.ru", "Иванова Анна Сергеевна"), NOW)
    for id, number in (("t1", "IM-CL-1042"), ("t2", "")):
        ticket = Ticket(
            id=id,
            person_id=anna.id,
            chat_key=ANNA.key,
            title="Принтер: мигает красным",
            backend="itsm",
            token=f"imb:AAAAAAAAA{'B' if number else 'C'}",
            message_id=f"<{id}@company.ru>",
            created_at=NOW,
            handover=Handover.ACCEPTED,
            accepted_at=NOW,
            status=Status.REGISTERED if number else Status.NEW,
            number=number,
        )
        tickets.add(c, ticket)
        if number:
            tickets.add_number(c, "itsm", number, id, NOW)


@pytest.fixture
def desk(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield make_desk(tmp_path, capsysbinary, monkeypatch)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
