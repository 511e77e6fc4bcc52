"""The command line as a whole: help, mistakes in one line, clean-up, doctor, init, the scripts."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from imbot import cli_upkeep
from imbot.config import load, packed
from imbot.domain.people import Role
from imbot.store import files, people
from imbot.store.db import once
from tests.company import CONFIG, NOW, TOM, Answer, Company, photo


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


def test_no_help_cuts_its_sentences_on_a_terminal(
    imbot: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = (
        (),
        ("user",),
        ("location",),
        ("outbox",),
        ("ticket",),
        ("mail",),
        ("mail", "quarantine"),
        ("mail", "golden"),
    )
    for group in groups:
        _, heading, commands = imbot(*group, "--help").out.partition("Commands:\n")
        assert heading, group
        for line in commands.splitlines():
            assert line.endswith("."), line
            assert not line.endswith("..."), line
            assert not line.startswith("    "), line  # it goes on from the line above


def test_the_help_says_where_to_begin_and_what_a_command_is_about(imbot: Callable[..., Answer]) -> None:
    said = imbot("--help").out
    begin = [said.index(f"`imbot {command}`") for command in ("init", "doctor", "run")]
    assert begin == sorted(begin)
    for words in ("Check configuration, directory, mail and Telegram.", "Requests: their history", "Places of earlier"):
        assert words in said


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        (("report", "--csv"), "report [OPTIONS]"),
        (("mail", "golden", "check", "--profiles"), "mail golden check [OPTIONS]"),
        (("run", "--nonsense"), "run [OPTIONS]"),
        (("nonsense",), "[OPTIONS] COMMAND"),
        (("outbox", "retry"), "outbox retry [OPTIONS]"),
    ],
)
def test_a_mistyped_command_shows_its_usage(imbot: Callable[..., Answer], command: tuple[str, ...], usage: str) -> None:
    answer = imbot(*command)
    assert answer.code == 2
    assert answer.err.startswith("Usage: ")
    assert usage in answer.err
    assert "Error: " in answer.err


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


def test_clean_up_says_first_and_then_does(company: Company) -> None:
    photo_file = company.folder / "var" / "files" / "photo"
    would = company("cleanup", "--dry-run").out
    assert would.splitlines() == [
        "nothing was removed; this would be:",
        "    1  files of requests, sent by people or by support (the requests stay)",
        "    1  lines of history of requests that have ended (the requests stay)",
    ]
    assert photo_file.exists()
    assert company("cleanup").out.splitlines()[1:] == would.splitlines()[1:]
    assert not photo_file.exists()
    assert company("cleanup").out == "nothing has outlived its time\n"


def test_clean_up_has_words_for_all_that_it_counts(company: Company) -> None:
    settings = load(company.folder / "config.toml", {})
    assert set(cli_upkeep.would_clean(settings)) == set(cli_upkeep.WORDS)


def test_clean_up_counts_beyond_one_round(company: Company) -> None:
    def many(c: Any) -> None:
        for number in range(1100):
            files.add(c, photo(f"old{number}", "t1", NOW - timedelta(days=200)))
            files.stored(c, f"old{number}", f"old{number}", 4, "0" * 64, "image/jpeg")

    once(company.url, many)
    would = company("cleanup", "--dry-run").out
    assert " 1101  files of requests, sent by people or by support (the requests stay)\n" in would
    assert company("cleanup").out.splitlines()[1:] == would.splitlines()[1:]


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


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
def test_what_root_migrates_in_a_folder_of_somebody_elses_is_theirs(company: Company) -> None:
    folder = company.folder / "var"
    for file in folder.glob("imbot.db*"):
        file.unlink()
    os.chown(folder, 12345, 12346)
    assert company("migrate").code == 0
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}
    assert owners["imbot.db"] == owners["files"] == owners["imbot.lock"] == (12345, 12346)
    assert set(owners.values()) == {(12345, 12346)}


def test_doctor_names_every_leg_that_does_not_stand(company: Company) -> None:
    answer = company("doctor", "--json")
    assert answer.code == 1
    legs = {row["leg"]: row for row in answer.rows}
    assert {name for name, row in legs.items() if row["state"] == "wrong"} == {"smtp", "mailbox", "telegram"}
    assert legs["directory"]["says"].endswith("1 active person, 1 disabled")
    assert legs["admins"]["says"] == "tom@company.ru in the chat"
    assert all(row["hint"] for row in legs.values() if row["state"] == "wrong")


def test_doctor_finds_open_requests_of_a_helpdesk_that_is_gone(company: Company) -> None:
    with sqlite3.connect(company.folder / "var" / "imbot.db") as db:
        db.execute("UPDATE tickets SET backend = 'house', status = 'new'")
    legs = {row["leg"]: row for row in company("doctor", "--json").rows}
    assert legs["data base"]["state"] == "wrong"
    assert "of house" in legs["data base"]["says"]


def test_doctor_before_the_first_start_knows_that_there_is_no_data_base_yet(company: Company) -> None:
    for file in (company.folder / "var").glob("imbot.db*"):
        file.unlink()
    legs = {row["leg"]: row for row in company("doctor", "--json").rows}
    assert (legs["data base"]["state"], "imbot run" in legs["data base"]["says"]) == ("note", True)
    for sign in ("imbot.db", "imbot.epoch"):  # which is not the same: something has been lost
        (company.folder / "var" / sign).touch()
        legs = {row["leg"]: row for row in company("doctor", "--json").rows}
        assert legs["data base"]["state"] == "wrong"
        (company.folder / "var" / sign).unlink()


def test_doctor_says_that_the_offices_of_the_example_are_offered(company: Company) -> None:
    legs = {row["leg"]: row for row in company("doctor", "--json").rows}
    assert legs["locations"]["state"] == "note"
    path, own = company.folder / "config.toml", company.folder / "locations.toml"
    own.write_text((packed("data") / "locations.toml").read_text("utf-8"), "utf-8")
    text = path.read_text("utf-8").replace("[general]", "[general]\nlocations = 'locations.toml'", 1)
    path.write_text(text, "utf-8")
    assert "locations" not in {row["leg"] for row in company("doctor", "--json").rows}


def test_doctor_notes_a_config_with_passwords_that_anybody_may_read(company: Company) -> None:
    def noted() -> bool:
        return any("may read it" in row["says"] for row in company("doctor", "--json").rows)

    path = company.folder / "config.toml"
    path.chmod(0o644)
    assert noted()
    path.chmod(0o640)
    assert not noted()


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


def test_doctor_tells_a_folder_of_templates_that_is_not_there_once(company: Company) -> None:
    path = company.folder / "config.toml"
    second = '[backends.glpi]\naddress = "glpi@company.ru"\nsenders = ["glpi@company.ru"]\nevidence = {kind = "sender-only"}\n'
    path.write_text(CONFIG.replace("[general]", "[general]\ntemplates_dir = 'nowhere'", 1) + second)
    legs = [row for row in company("doctor", "--json").rows if row["state"] == "wrong" and "nowhere" in row["says"]]
    assert [leg["leg"] for leg in legs] == ["configuration"]


@pytest.mark.parametrize(
    ("directory", "begins"),
    [
        ('kind = "file"\nfile = {path = "nowhere.toml"}', "check [directory.file] path"),
        (
            'kind = "ldap"\nldap = {uris = ["ldaps://127.0.0.1:1"], base = "o=x", bind_dn = "cn=x", bind_password = "x"}',
            "check [directory.ldap] uris",
        ),
    ],
)
def test_doctors_hint_about_the_directory_is_that_of_its_kind(company: Company, directory: str, begins: str) -> None:
    old = 'kind = "file"\n[directory.file]\npath = "directory.toml"'
    assert old in CONFIG
    (company.folder / "config.toml").write_text(CONFIG.replace(old, directory))
    leg = next(row for row in company("doctor", "--json").rows if row["leg"] == "directory")
    assert (leg["state"], leg["hint"].startswith(begins)) == ("wrong", True)


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


@pytest.mark.parametrize("script", ["delete_user", "clear_location", "cleanup"])
def test_the_usage_of_a_script_can_be_typed(script: str) -> None:
    door = Path(__file__).parent.parent / "scripts" / f"{script}.py"
    asked = subprocess.run([sys.executable, str(door), "--help"], capture_output=True, text=True, check=True)
    assert asked.stdout.startswith(f"Usage: {script}.py [OPTIONS]")
    wrong = subprocess.run([sys.executable, str(door), "--nonsense"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, f"Usage: {script}.py [OPTIONS]" in wrong.stderr) == (2, True)
    assert "No such option" in wrong.stderr


def test_a_second_instance_on_the_same_data_base_is_refused(company: Company) -> None:
    from imbot.store.lock import InstanceLock

    with InstanceLock(company.folder / "var"):
        answer = company("run")
    assert answer.code == 1
    assert "another imbot" in answer.err
