"""What a report of the post does to a request."""

from __future__ import annotations

import pytest

from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import Handover, Status
from imbot.services.tickets import send_again
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import ledger, letters, outbox, tickets
from tests.services.conftest import NOW, Office
from tests.services.inbound import (
    REGISTERED,
    a_bounce,
    a_mail,
    a_ticket,
    notices,
    now_of,
    receive,
)


def test_a_bounce_of_our_letter_fails_the_handover_and_tells_the_person(office: Office) -> None:
    ticket = a_ticket(office)
    bounce = a_mail(
        "Undelivered Mail Returned to Sender",
        "550 no such user",
        sender="mailer-daemon@demo.local",
        report_type="delivery-status",
        original_message_ids=(ticket.message_id,),
    )
    assert receive(office, bounce) == "bounce"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert after.handover is Handover.FAILED
    told = [one.parcel.payload for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.NOTICE]
    assert [(each["screen"]["name"], each["screen"]["values"]["returned"]) for each in told] == [
        ("notice_failed", True)
    ]


def test_after_a_status_without_a_number_a_failure_report_is_only_noted(office: Office) -> None:
    ticket = a_ticket(office, status=Status.IN_PROGRESS, registered_at=NOW, reported_at=NOW)
    assert receive(office, a_bounce(ticket)) == "bounce"
    assert now_of(office, ticket).handover is Handover.ACCEPTED


@pytest.mark.parametrize("subject", [REGISTERED, "Вопрос по заявке № IM-CL-1042"])
def test_a_number_after_a_failure_report_says_that_the_request_arrived(office: Office, subject: str) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_bounce(ticket)) == "bounce"
    assert now_of(office, ticket).handover is Handover.FAILED
    assert receive(office, a_mail(subject, f"Посмотрим.\n{ticket.token}")) in ("applied", "comment")
    after, letter = now_of(office, ticket), letters.letter(office.c, ticket.message_id)
    assert (after.handover, after.failure, after.number) == (Handover.ACCEPTED, "", "IM-CL-1042")
    assert letter is not None
    assert (letter.outcome, letter.answer) == ("accepted", "registered after all")
    assert not send_again(office.c, after, office.now)
    assert receive(office, a_bounce(ticket)) == "bounce"  # registered by now: only noted
    assert now_of(office, ticket).handover is Handover.ACCEPTED


def test_a_refused_letter_that_arrived_all_the_same_is_not_sent_again(office: Office) -> None:
    ticket = a_ticket(office, handover=Handover.FAILED, failure="554 no")
    lane, key = f"ticket:{ticket.id}", f"letter:{ticket.message_id}"
    payload = {"message_id": ticket.message_id, "ticket": ticket.id, "letter": "ticket"}
    outbox.put(office.c, NewParcel(lane, "smtp", key, Kind.LETTER, payload), NOW)
    outbox.suspend(office.c, lane, "554 no", NOW)
    assert receive(office, a_mail(REGISTERED, ticket.token)) == "applied"
    stored = outbox.by_key(office.c, key)
    assert stored is not None
    assert stored.settled_at is not None
    assert outbox.claim(office.c, NOW, 10, only="smtp") == []


def test_a_failure_report_of_long_ago_is_only_noted(office: Office) -> None:
    ticket = a_ticket(office)
    office.later(days=15)
    assert receive(office, a_bounce(ticket)) == "bounce"
    assert now_of(office, ticket).handover is Handover.ACCEPTED
    assert "notice_failed" not in notices(office)
    assert "bounced" in [row.what for row in ledger.ledger(office.c, ticket.id)]
