"""No letter is ever answered: every letter of ../shared comes in, and none goes out for it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Handover
from imbot.mime import bytes_to_mail
from imbot.services import breaker, reports
from imbot.store import inbox, outbox
from tests.services.conftest import NOW, Office
from tests.services.inbound import BELIEVED, a_ticket, now_of

MAILS = Path(__file__).resolve().parents[3] / "shared" / "mails" / "corpus"
LETTERS = sorted(MAILS.glob("*/*")) if MAILS.is_dir() else []
LETTERS_OUT = {Kind.LETTER, Kind.PACK, Kind.NOTE, Kind.CODE, Kind.LOOKUP, Kind.RECHECK}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not LETTERS and not os.environ.get("CI"), reason="the letters of ../shared are not here"),
]


def corpus(step: int = 1) -> Iterator[InboundMail]:
    for path in LETTERS[::step]:
        try:
            yield bytes_to_mail(path.read_bytes())
        except LetterRefused:
            continue


def receive(office: Office, mail: InboundMail) -> str:
    looked = reports.look(mail, office.env)
    id = inbox.keep_raw(office.c, "r", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now)
    return reports.receive(office.c, id, mail, office.now, office.env, looked)


def test_of_all_letters_none_is_answered_and_no_person_hears_of_one(office: Office) -> None:
    """An hour for all of them; what admins are told is grouped and bounded."""
    ticket = a_ticket(office)
    outcomes: Counter[str] = Counter()
    for mail in corpus():
        office.later(seconds=3)
        outcomes[receive(office, mail)] += 1
    assert outcomes.total() > 1000
    assert set(outcomes) <= {"quarantined", "duplicate"}
    put = [one.parcel for one in outbox.open_parcels(office.c, 100_000)]
    assert {parcel.kind for parcel in put} == {Kind.ALERT}
    assert len([parcel for parcel in put if parcel.lane == "admins"]) <= 2 * breaker.ALL
    assert inbox.count_set_aside(office.c, NOW - timedelta(days=1)) == outcomes["quarantined"]
    assert now_of(office, ticket) == ticket


def test_not_even_a_believed_letter_is_answered_by_a_letter(office: Office) -> None:
    """Every third of these letters as the helpdesk's own, about a request: its person hears of them, nobody is written to."""
    ticket = a_ticket(office)
    outcomes: Counter[str] = Counter()
    for mail in corpus(3):
        office.later(minutes=1)
        sender = "itsm@demo.local"
        headers = (BELIEVED, ("From", sender))
        bound = replace(mail, sender=sender, headers=headers, in_reply_to=(ticket.message_id,), report_type="")
        outcomes[receive(office, bound)] += 1
    assert outcomes["comment"] > 250, outcomes
    put = {one.parcel.kind for one in outbox.open_parcels(office.c, 100_000)}
    assert Kind.NOTICE in put
    assert not put & LETTERS_OUT
    assert now_of(office, ticket).handover is Handover.ACCEPTED, "whatever they say of undelivered mail"
