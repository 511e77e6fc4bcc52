from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from imbot.domain.parcels import Kind
from imbot.domain.tickets import GRANTED, Status
from imbot.mime import bytes_to_mail
from imbot.services import reports, telling
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox, ledger, outbox, tickets
from imbot.store.erase import erase
from tests.mime.work import work
from tests.services.conftest import NOW, Office
from tests.services.inbound import (
    DONE,
    REGISTERED,
    a_mail,
    a_ticket,
    kinds,
    notices,
    now_of,
    receive,
    says,
)


def test_a_registration_binds_by_the_echoed_token_and_is_told(office: Office) -> None:
    ticket = a_ticket(office)
    text = f"Обещанное время решения: 23.11.2026 18:00:00\nОписание: {ticket.token}"
    assert receive(office, a_mail(REGISTERED, text)) == "applied"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert (after.status, after.number) == (Status.REGISTERED, "IM-CL-1042")
    assert after.promised_at == datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    assert notices(office) == ["notice_registered"]
    assert Kind.RECEIPT in kinds(office)


def test_a_refusal_of_what_its_person_had_dropped_is_none_in_its_history(office: Office) -> None:
    ticket = a_ticket(office, asked="withdraw")
    assert receive(office, a_mail("Заявка № IM-CL-1042 отклонена", ticket.token)) == "applied"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert (after.status, after.asked) == (Status.REJECTED, GRANTED)
    told = telling.details(office.c, after, office.now, office.env)
    assert told["asked"] == GRANTED
    assert [line["values"]["asked"] for line in told["ledger"] if line["what"] == "status"] == [GRANTED]


@pytest.mark.parametrize("name", ["Delivered-To", "X-Original-To", "X-Envelope-To"])
def test_looking_at_a_strangers_letter_takes_none_of_its_headers_apart(office: Office, name: str) -> None:
    """It is done beside the loop, in one interpreter with it."""
    head = f"From: eve@evil.example\r\n{f'{name}: ' + 'a(b)' * 16_000 + chr(13) + chr(10)}" * 20
    mail = bytes_to_mail(f"{head}\r\nx".encode())
    assert work(lambda: reports.look(mail, office.env)) < 3000


def test_the_same_letter_twice_is_told_once(office: Office) -> None:
    mail = a_mail(REGISTERED, a_ticket(office).token)
    assert receive(office, mail) == "applied"
    assert receive(office, mail) == "duplicate"
    assert len(notices(office)) == 1


def test_a_letter_without_evidence_or_from_a_stranger_goes_to_quarantine(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_mail(DONE, ticket.token, believed=False)) == "quarantined"
    assert receive(office, a_mail(DONE, ticket.token, sender="eve@demo.local")) == "quarantined"
    assert tickets.get(office.c, ticket.id) == ticket
    assert notices(office) == []
    assert kinds(office).count(Kind.ALERT) == 2


def test_a_bound_letter_without_a_status_is_passed_on(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_mail("О вашей просьбе", f"Зайдём после обеда.\n{ticket.token}")) == "comment"
    assert notices(office) == ["notice_comment"]


def test_a_letter_of_ours_that_comes_back_is_no_status(office: Office) -> None:
    ticket = a_ticket(office)
    mail = a_mail(DONE, ticket.token, message_id=ticket.message_id)
    assert receive(office, mail) == "own"


def test_an_older_letter_is_only_noted(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    office.later(hours=2)
    receive(office, a_mail(DONE, date=NOW + timedelta(hours=1)))
    late = a_mail("Заявка № IM-CL-1042 принята в работу", date=NOW + timedelta(minutes=30))
    assert receive(office, late) == "noted"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert after.status is Status.RESOLVED


def test_of_an_erased_requester_nothing_is_kept_but_the_status(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    erase(office.c, ticket.person_id, NOW)
    before = outbox.counts(office.c)
    office.later(hours=1)
    done = a_mail(DONE, "Решение:\n23.11.2026 - Анне заменён картридж", date=office.now)
    assert receive(office, done) == "noted"
    assert receive(office, a_mail("О заявке № IM-CL-1042", "Анна, зайдём после обеда", date=office.now)) == "noted"
    after = now_of(office, ticket)
    assert after.solution == ""
    assert outbox.counts(office.c) == before
    noted = [row.values for row in ledger.ledger(office.c, ticket.id) if row.what == "noted"]
    assert noted == [{"status": "resolved"}, {}]
    newest = inbox.raw_letter(office.c, 3)
    assert newest is not None
    assert (newest.raw, newest.path) == (None, "")


MOST_LINES = 2_500_000  # some third of a second where nothing counts them
WORST = {
    "lines": "_" * 20 + "\n",
    "marks": "---Original Message---\n",
    "answers": "----- Ответ выше\n",
    "heads": "From: .\nSent: \n",
    "writes": "1.1.11 wrote:\n",
    "quotes": ">\n",
    "numbers": "IM-CL-1 ",
    "tokens": "imb:a\n",
    "labels": "Решение:\n",
    "words": "a ",
    "echo": "Заявка № IM-CL-1042 принята ",
    "tags": "<a " + "b" * 498,
    "angles": "<",
    "addresses": "a@b.ru ",
    "signatures": "-- \n",
}


@pytest.mark.parametrize("name", WORST)
def test_no_letter_holds_the_writer_up(office: Office, name: str) -> None:
    """Half a megabyte of the worst of each kind: the work is counted, and the clock only ends what would take its square."""
    ticket = a_ticket(office)
    says(office, ticket, "Принтер мигает красным. " * 400)
    piece = WORST[name]
    text = ticket.token + "\n" + piece * (500_000 // len(piece))
    for sender in ("itsm@demo.local", "eve@example.test"):
        mail = a_mail("Заявка", text, sender=sender, html=text)
        mail_id = inbox.keep_raw(
            office.c, "replies", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now
        )
        begin = time.process_time()
        looked = reports.look(mail, office.env)
        lines = work(partial(reports.receive, office.c, mail_id, mail, office.now, office.env, looked))
        assert lines < MOST_LINES
        assert time.process_time() - begin < 10


def test_alerts_become_one_message_to_each_admin(office: Office) -> None:
    ticket = a_ticket(office)
    for _ in range(5):
        receive(office, a_mail(DONE, ticket.token, believed=False))
    assert telling.tell_admins(office.c, office.now, office.env) == 1
    notes = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.NOTE]
    told = [parcel for parcel in notes if parcel.payload.get("to") == "tom@demo.local"]
    assert len(told) == 1
    assert len(told[0].payload["screen"]["values"]["alerts"]) == 5


def test_words_that_come_with_a_status_which_says_nothing_new_are_told_all_the_same(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    office.later(minutes=1)
    text = "Комментарий: Зайдём после обеда"
    work = "Заявка № IM-CL-1042 принята в работу"
    assert receive(office, a_mail(work, text, date=office.now)) == "applied"
    assert notices(office) == ["notice_registered", "notice_comment"]
    office.later(minutes=1)
    assert receive(office, a_mail(work, "Комментарий: Уже идём", date=office.now)) == "noted"
    assert notices(office).count("notice_comment") == 2
    late = a_mail(work, "Комментарий: старое", date=office.now - timedelta(hours=2))
    assert receive(office, late) == "noted"
    assert notices(office).count("notice_comment") == 2
