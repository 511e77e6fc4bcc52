"""`imbot doctor` on real servers, as a process of its own: a healthy company, and the round trip with an ITSM that answers."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from imbot.cli_doctor import check_catalogue, check_templates, compare_clocks
from imbot.config import checked, packed
from tests.journeys.office import MX, Office, open_office
from tests.journeys.test_two_backends import glpi_says, second_bot, token_of, two_helpdesks
from tests.servers import Certificates, Dovecot, Slapd

pytestmark = pytest.mark.servers
ROOT = Path(__file__).resolve().parent.parent
ITSM = "itsm@demo.local"


@pytest.fixture
async def office(tmp_path: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates) -> AsyncIterator[Office]:
    async with open_office(tmp_path, dovecot, slapd, certificates) as office:
        yield office


async def imbot(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "imbot.cli", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in err, err.decode()
    return process.returncode or 0, [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]


def states(legs: list[dict[str, Any]]) -> dict[str, str]:
    return {leg["leg"]: leg["state"] for leg in legs}


async def test_a_healthy_company_stands_on_every_leg(office: Office) -> None:
    config = str(office.write_config())
    assert (await imbot("migrate", "--config", config))[0] == 0
    code, legs = await imbot("doctor", "--json", "--config", config)
    assert code == 0, legs
    found = states(legs)
    for leg in (
        "configuration",
        "templates",
        "data base",
        "disk",
        "directory",
        "smtp",
        "mailbox",
        "telegram",
    ):
        assert found[leg] == "well", legs
    assert found["clock"] == "note"  # our Bot API server tells no time
    assert found["admins"] == "note"  # by letter only: Tom has not signed in
    assert found["helpdesk"] == "note"  # none of its letters has come yet


async def test_each_helpdesk_and_each_mailbox_is_a_leg_and_has_a_round_trip_of_its_own(
    office: Office, tmp_path: Path
) -> None:
    config = str(office.write_config(**two_helpdesks(office, tmp_path)))
    _, legs = await imbot("doctor", "--json", "--config", config)
    found = {leg["leg"]: leg for leg in legs}
    assert found["mailbox"]["state"] == found["mailbox:glpi"]["state"] == "well"
    assert f"signed in as {second_bot(office)}" in found["mailbox:glpi"]["says"]
    assert "profile glpi (ru), letters to glpi@glpi.local" in found["helpdesk glpi"]["says"]
    assert found["helpdesk"]["says"].endswith("are believed by auth-results of mx.example.test")
    trip = asyncio.create_task(
        imbot("doctor", "--round-trip", "--backend", "glpi", "--json", "--minutes", "0.5", "--config", config)
    )
    request = await office.letter_to("glpi@glpi.local", "imb:")
    await glpi_says(office, "new", "Новая заявка", f" Статус : Новый\n Описание : {token_of(request)}\n")
    code, legs = await trip
    assert code == 0, legs
    assert legs[-1]["says"] == "registered, number #0001042"
    code, legs = await imbot("doctor", "--round-trip", "--backend", "gpli", "--json", "--config", config)
    assert (code, legs[0]["says"]) == (1, "there is no helpdesk 'gpli'; there are itsm, glpi; did you mean glpi?")


async def test_a_wrong_password_and_a_wrong_authority_are_named(office: Office) -> None:
    config = office.write_config()
    text = config.read_text("utf-8").replace("secret-of-smtp", "wrong-word")
    config.write_text(text.replace(f'ca_file = "{office.certificates.ca}"\nbind_dn', 'ca_file = ""\nbind_dn'), "utf-8")
    _, legs = await imbot("doctor", "--json", "--config", str(config))
    found = {leg["leg"]: leg for leg in legs}
    assert found["smtp"]["state"] == found["directory"]["state"] == "wrong"
    assert "wrong-word" not in json.dumps(legs)
    assert found["mailbox"]["state"] == "well"


@pytest.mark.parametrize(
    ("action", "evidence", "expected"),
    [
        ("register", True, {"answered": "well", "bound": "well", "believed": "well", "understood": "well"}),
        ("done", False, {"answered": "well", "bound": "well", "believed": "wrong", "understood": "well"}),
    ],
)
async def test_the_round_trip_says_by_what_the_answer_is_bound_and_believed(
    office: Office, action: str, evidence: bool, expected: dict[str, str]
) -> None:
    config = str(office.write_config())
    assert (await imbot("migrate", "--config", config))[0] == 0
    trip = asyncio.create_task(imbot("doctor", "--round-trip", "--json", "--minutes", "0.5", "--config", config))
    request = await office.letter_to(ITSM, "imb:")
    await office.itsm_says(action, request, evidence=evidence)
    code, legs = await trip
    assert {name: state for name, state in states(legs).items() if name != "sent"} == expected, legs
    assert code == (0 if evidence else 1)
    bound = next(leg for leg in legs if leg["leg"] == "bound")
    assert ("token" if action == "register" else "Message-ID") in bound["says"]
    helpdesk = next(leg for leg in (await imbot("doctor", "--json", "--config", config))[1] if leg["leg"] == "helpdesk")
    if evidence:
        assert (helpdesk["state"], helpdesk["says"].endswith(", as a round trip has shown")) == ("well", True)
    else:
        assert (helpdesk["state"], helpdesk["hint"].startswith("unproven: ")) == ("note", True)


async def test_a_wrong_name_of_our_mail_server_is_told_with_the_right_one(office: Office) -> None:
    config = office.write_config()
    config.write_text(config.read_text("utf-8").replace(f'authserv_id = "{MX}"', 'authserv_id = "wrong.host"'), "utf-8")
    arguments = ("doctor", "--round-trip", "--json", "--minutes", "0.5", "--config", str(config))
    trip = asyncio.create_task(imbot(*arguments))
    await office.itsm_says("register", await office.letter_to(ITSM, "imb:"))
    code, legs = await trip
    hint = next(leg for leg in legs if leg["leg"] == "believed")["hint"]
    assert (code, hint) == (1, f'your server writes {MX}; set authserv_id = "{MX}"')


async def test_an_answer_that_cannot_be_bound_is_told_with_the_line_to_add(office: Office) -> None:
    config = str(office.write_config())
    trip = asyncio.create_task(imbot("doctor", "--round-trip", "--json", "--minutes", "0.1", "--config", config))
    await office.letter_to(ITSM, "imb:")
    stray = f"From: {ITSM}\r\nTo: {office.bot}\r\nSubject: IM-CL-7\r\nMessage-ID: <7@itsm>\r\n\r\nтело\r\n".encode()
    await asyncio.to_thread(office.dovecot.deliver, office.bot, stray)
    code, legs = await trip
    assert (code, states(legs)["bound"]) == (1, "wrong")
    assert "imb:" in legs[-1]["hint"]


@pytest.mark.parametrize(("hours", "state"), [(0, "well"), (3, "wrong")])
async def test_a_clock_that_is_wrong_is_found_by_the_date_of_an_answer(hours: int, state: str) -> None:
    moment = format_datetime(datetime.now(UTC) - timedelta(hours=hours), usegmt=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 404 Not Found\r\nDate: {moment}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text = (ROOT / "config.example.toml").read_text("utf-8")
        tree = tomllib.loads(text)
        tree["telegram"]["api_base"] = f"http://127.0.0.1:{port}"
        leg = await asyncio.to_thread(compare_clocks, checked(tree))
    assert (leg.name, leg.state) == ("clock", state)


def house(tmp_path: Path) -> dict[str, Any]:
    """Settings with a templates folder, and with a second helpdesk of whose profile only that folder knows."""
    source = (packed("templates") / "mail" / "generic-ru" / "profile.toml").read_text("utf-8")
    for name in ("volga", "idle"):
        (tmp_path / "mail" / name).mkdir(parents=True)
        (tmp_path / "mail" / name / "profile.toml").write_text(source.replace('"generic-ru"', f'"{name}"'), "utf-8")
    tree = tomllib.loads((ROOT / "config.example.toml").read_text("utf-8"))
    tree["general"] |= {"templates_dir": str(tmp_path), "data_dir": str(tmp_path / "var")}
    desk = {"profile": "volga", "address": "house@company.ru", "senders": ["esp@company.ru"]}
    tree["backends"] = {"house": {**desk, "evidence": {"kind": "sender-only"}}}
    return tree


def test_a_profile_of_ones_own_is_named_and_whether_it_is_in_use(tmp_path: Path) -> None:
    tree = house(tmp_path)
    (leg,) = check_templates(checked(tree))
    assert (leg.state, leg.says) == (
        "well",
        "all can be shown; yours: profile idle (not in use), profile volga (in use)",
    )
    (tmp_path / "mail" / "idle" / "profile.toml").write_text("registers = 7", "utf-8")
    (leg,) = check_templates(checked(tree))
    assert (leg.state, "idle/profile.toml" in leg.says) == ("wrong", True)


def test_a_helpdesk_that_no_kind_of_request_goes_to_is_noted(tmp_path: Path) -> None:
    tree = house(tmp_path)
    legs = {
        leg.name: leg for leg in check_catalogue(checked(tree), {"itsm": "letter 7 shows", "house": "letter 8 shows"})
    }
    assert (legs["helpdesk"].state, legs["helpdesk house"].state) == ("well", "note")
    assert legs["helpdesk house"].hint == 'no kind of request goes to it: name it in the catalogue, backend = "house"'
    catalogue = (packed("data") / "catalogue.toml").read_text("utf-8")
    (tmp_path / "own.toml").write_text(
        catalogue.replace('key = "printer"', 'key = "printer"\nbackend = "house"'), "utf-8"
    )
    tree["general"]["catalogue"] = str(tmp_path / "own.toml")
    legs = {
        leg.name: leg for leg in check_catalogue(checked(tree), {"itsm": "letter 7 shows", "house": "letter 8 shows"})
    }
    assert legs["helpdesk house"].state == "well"


def test_a_category_without_subcategories_is_a_kind_of_request(tmp_path: Path) -> None:
    tree = house(tmp_path)
    (tmp_path / "own.toml").write_text('[[category]]\nkey = "all"\nlabel = "Всё"\n', "utf-8")
    tree["general"]["catalogue"] = str(tmp_path / "own.toml")
    (leg, *_) = check_catalogue(checked(tree), {"itsm": "letter 7 shows", "house": "letter 8 shows"})
    assert (leg.state, leg.says) == ("well", "complete; 1 kind of request")


async def test_silence_is_told_as_silence(office: Office) -> None:
    config = str(office.write_config())
    code, legs = await imbot("doctor", "--round-trip", "--json", "--minutes", "0.05", "--config", config)
    assert (code, states(legs)) == (1, {"sent": "well", "answered": "wrong"})
