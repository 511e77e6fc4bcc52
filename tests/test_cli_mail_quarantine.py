from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from contextlib import suppress
from functools import partial

import pytest

from imbot.domain.tickets import Status
from imbot.services import withholding
from imbot.store import inbox, ledger
from imbot.store.db import once
from tests.cli_desk import DONE, FORGED, NOW, Desk, letter


def quarantine(desk: Desk, *arguments: str) -> str:
    answer = desk("mail", "quarantine", *arguments)
    assert answer.code == 0, answer.err
    return answer.text


def outcome(desk: Desk, id: int) -> str:
    row = once(desk.url, inbox.get_mail, id)
    assert row is not None
    return row.outcome


def test_what_was_set_aside_is_listed_and_said_in_words(desk: Desk) -> None:
    id = desk.came(FORGED)
    (row,) = desk("mail", "quarantine", "list", "--json").rows
    assert (row["id"], row["from"]) == (id, "support@company.ru")
    page = quarantine(desk, "show", str(id))
    name, fate, sender = page.split("\n")[:3]
    assert name == f"letter {id}"
    assert fate.startswith("  its fate: quarantined: no Authentication-Results of mx.company.ru")
    assert sender.startswith("  from support@company.ru")
    assert "Origin: NOT believed by auth-results, as the settings ask" in page
    assert "Meaning: resolved, IM-CL-1042" in page
    assert "not: no ticket moves and no employee is told: no Authentication-Results" in page
    assert outcome(desk, id) == "quarantined"
    (page_json,) = desk("mail", "quarantine", "show", str(id), "--json").rows
    assert page_json["fate"]["outcome"] == "quarantined"
    assert page_json["evidence"]["asked"]["believed"] is False


@pytest.mark.parametrize("command", ["show", "explain"])
def test_one_letter_that_may_be_forged_is_no_reason_to_ask_for_less(desk: Desk, command: str) -> None:
    id = desk.came(FORGED)
    asked = ["quarantine", "show", str(id)] if command == "show" else ["explain", desk.file("a.eml", FORGED)]
    page = desk("mail", *asked).text
    assert "Origin: NOT believed by auth-results, as the settings ask: no Authentication-Results of mx" in page
    assert "  exchange-internal: no: it does not bear Exchange's mark" in page
    assert "it lacks the evidence that the settings ask for, and may be forged: do not ask for less" in page
    (row,) = desk("mail", *asked, "--json").rows
    assert "sender-only" not in page + str(row["evidence"])
    assert not {"advice", "recommended"} & set(row["evidence"])
    assert row["evidence"]["lacks"] is True
    assert "may be forged" not in desk("mail", "explain", desk.file("b.eml", DONE)).text


def test_a_list_fits_the_terminal_and_cuts_no_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.came(FORGED)
    (row,) = desk("mail", "quarantine", "list", "--json").rows
    assert len(row["reason"]) > 60
    assert row["reason"] in quarantine(desk, "list")
    monkeypatch.setenv("COLUMNS", "80")
    listed = quarantine(desk, "list")
    assert max(map(len, listed.split("\n"))) <= 80
    assert "".join(row["reason"].split()[-1:]) in listed
    page = quarantine(desk, "show", str(row["id"]))
    told = [line for line in page.split("\n") if "NOT believed" in line or "its fate" in line]
    assert told
    assert all(len(line) <= 80 for line in told)


def test_a_letter_is_saved_byte_by_byte_for_its_owner_only(desk: Desk) -> None:
    raw = b"Subject: \xff\xfe\r\n\r\nodd\x00\r\r\n"
    id = desk.came(raw)
    command = [sys.executable, "-m", "imbot.cli", "mail", "quarantine", "show", str(id), "--raw"]
    done = subprocess.run([*command, "-c", str(desk.folder / "config.toml")], capture_output=True, check=True)
    assert done.stdout == raw
    target = desk.folder / "letter.eml"
    quarantine(desk, "save", str(id), str(target))
    assert target.read_bytes() == raw
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = desk("mail", "quarantine", "save", str(id), str(target))
    assert (again.code, again.err) == (1, f"imbot: {target} is there already: --force replaces it\n")


@pytest.mark.parametrize("arguments", [["show", "{}", "--raw"], ["save", "{}", "-"]])
def test_raw_bytes_are_written_to_no_terminal(desk: Desk, arguments: list[str]) -> None:
    """What a stranger wrote could steer it."""
    id = desk.came(b"Subject: \x1b]0;pwn\x07\r\n\r\nodd")
    command = [sys.executable, "-m", "imbot.cli", "mail", "quarantine", *(word.format(id) for word in arguments)]
    master, slave = pty.openpty()
    done = subprocess.run(
        [*command, "-c", str(desk.folder / "config.toml")], stdout=slave, stderr=subprocess.PIPE, check=False
    )
    os.close(slave)
    os.set_blocking(master, False)
    with suppress(OSError):
        assert os.read(master, 1000) == b""
    os.close(master)
    assert done.returncode == 1
    assert b"could steer your terminal: write them to a file, imbot mail quarantine" in done.stderr


def test_a_large_letter_that_lies_in_a_file_is_saved_as_it_came(desk: Desk) -> None:
    (desk.folder / "var" / "letters" / "large").write_bytes(DONE)
    id = once(desk.url, inbox.keep_raw, "m", "1", 9, raw=None, path="large", size=1, sha256="cd", now=NOW)
    assert desk("mail", "quarantine", "show", str(id), "--raw").out == DONE
    (desk.folder / "var" / "letters" / "large").unlink()
    assert "cannot be read: No such file" in desk("mail", "quarantine", "show", str(id), "--raw").err


def test_after_the_settings_were_mended_letters_are_read_again_all_or_some(desk: Desk) -> None:
    done = desk.came(FORGED)
    strange = desk.came(letter("Скидки", sender="eve@spam.ru", vouched=False))
    again = desk("mail", "quarantine", "replay", str(done))
    assert again.text.startswith(f"{done}: quarantined: no Authentication-Results")
    assert again.code == 1, "what was wanted of this letter has not come true"
    desk.configure(evidence="sender-only")
    said = quarantine(desk, "replay", "--all")
    assert f"{done}: applied: number IM-CL-1042" in said
    assert f"{strange}: quarantined: " in said
    assert said.endswith("1 applied, 1 quarantined\n")
    assert desk.ticket().status is Status.RESOLVED
    refused = desk("mail", "quarantine", "replay", str(done))
    assert (refused.code, refused.err.startswith(f"imbot: letter {done} is not in quarantine: applied")) == (1, True)


def test_what_the_mail_server_does_not_hand_out_is_said_and_asked_for_again(desk: Desk) -> None:
    for _ in range(withholding.TRIES):
        once(desk.url, partial(withholding.failed, lost=False), "replies", "7:4", 99, NOW)
        once(desk.url, withholding.before_try, "replies", "replies", NOW)
    ((id, *_),) = [line.split() for line in quarantine(desk, "list").splitlines()[1:] if "does not hand it out" in line]
    refused = desk("mail", "quarantine", "show", id)
    assert (refused.code, f"replay {id}` has it asked for again" in refused.err) == (1, True)
    assert once(desk.url, withholding.due, "replies", NOW) is None
    assert quarantine(desk, "replay", id) == f"{id}: the mail server is asked for it at the next look\n"
    assert once(desk.url, withholding.due, "replies", NOW) is not None


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--sender", "*@company.ru"), 1),
        (("--sender", "*@spam.ru"), 1),
        (("--reason", "authentication-results"), 1),
        (("--since", f"{NOW:%Y}-01-01"), 2),
        (("--since", "2999-01-01"), 0),
    ],
)
def test_some_are_chosen_by_sender_reason_or_day(desk: Desk, options: tuple[str, ...], found: int) -> None:
    desk.came(FORGED)
    desk.came(letter("Скидки", sender="eve@spam.ru", vouched=False))
    said = quarantine(desk, "replay", *options).splitlines()
    assert len([line for line in said if ": quarantined: " in line]) == found


def test_a_letter_is_bound_by_hand_and_the_ledger_says_by_whom(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "tom")
    id = desk.came(letter("Заявка № IM-CL-7 получена и рассмотрена", vouched=False))
    said = quarantine(desk, "bind", str(id), "imb:aaaaaaaaac").splitlines()
    assert said[0] == f"{id}: applied: by hand: tom, ticket t2"
    assert said[1] == "  the number is IM-CL-7, the status is registered, it was new, the employee is told"
    assert (desk.ticket("t2").status, desk.ticket("t2").number) == (Status.REGISTERED, "IM-CL-7")
    lines = {row.what: row.values for row in once(desk.url, ledger.ledger, "t2")}
    assert lines["bound_by_hand"]["who"] == "tom"


def test_binding_to_what_is_not_there_or_anothers_is_one_line(desk: Desk) -> None:
    id = desk.came(FORGED)
    for arguments, words in (
        ((str(id), "IM-CL-9"), "there is no ticket 'IM-CL-9'"),
        (("99", "t2"), "there is no letter 99"),
        ((str(id), "t2"), "the number of another ticket"),
    ):
        answer = desk("mail", "quarantine", "bind", *arguments)
        assert answer.code == 1
        assert words in answer.err
        assert answer.err.count("\n") == 1
    assert outcome(desk, id) == "quarantined"


def test_a_number_that_the_ticket_is_not_known_by_is_asked_about_and_noted_is_said_in_words(desk: Desk) -> None:
    """Most likely it is another request's; "noted" alone would hide that nothing has happened."""
    id = desk.came(letter("Заявка № IM-CL-9999 получена и рассмотрена", vouched=False))
    answer = desk("mail", "quarantine", "bind", str(id), "im-cl-1042")
    assert answer.code == 1
    assert "bears IM-CL-9999 in its subject, but this ticket is IM-CL-1042: --force binds it" in answer.err
    assert outcome(desk, id) == "quarantined"
    said = quarantine(desk, "bind", str(id), "im-cl-1042", "--force").splitlines()
    assert said[0].startswith(f"{id}: noted: by hand: ")
    assert said[1] == "  the status stays registered, nobody is told"


def test_dropping_asks_first_and_leaves_the_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "tom")
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "n")
    id = desk.came(FORGED)
    assert desk("mail", "quarantine", "drop", str(id)).code == 1
    assert outcome(desk, id) == "quarantined"
    assert quarantine(desk, "drop", "--older", "30d") == "nothing to drop\n"
    named = desk("mail", "quarantine", "drop", str(id), "--older", "30d")
    assert (named.code, named.err) == (1, "imbot: there is nothing to drop: none of these came longer ago than 30d\n")
    assert "1 dropped" in quarantine(desk, "drop", "--all", "--yes")
    assert desk("mail", "quarantine", "list", "--json").rows == []
    (row,) = desk("mail", "quarantine", "list", "--dropped", "--json").rows
    assert row["reason"].startswith("dropped by tom; it was set aside: ")
    assert desk("mail", "quarantine", "show", str(id), "--raw").out == FORGED


@pytest.mark.parametrize(
    "command", [("show",), ("save", "x.eml"), ("bind", "IM-CL-1042"), ("replay", "1"), ("drop", "-y")]
)
def test_a_number_larger_than_any_is_no_letter(desk: Desk, command: tuple[str, ...]) -> None:
    desk.came(FORGED)
    name, *rest = command
    arguments = [*rest, str(10**22)] if name in ("replay", "drop") else [str(10**22), *rest]
    answer = desk("mail", "quarantine", name, *arguments)
    assert (answer.code, answer.err) == (1, f"imbot: there is no letter {10**22}: see `imbot mail quarantine list`\n")
    answer = desk("mail", "quarantine", name, *[one.replace(str(10**22), "7a") for one in arguments])
    assert answer.code == 1
    assert answer.err == "imbot: '7a' is no number: the first column of `imbot mail quarantine list` has them\n"


def test_days_without_end_are_bounded(desk: Desk) -> None:
    answer = desk("mail", "quarantine", "list", "--days", "99999999999")
    assert (answer.code, "36500" in answer.err) == (2, True)
    assert quarantine(desk, "list", "--days", "36500") == "nothing was set aside within 36500 days\n"
    assert quarantine(desk, "list", "--days", "1", "--dropped") == "nothing was dropped within 1 day\n"


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_without_saying_which_nothing_is_done(desk: Desk, command: str) -> None:
    id = desk.came(FORGED)
    answer = desk("mail", "quarantine", command)
    assert (answer.code, answer.err.startswith("imbot: say which: ")) == (1, True)
    assert outcome(desk, id) == "quarantined"
    assert "is no day" in desk("mail", "quarantine", "replay", "--since", "soon").err
    assert "is no time" in desk("mail", "quarantine", "drop", "--older", "soon").err


def test_without_a_name_the_user_of_the_system_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    from imbot.cli_mail_bench import who_decides

    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert who_decides()
    monkeypatch.setenv("LOGNAME", "anna")
    assert who_decides() == "anna"
    assert os.getuid() >= 0
