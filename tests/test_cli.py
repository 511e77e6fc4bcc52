"""The commands of an admin, against a real data base with a small company in it."""

from __future__ import annotations

import csv
import io
import json
import logging
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from imbot import cli
from imbot.app import secret_key
from imbot.cli_report import safe
from imbot.config import load
from imbot.domain.chats import Chat
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Entry, Role
from imbot.domain.tickets import Status, Ticket
from imbot.store import epoch, files, inbox, ledger, outbox, people, ratings, tickets
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


@pytest.fixture(autouse=True)
def _the_log_of_the_tests_comes_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def imbot(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["imbot", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsysbinary.readouterr()
        code = end.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out.decode(), captured.err.decode())

    return call


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
        backend="inframanager",
        token="imb:7KQ2MXPA4T",
        message_id="<1@company.ru>",
        created_at=NOW - timedelta(days=2),
        category="Оборудование",
        location="Офис 1",
    )
    tickets.add(c, first, "office-1")
    tickets.add_number(c, "inframanager", "IM-CL-1042", "t1", NOW)
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


def test_help_is_quick_and_names_every_command() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "imbot.cli", "--help"], capture_output=True, check=True
    )
    for command in (
        b"run",
        b"demo",
        b"doctor",
        b"migrate",
        b"user",
        b"location",
        b"cleanup",
        b"outbox",
        b"mail",
        b"init",
    ):
        assert command in done.stdout
    loaded = {line.rpartition(b"|")[2].strip().split(b".")[0] for line in done.stderr.splitlines()}
    assert not loaded & {b"sqlalchemy", b"telegram", b"pydantic", b"aiohttp", b"jinja2", b"ldap3", b"structlog"}


def test_a_mistake_is_one_line_and_no_traceback(imbot: Callable[..., Answer], tmp_path: Path) -> None:
    answer = imbot("user", "list", "--config", str(tmp_path / "nowhere.toml"))
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "does not exist" in answer.err


def test_every_mistake_of_the_config_is_its_own_line(imbot: Callable[..., Answer], tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("port = 1", "port = 0").replace('"file"', '"fiel"'))
    answer = imbot("run", "--config", str(path))
    assert answer.code == 1
    assert [line.startswith("imbot: [") for line in answer.err.splitlines()] == [True] * 3


def test_without_a_data_base_the_command_says_how_to_get_one(empty: Company) -> None:
    answer = empty("user", "list")
    assert answer.code == 1
    assert "imbot migrate" in answer.err
    assert empty("migrate").out.startswith("applied: ")
    assert empty("migrate").out == "the schema is current\n"


def test_a_data_folder_that_cannot_be_written_is_said_so(empty: Company) -> None:
    (empty.folder / "var").write_text("a file is in the way")
    answer = empty("migrate")
    assert answer.code == 1
    assert "cannot be written" in answer.err
    assert "Traceback" not in answer.err


def test_users_are_listed_and_shown(company: Company) -> None:
    assert {row["address"]: row["role"] for row in company("user", "list", "--json").rows} == {
        "anna@company.ru": "user",
        "tom@company.ru": "admin",
    }
    assert "Иванова Анна Сергеевна" in company("user", "list").out
    shown = company("user", "show", "1001").out
    assert "anna@company.ru" in shown
    assert "IM-CL-1042" in shown


def test_somebody_unknown_is_said_to_be_unknown(company: Company) -> None:
    for command in ("show", "unlink", "delete"):
        answer = company("user", command, "nobody@company.ru")
        assert (answer.code, answer.out) == (1, "")
        assert "nobody is known by" in answer.err


def test_a_role_is_given_and_taken_back(company: Company) -> None:
    assert company("user", "role", "anna@company.ru", "support").out == "anna@company.ru: support\n"
    assert company("user", "role", "anna@company.ru", "directory").out == "anna@company.ru: user\n"
    assert company("user", "role", "anna@company.ru", "boss").code == 1


def test_signing_out_by_chat_leaves_the_person_known(company: Company) -> None:
    assert company("user", "unlink", "1001").out == "signed out: telegram:1001\n"
    assert once(company.url, people.person_of_chat, ANNA.key) is None
    assert company("user", "show", "anna@company.ru").code == 0


def test_deleting_a_person_asks_first_and_says_what_went(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"n\n")))
    assert company("user", "delete", "anna@company.ru").code == 1
    answer = company("user", "delete", "anna@company.ru", "--yes")
    assert answer.code == 0
    assert "tickets: 2" in answer.out
    assert "files on disk: 1" in answer.out
    assert not (company.folder / "var" / "files" / "photo").exists()
    assert company("user", "show", "anna@company.ru").code == 1
    ticket = once(company.url, tickets.get, "t1")
    assert ticket is not None
    assert (ticket.title, ticket.description, ticket.number) == ("", "", "IM-CL-1042")


def test_an_invitation_needs_the_bots_name_and_an_active_person(company: Company) -> None:
    assert "start `imbot run` once" in company("user", "invite", "anna@company.ru").err
    once(company.url, inbox.set_fact, "bot_username", "helpbot", NOW)
    answer = company("user", "invite", "Anna@company.ru")
    assert "https://t.me/helpbot?start=" in answer.out
    assert "disabled" in company("user", "invite", "eve@company.ru").err
    assert "is not a mail address" in company("user", "invite", "anna").err


def test_why_no_code_came_is_answered(company: Company) -> None:
    lookup = NewParcel("signin:telegram:1", "directory", "lookup:9:eve@company.ru", Kind.LOOKUP, {"address": "eve"})
    once(company.url, outbox.put, lookup, NOW)
    answer = company("user", "check", "eve@company.ru")
    assert "directory: the account is disabled there" in answer.out
    assert "codes asked for: 0 of 3 this hour" in answer.out
    assert "directory: waits" in answer.out
    assert "one active entry" in company("user", "check", "anna@company.ru").out


def test_remembered_places_are_forgotten(company: Company) -> None:
    assert company("location", "clear").code == 1
    assert company("location", "clear", "anna@company.ru").out == "places forgotten: 2\n"
    assert company("location", "clear", "--all").out == "places forgotten: 0\n"


def test_clean_up_says_first_and_then_does(company: Company) -> None:
    photo_file = company.folder / "var" / "files" / "photo"
    would = company("cleanup", "--dry-run").out
    assert "photos: 1" in would
    assert "history: 1" in would
    assert photo_file.exists()
    assert company("cleanup").out == would
    assert not photo_file.exists()
    assert "photos: 0" in company("cleanup").out


def test_the_outbox_is_listed_retried_and_dropped(company: Company) -> None:
    (row,) = company("outbox", "list", "--json").rows
    assert (row["kind"], row["lane"], row["outcome"]) == ("letter", "ticket:t2", "")
    assert "ticket:t2" in company("outbox", "list").out
    assert company("outbox", "drop", str(row["id"])).code == 0
    assert company("outbox", "drop", str(row["id"])).code == 1
    assert company("outbox", "list", "--settled").out.count("ticket:t2") == 1
    assert company("outbox", "retry", str(row["id"])).code == 0
    assert company("outbox", "retry", "999").code == 1


def test_a_held_outbox_waits_for_an_admin(company: Company) -> None:
    assert "nothing is held" in company("outbox", "confirm").err
    once(company.url, epoch.begin, "a mark of another life", "fresh", NOW)
    assert "HELD" in company("outbox", "list").out
    assert company("outbox", "confirm").out == "going on with 1 open parcels\n"
    assert "HELD" not in company("outbox", "list").out


@pytest.mark.parametrize("what", ["t1", "im-cl-1042", "imb:7kq2mxpa4t", "7KQ2MXPA4T"])
def test_a_ticket_is_found_by_id_number_and_token(company: Company, what: str) -> None:
    (row,) = company("ticket", "show", what, "--json").rows
    assert (row["id"], row["numbers"], row["stars"], row["requester"]) == ("t1", ["IM-CL-1042"], 2, "anna@company.ru")
    assert "registered  number=IM-CL-1042" in company("ticket", "show", what).out


def test_a_ticket_that_is_not_there_is_said_so(company: Company) -> None:
    assert "there is no ticket" in company("ticket", "show", "IM-CL-1").err


def test_quarantine_is_listed_shown_as_it_came_and_replayed(company: Company) -> None:
    raw = b"Subject: \xff\xfe\r\n\r\nodd\r\n"
    id = once(company.url, inbox.keep_raw, "m", "1", 7, raw=raw, size=len(raw), sha256="ab", now=NOW)
    once(
        company.url,
        inbox.settle_mail,
        id,
        "quarantined",
        reason="not believed",
        now=NOW,
        sender="eve@x.ru",
        subject="hi",
    )
    (row,) = company("mail", "quarantine", "list", "--json").rows
    assert (row["id"], row["from"], row["reason"]) == (id, "eve@x.ru", "not believed")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "imbot.cli",
            "mail",
            "quarantine",
            "show",
            str(id),
            "-c",
            str(company.folder / "config.toml"),
        ],
        capture_output=True,
        check=True,
    )
    assert done.stdout == raw
    assert company("mail", "quarantine", "replay", str(id)).code == 0
    assert company("mail", "quarantine", "list", "--json").out == ""


def test_the_report_is_a_table_that_runs_nothing(company: Company) -> None:
    path = company.folder / "report.csv"
    assert company("report", "--csv", str(path), "--bom").out == f"{path}: 2 tickets\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_bytes().decode("utf-8")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["title"] for row in rows] == ["Принтер: =HYPERLINK(1)", "Old"]
    assert (rows[0]["stars"], rows[0]["words"], rows[0]["hours to resolution"]) == ("2", "'-1+2 долго", "48.0")
    assert company("report", "--since", "2026-13-01").code == 1
    assert company("report", "--since", "2020-01-01", "--until", "2020-01-02").out.count("\n") == 1


@given(st.text(max_size=40))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not safe(text).lstrip(" \u00a0\ufeff").startswith(("=", "+", "-", "@", "\t", "\r"))


def test_letters_are_read_whatever_their_bytes_and_the_rest_is_told(
    imbot: Callable[..., Answer], tmp_path: Path
) -> None:
    status = tmp_path / "status.eml"
    status.write_bytes(
        "From: support@company.ru\r\nSubject: Заявка № IM-CL-1042 выполнена\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nРешение:\r\n21.11.2026 - Заменён картридж\r\n".encode()
    )
    noise, nothing = tmp_path / "noise.eml", tmp_path / "nothing.eml"
    noise.write_bytes(bytes(range(256)) * 40)
    nothing.write_bytes(b"")
    answer = imbot("mail", "read", "--json", str(status), str(noise), str(nothing))
    assert answer.code == 0
    rows = answer.rows
    assert [row["file"] for row in rows] == [str(status), str(noise), str(nothing)]
    wanted = {"file", "outcome", "reason", "message_id", "subject", "from", "date", "text", "attachments", "automatic"}
    assert set(rows[0]) == wanted | {"report"}
    assert (rows[0]["report"]["status"], rows[0]["report"]["number"]) == ("resolved", "IM-CL-1042")
    assert "Заменён картридж" in imbot("mail", "read", str(status)).out
    missing = imbot("mail", "read", "--json", str(tmp_path / "nowhere.eml"), str(status))
    assert (missing.code, [row["outcome"] for row in missing.rows]) == (1, ["refused", "parsed"])
    assert imbot("mail", "read", "--profile", "nonesuch", str(status)).code == 1


def test_doctor_names_every_leg_that_does_not_stand(company: Company) -> None:
    answer = company("doctor", "--json")
    assert answer.code == 1
    legs = {row["leg"]: row for row in answer.rows}
    assert {name for name, row in legs.items() if row["state"] == "wrong"} == {"smtp", "mailbox", "telegram"}
    assert legs["directory"]["says"].endswith("1 active persons, 1 disabled")
    assert legs["admins"]["says"] == "tom@company.ru in the chat"
    assert all(row["hint"] for row in legs.values() if row["state"] == "wrong")


def test_doctor_with_a_wrong_config_says_only_that(company: Company) -> None:
    path = company.folder / "config.toml"
    path.write_text(CONFIG.replace("tom@company.ru", "tom"))
    answer = company("doctor")
    assert (answer.code, answer.out.count("FAIL")) == (1, 1)


def test_doctor_finds_a_broken_template_of_the_companys_own_and_a_missing_admin(company: Company) -> None:
    own = company.folder / "own" / "chat" / "ru"
    own.mkdir(parents=True)
    (own / "menu.j2").write_text("{{ nobody | nofilter }}")
    path = company.folder / "config.toml"
    path.write_text(CONFIG.replace('admins = ["tom@company.ru"]', 'templates_dir = "own"'))
    once(company.url, people.set_blocked, TOM.key, True, NOW)
    once(company.url, people.set_role, 2, Role.USER)
    legs = company("doctor", "--json").rows
    assert any(row["leg"] == "templates" and row["state"] == "wrong" and "menu.j2" in row["says"] for row in legs)
    assert any(row["leg"] == "admins" and row["state"] == "wrong" for row in legs)


def test_init_writes_a_short_config_that_loads(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        *("12-34", "tom@company.ru"),  # human, admin
        "not a token",  # refused: the group is asked again, and for a proxy
        *("123456789:AAEhBOweik6ad9r_QXMENQ", ""),
        *("domain", "company.ru"),
        *("bot@company.ru", 's"ecret', "mail.company.ru:465", ""),
        *("support@company.ru", "", "", "", ""),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    path = tmp_path / "config.toml"
    answer = imbot("init", str(path), "--no-check")
    assert answer.code == 0, answer.err
    assert "is not a bot token" in answer.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = load(path, {})
    assert settings.smtp.password.get_secret_value() == 's"ecret'
    assert (settings.smtp.port, settings.smtp.tls) == (465, "tls")
    assert (settings.mailbox.host, settings.itsm.senders) == ("mail.company.ru", ("support@company.ru",))
    assert imbot("init", str(path)).code == 1


@pytest.mark.parametrize(
    ("script", "arguments"),
    [("delete_user", ["nobody@x.ru", "--yes"]), ("clear_location", ["--all"]), ("cleanup", ["--dry-run"])],
)
def test_scripts_are_thin_doors_to_the_commands(company: Company, script: str, arguments: list[str]) -> None:
    door = Path(__file__).parent.parent / "scripts" / f"{script}.py"
    command = [sys.executable, str(door), *arguments, "--config", str(company.folder / "config.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if script == "delete_user" else 0), done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_instance_on_the_same_data_base_is_refused(company: Company) -> None:
    from imbot.store.lock import InstanceLock

    with InstanceLock(company.folder / "var"):
        answer = company("run")
    assert answer.code == 1
    assert "another imbot" in answer.err
