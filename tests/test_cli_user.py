"""`imbot user ...` and `imbot location ...` against a small company: who is known, and taking it away."""

from __future__ import annotations

import io
import sys
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from imbot.cli_people import environment
from imbot.config import load
from imbot.domain.chats import Chat
from imbot.domain.parcels import Kind, NewParcel
from imbot.services.signin import look_up
from imbot.store import inbox, outbox, people, signin, tickets
from imbot.store.db import once
from imbot.store.signin import CodeRow
from tests.company import ANNA, NOW, Company


def test_users_are_listed_and_shown(company: Company) -> None:
    assert {row["address"]: row["role"] for row in company("user", "list", "--json").rows} == {
        "anna@company.ru": "user",
        "tom@company.ru": "admin",
    }
    assert "Иванова Анна Сергеевна" in company("user", "list").out
    shown = company("user", "show", "1001").out
    assert "anna@company.ru" in shown
    assert "IM-CL-1042" in shown
    moscow = NOW.astimezone(ZoneInfo("Europe/Moscow"))
    assert f"telegram:1001 {moscow:%Y-%m-%d %H:%M}\n" in shown, "on the company's clock"
    assert "+00:00" not in shown


def test_somebody_unknown_is_said_to_be_unknown(company: Company) -> None:
    for command in ("show", "unlink", "delete"):
        answer = company("user", command, "nobody@company.ru")
        assert (answer.code, answer.out) == (1, "")
        assert "nobody is known by" in answer.err


def test_a_role_is_given_and_taken_back(company: Company) -> None:
    assert company("user", "role", "anna@company.ru", "support").out == "anna@company.ru: support\n"
    assert company("user", "role", "anna@company.ru", "directory").out == "anna@company.ru: user\n"
    answer = company("user", "role", "anna@company.ru", "boss")
    assert answer.code == 1
    assert answer.err.endswith("no role: user, support or admin; or `directory`, to follow the directory again\n")


def test_signing_out_by_chat_leaves_the_person_known(company: Company) -> None:
    assert company("user", "unlink", "1001").out == "signed out: telegram:1001\n"
    assert once(company.url, people.person_of_chat, ANNA.key) is None
    assert company("user", "show", "anna@company.ru").code == 0


def test_deleting_a_person_asks_first_and_says_what_went(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, why in (
        (b"n\n", "nothing was done"),
        (b"", "nobody answered, so nothing was done; where nobody can, --yes"),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said)))
        answer = company("user", "delete", "anna@company.ru")
        assert (answer.code, answer.err.startswith(f"imbot: {why}"), answer.err.count("\n")) == (1, True, 1)
    answer = company("user", "delete", "anna@company.ru", "--yes")
    assert answer.code == 0
    assert "\nforgotten:\n    1  chats, signed out\n" in answer.out
    assert "\n    2  requests, their words and names (numbers, dates and categories stay)\n" in answer.out
    assert "\n    1  files on the disk\n" in answer.out
    assert "    0  " not in answer.out
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
    assert "Whoever opens it first is signed in as this person" in answer.out
    assert "`imbot user unlink anna@company.ru" in answer.out
    disabled = company("user", "invite", "eve@company.ru")
    assert disabled.err == "imbot: eve@company.ru is disabled in the directory; no link was made\n"
    stranger = company("user", "invite", "Stranger@company.ru")
    assert (stranger.code, stranger.out) == (1, "")
    assert stranger.err == "imbot: stranger@company.ru is not in the directory; no link was made\n"
    assert "is not a mail address" in company("user", "invite", "anna").err


def test_why_no_code_came_is_answered(company: Company) -> None:
    lookup = NewParcel("signin:telegram:1", "directory", "lookup:9:eve@company.ru", Kind.LOOKUP, {"address": "eve"})
    once(company.url, outbox.put, lookup, NOW)
    answer = company("user", "check", "eve@company.ru")
    assert "directory: the account is disabled there" in answer.out
    assert "codes asked for, sent or not: 0 of 3 in the last hour, 0 of 5 in the last day" in answer.out
    assert "directory: waits" in answer.out
    assert "one active entry" in company("user", "check", "anna@company.ru").out


@pytest.mark.parametrize(
    ("address", "ago", "counted"),
    [
        ("eve@company.ru", timedelta(minutes=5), "2 of 3 in the last hour, 2 of 5 in the last day"),
        ("eve@company.ru", timedelta(hours=2), "0 of 3 in the last hour, 2 of 5 in the last day"),
        ("anna@company.ru", timedelta(hours=2), "0 of 3 in the last hour, 2 of 5 in the last day"),
        ("anna@company.ru", timedelta(hours=-2), "0 of 3 in the last hour, 0 of 5 in the last day"),
    ],
)
def test_what_was_asked_and_is_listed_is_counted_or_said_not_to_be(
    company: Company, address: str, ago: timedelta, counted: str
) -> None:
    settings = load(company.folder / "config.toml", {})
    env, at = environment(settings), NOW - ago
    for chat in ("1003", "1004"):
        once(company.url, look_up, Chat("telegram", chat), address, at, env, f"update:{chat}")
    said = company("user", "check", address).out
    assert f"codes asked for, sent or not: {counted}\n" in said
    not_counted = " (by a clock that was ahead: not counted)" if at > NOW else ""
    listed = f"asked at {at.astimezone(ZoneInfo('Europe/Moscow')):%Y-%m-%d %H:%M}{not_counted}: directory: waits"
    assert said.count(listed) == 2


def test_a_chat_that_asked_for_wrong_addresses_is_named_with_the_way_in(company: Company) -> None:
    stranger = Chat("telegram", "1003")
    once(company.url, people.see_chat, stranger, "ru", NOW)
    assert "refused until" not in company("user", "check", "anna@company.ru").out
    for place in range(3):
        once(company.url, signin.note_code_asked, stranger.key, f"hash{place}", NOW)
        key = f"lookup:{place}:ana{place}@company.ru"
        once(company.url, outbox.put, NewParcel("signin:telegram:1003", "directory", key, Kind.LOOKUP, {}), NOW)
    until = (NOW + timedelta(hours=1)).astimezone(ZoneInfo("Europe/Moscow"))
    said = company("user", "check", "anna@company.ru").out
    assert (
        f"refused until {until:%Y-%m-%d %H:%M}, whatever address is asked for: telegram:1003, which had 3 of 3" in said
    )
    assert "`imbot user invite ADDRESS` lets them in now" in said
    for who in ("1003", "telegram:1003"):
        of_chat = company("user", "check", who).out
        assert of_chat.startswith(
            "signed in: no\ncodes that it asked for, sent or not: 3 of 3 in the last hour, 3 of 5 in the last day; "
            "the next one is refused"
        )
        assert "for ana2@company.ru: directory: waits" in of_chat
    assert "yes, as anna@company.ru" in company("user", "check", ANNA.key).out
    assert company("user", "check", "telegram:9").err == "imbot: no chat telegram:9 has ever written to the bot\n"


def test_a_code_that_made_way_for_a_newer_one_is_not_called_used(company: Company) -> None:
    def ask(minutes: int) -> int:
        at = NOW + timedelta(minutes=minutes)
        code = CodeRow("telegram:1001", "anna@company.ru", {}, f"code{minutes}", f"link{minutes}", minted_at=at)
        return once(company.url, signin.save_code, code)

    for minutes in (0, 1):
        ask(minutes)
    once(company.url, signin.use_code, ask(2), NOW + timedelta(minutes=3))
    newest, middle, oldest = company("user", "check", "anna@company.ru").out.splitlines()[-3:]
    assert newest.endswith("no letter, used")
    assert middle.endswith("no letter, replaced by a newer one")
    assert oldest.endswith("no letter, replaced by a newer one")


def test_a_code_ended_by_wrong_tries_is_not_called_used(company: Company) -> None:
    code = CodeRow("telegram:1001", "anna@company.ru", {}, "code", "link", minted_at=NOW)
    id = once(company.url, signin.save_code, code)
    once(company.url, signin.count_try, id)
    assert company("user", "check", "anna@company.ru").out.rstrip().endswith("no letter, 1 wrong try")
    for _ in range(4):
        once(company.url, signin.count_try, id)
    once(company.url, signin.use_code, id, NOW + timedelta(minutes=3))
    assert company("user", "check", "anna@company.ru").out.rstrip().endswith("no letter, ended after 5 wrong tries")


def test_remembered_places_are_forgotten(company: Company) -> None:
    assert company("location", "clear").code == 1
    said = "1 person is no longer offered a place of earlier requests\n"
    assert company("location", "clear", "anna@company.ru").out == said
    assert company("location", "clear", "--all").out == "there was no place of earlier requests to offer\n"
