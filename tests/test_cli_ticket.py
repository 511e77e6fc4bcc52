"""`imbot ticket unconfirmed | resend | leave | let-go` against a small company: the buttons of an admin's chat as commands."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import Handover
from imbot.store import letters, outbox, tickets, watches
from imbot.store.db import once
from imbot.store.letters import LetterRow
from imbot.store.watches import Question
from tests.company import NOW, Company


@pytest.fixture
def silent(company: Company) -> Company:
    """The mail server took Anna's second request two hours ago, and one addition waits; the ITSM has said nothing."""

    def taken(c: Any) -> None:
        one = tickets.get(c, "t2")
        assert one is not None
        sent = NOW - timedelta(hours=2)
        tickets.save(c, replace(one, handover=Handover.ACCEPTED, accepted_at=sent))
        letter = {"subject": "Old", "text": "words", "date": sent.isoformat()}
        letters.save_letter(c, LetterRow(one.message_id, "t2", "ticket", letter, sent, sent, "accepted", "250 queued"))
        body = {"message_id": one.message_id, "ticket": "t2", "letter": "ticket"}
        outbox.put(c, NewParcel("ticket:t2", "smtp", f"letter:{one.message_id}", Kind.LETTER, body), sent)
        pack = {"ticket": "t2", "letter": "addition", "message_id": "<3@company.ru>", "text": "more"}
        outbox.put(c, NewParcel("ticket:t2", "self", "pack:3", Kind.PACK, pack, waits_for="number:t2"), sent)
        watches.save_question(c, "t2", Question(1), NOW)

    once(company.url, taken)
    return company


def test_what_is_unconfirmed_is_listed_with_what_was_decided(silent: Company) -> None:
    (row,) = silent("ticket", "unconfirmed", "--json").rows
    assert (row["id"], row["waiting"], row["decision"], row["answer"]) == ("t2", 1, "", "250 queued")
    assert silent("ticket", "leave", "t2").out == "t2: left as it is\n"
    assert f"left  by={getpass.getuser()}" in silent("ticket", "show", "t2").out
    listed = silent("ticket", "unconfirmed").out
    assert "left (" in listed
    assert "anna@company.ru" in listed


def test_sending_again_opens_the_same_letter_under_its_id(silent: Company) -> None:
    assert silent("ticket", "resend", "imb:aaaaaaaaaa").code == 0
    letter = once(silent.url, letters.letter, "<2@company.ru>")
    assert letter is not None
    assert letter.letter["text"] == "words"
    assert letter.letter["date"] > NOW.isoformat()
    for word in ("resend", "leave", "let-go"):
        again = silent("ticket", word, "t2")
        assert again.code == 1
        assert again.err.startswith("imbot: t2: its letter is going out just now")


def test_what_was_taken_minutes_ago_is_not_sent_again_by_mistake(silent: Company) -> None:
    def taken(c: Any) -> None:
        letters.letter_settled(c, "<2@company.ru>", datetime.now(UTC) - timedelta(minutes=2), "accepted", "250 queued")

    once(silent.url, taken)
    again = silent("ticket", "resend", "t2")
    assert again.code == 1
    assert "the mail server took its letter at " in again.err
    assert again.err.endswith("give the ITSM time to answer, or say --again\n")
    assert silent("ticket", "resend", "t2", "--again").code == 0


def test_additions_are_let_go(silent: Company) -> None:
    assert silent("ticket", "let-go", "t2").out == "t2: 1 letter goes out without its number\n"
    assert "nothing had been waiting for its number" in silent("ticket", "let-go", "t2").out
    assert once(silent.url, outbox.count_waiting, "number:t2") == 0
    (row,) = silent("ticket", "unconfirmed", "--json").rows
    assert row["decision"] == "go"


def test_what_is_answered_about_is_what_was_typed(silent: Company) -> None:
    answer = silent("ticket", "resend", "IM-CL-1042")
    assert answer.code == 1
    assert answer.err == "imbot: IM-CL-1042 is registered already; there is nothing to send again\n"
    assert silent("ticket", "leave", "imb:aaaaaaaaaa").out == "imb:aaaaaaaaaa: left as it is\n"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("t1", "t1 is registered already, as IM-CL-1042; there is nothing to decide about it"),
        ("t9", "there is no ticket 't9'"),
        ("imb:", "no ticket"),
    ],
)
def test_what_cannot_be_decided_is_said_so(silent: Company, what: str, says: str) -> None:
    answer = silent("ticket", "leave", what)
    assert answer.code == 1
    assert says in answer.err
    assert answer.err.count("\n") == 1
