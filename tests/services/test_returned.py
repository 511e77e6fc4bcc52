"""What a report of the post does to a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Commanded, Pressed
from imbot.domain.letters import InboundMail, MailPart
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.services.tickets import send_again
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox, ledger, letters, outbox, tickets
from imbot.templates import Templates
from tests.services.conftest import ANNA, NOW, Office
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
    assert [(each["screen"]["name"], each["screen"]["values"]["how"]) for each in told] == [
        ("notice_failed", "returned")
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


def what_was_noted(office: Office, ticket: Ticket) -> list[str]:
    return [row.what for row in ledger.ledger(office.c, ticket.id)]


LOOSE = (
    "This is the qmail-send program.\nI wasn't able to deliver your message.\n\n<help@demo.local>:\n"
    "Remote host said: 550 no such user\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <t1@demo.local>\n"
)


def a_loose(text: str = LOOSE, subject: str = "failure notice", **more: object) -> InboundMail:
    return a_mail(subject, text, sender="mailer-daemon@demo.local", believed=False, **more)


def test_a_loose_report_fails_the_handover_with_the_words_of_the_server(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_loose()) == "bounce"
    after = now_of(office, ticket)
    assert (after.handover, after.failure) == (Handover.FAILED, "Remote host said: 550 no such user")
    assert notices(office) == ["notice_failed"]
    admins = [one.parcel.payload["name"] for one in outbox.open_parcels(office.c, 100) if one.parcel.lane == "admins"]
    assert admins == ["letter_failed"]


def test_a_request_that_came_back_can_be_sent_again_under_its_message_id(office: Office) -> None:
    ticket = a_ticket(office)
    key = f"letter:{ticket.message_id}"
    payload = {"message_id": ticket.message_id, "ticket": ticket.id, "letter": "ticket"}
    outbox.put(office.c, NewParcel(f"ticket:{ticket.id}", "smtp", key, Kind.LETTER, payload), NOW)
    (sent,) = outbox.claim(office.c, NOW, 10, only="smtp")
    outbox.settle(office.c, sent, "accepted", NOW)
    receive(office, a_loose())
    assert send_again(office.c, now_of(office, ticket), office.now)
    (again,) = outbox.claim(office.c, office.now, 10, only="smtp")
    assert again.payload["message_id"] == ticket.message_id


def test_a_letter_whose_answer_was_lost_and_that_came_back_goes_again_only_when_somebody_says_so(
    office: Office,
) -> None:
    ticket = a_ticket(office)
    key = f"letter:{ticket.message_id}"
    payload = {"message_id": ticket.message_id, "ticket": ticket.id, "letter": "ticket"}
    outbox.put(office.c, NewParcel(f"ticket:{ticket.id}", "smtp", key, Kind.LETTER, payload), NOW)
    (sent,) = outbox.claim(office.c, NOW, 10, only="smtp")
    outbox.uncount(office.c, sent, NOW, "the connection broke after the letter and before the answer")
    receive(office, a_loose())
    stored = outbox.by_key(office.c, key)
    assert stored is not None
    assert stored.settled_at is not None
    office.later(hours=1)
    assert outbox.claim(office.c, office.now, 10, only="smtp") == []
    assert send_again(office.c, now_of(office, ticket), office.now)
    (again,) = outbox.claim(office.c, office.now, 10, only="smtp")
    assert again.payload["message_id"] == ticket.message_id


@pytest.mark.parametrize(
    "report",
    [
        a_loose(
            "Delivery to help@demo.local has been delayed\n\nMessage-ID: <t1@demo.local>", "Delivery Status (Delay)"
        ),
        a_loose("451 4.7.1 greylisted\nMessage-ID: <t1@demo.local>", "Письмо с сервера"),
    ],
)
def test_a_delay_is_only_noted(office: Office, report: InboundMail) -> None:
    ticket = a_ticket(office)
    assert receive(office, report) == "noted"
    assert now_of(office, ticket) == ticket
    assert what_was_noted(office, ticket) == ["delayed"]
    assert outbox.open_parcels(office.c, 10) == []


def test_a_report_of_success_changes_nothing(office: Office) -> None:
    ticket = a_ticket(office)
    status = b"Action: relayed\r\nStatus: 2.0.0\r\n"
    part = MailPart("status.txt", "message/delivery-status", len(status), "0", data=status)
    report = a_loose("Delivered", "Successful Mail Delivery Report", attachments=(part,), report_type="delivery-status",
                     original_message_ids=(ticket.message_id,))  # fmt: skip
    assert receive(office, report) == "noted"
    assert (now_of(office, ticket), what_was_noted(office, ticket)) == (ticket, [])


def test_a_report_that_names_no_letter_of_ours_moves_nothing_and_says_so(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_loose(LOOSE.replace("t1@", "guess@"))) == "quarantined"
    assert now_of(office, ticket) == ticket
    row = inbox.quarantined(office.c, NOW - timedelta(days=1), 1)[0]
    assert row.reason.startswith(
        "it reports that a letter was not delivered, but names none of a request: failed: Remote"
    )
    alerts = [one.parcel.payload["values"] for one in outbox.open_parcels(office.c, 10)]
    assert [each["why"] for each in alerts] == ["returned"]


@pytest.mark.parametrize("believed", [True, False])
def test_a_helpdesk_that_writes_of_undelivered_mail_reports_no_failure(office: Office, believed: bool) -> None:
    """A request about e-mail, its words in the helpdesk's answer, and a report that the employee had attached."""
    ticket = a_ticket(office)
    status = b"Action: failed\r\nStatus: 5.1.1\r\n"
    part = MailPart("report.txt", "message/delivery-status", len(status), "0", data=status)
    text = f"Описание: не удалось доставить письмо: 550 5.1.1 no such user\n{ticket.token}\n"
    text += f"> Message-ID: {ticket.message_id}\n"
    answer = a_mail(
        "Re: Undelivered Mail Returned to Sender", text, believed=believed, in_reply_to=(ticket.message_id,),
        attachments=(part,),
    )  # fmt: skip
    assert receive(office, answer) == ("comment" if believed else "quarantined")
    assert now_of(office, ticket).handover is Handover.ACCEPTED
    assert "bounced" not in what_was_noted(office, ticket)
    set_aside = inbox.quarantined(office.c, NOW - timedelta(days=1), 1)
    assert all("no Authentication-Results" in row.reason for row in set_aside)


def test_the_same_report_twice_is_told_once(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_loose()) == "bounce"
    office.later(minutes=1)
    assert receive(office, a_loose()) == "bounce"  # another letter, from a second server
    assert notices(office) == ["notice_failed"]
    assert what_was_noted(office, ticket).count("bounced") == 2


def test_a_mail_system_in_the_helpdesks_own_domain_is_heard(office: Office) -> None:
    backend = office.env.backends["inframanager"]
    wide = replace(backend, profile=replace(backend.profile, senders=("*@demo.local",)))
    office.env = replace(office.env, backends={wide.name: wide})
    ticket = a_ticket(office)
    assert receive(office, a_loose()) == "bounce"
    assert now_of(office, ticket).handover is Handover.FAILED


def test_the_button_of_an_alarm_tells_the_truth_after_it_was_pressed_and_after_the_request_arrived(
    office: Office,
) -> None:
    office.link()
    ticket = a_ticket(office)
    office.take(ANNA, Commanded("menu"))
    assert receive(office, a_bounce(ticket)) == "bounce"
    words = Templates([packed("templates")], office.env.zone)

    def pressed() -> str:
        office.take(ANNA, Commanded("menu"))
        office.take(ANNA, Pressed(f"rs:{ticket.id}", "alarm"))
        return render(screen_from_json(office.screen()), "ru", words).text

    assert "отправляем ещё раз то, что не ушло (запущено в " in pressed()
    assert "уже отправляется ещё раз. Больше ничего не нужно" in pressed()
    assert receive(office, a_mail(REGISTERED, f"Посмотрим.\n{ticket.token}")) == "applied"
    assert "Отправлять больше нечего: заявка IM-CL-1042" in pressed()
    tickets.save(office.c, replace(now_of(office, ticket), status=Status.REJECTED))
    assert pressed().endswith("отклонена.")
