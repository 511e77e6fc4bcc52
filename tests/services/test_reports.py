from __future__ import annotations

import gc
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.services import reports, telling
from imbot.services.tickets import send_again
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox, ledger, letters, outbox, tickets
from imbot.store.erase import erase
from imbot.store.letters import LetterRow
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, NOW, Office

BELIEVED = ("Authentication-Results", "mx.demo.local; dmarc=pass header.from=demo.local")


def a_ticket(office: Office, id: str = "t1", **changes: object) -> Ticket:
    person = office.link()
    ticket = Ticket(
        id=id,
        person_id=person.id,
        chat_key=ANNA.key,
        title="Принтер: мигает красным",
        backend="inframanager",
        token=f"imb:{id.upper():A<10}".replace("1", "B").replace("0", "C"),
        message_id=f"<{id}@demo.local>",
        created_at=NOW,
        handover=Handover.ACCEPTED,
        accepted_at=NOW,
    )
    ticket = replace(ticket, **changes)  # type: ignore[arg-type]
    tickets.add(office.c, ticket)
    letter = {"subject": f"Принтер: мигает красным [{ticket.token}]", "text": "Описание:\nПринтер мигает красным"}
    letters.save_letter(office.c, LetterRow(ticket.message_id, ticket.id, "ticket", letter, NOW))
    return ticket


def a_mail(
    subject: str, text: str = "", *, sender: str = "itsm@demo.local", believed: bool = True, **more: object
) -> InboundMail:
    digest = f"{random.getrandbits(128):032x}"
    headers = (*((BELIEVED,) if believed else ()), ("From", sender))
    mail = InboundMail(digest, 100, f"<{digest}@itsm>", subject, sender, text=text, date=NOW, headers=headers)
    return replace(mail, **more)  # type: ignore[arg-type]


def receive(office: Office, mail: InboundMail) -> str:
    mail_id = inbox.keep_raw(
        office.c, "replies", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now
    )
    return reports.receive(office.c, mail_id, mail, office.now, office.env)


def kinds(office: Office) -> list[Kind]:
    return [one.parcel.kind for one in outbox.open_parcels(office.c, 1000)]


def notices(office: Office) -> list[str]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 1000) if one.parcel.kind is Kind.NOTICE]
    return [parcel.payload["screen"]["name"] for parcel in found]


REGISTERED = "Заявка № IM-CL-1042 получена и рассмотрена"
DONE = "Заявка № IM-CL-1042 выполнена"


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


def test_a_number_that_the_itsm_never_gave_us_binds_nothing(office: Office) -> None:
    a_ticket(office)
    assert receive(office, a_mail(DONE, "Решение:\n23.11.2026 - готово")) == "quarantined"


def test_a_number_once_given_binds_later_letters(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    assert receive(office, a_mail(DONE, "Решение:\n23.11.2026 - Заменён картридж")) == "applied"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert after.status is Status.RESOLVED
    assert "Заменён картридж" in after.solution


def test_our_message_id_binds_and_two_tickets_at_once_bind_nothing(office: Office) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2")
    assert receive(office, a_mail(REGISTERED, in_reply_to=(one.message_id,))) == "applied"
    assert receive(office, a_mail(DONE, two.token, in_reply_to=(one.message_id,))) == "quarantined"


def test_the_number_of_another_ticket_is_quarantined(office: Office) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2")
    receive(office, a_mail(REGISTERED, one.token))
    assert receive(office, a_mail(DONE, two.token)) == "quarantined"
    assert tickets.get(office.c, two.id) == two


def test_inference_needs_a_registration_and_exactly_one_waiting_request(office: Office) -> None:
    ticket = a_ticket(office)
    text = "Заявитель: Иванова (anna@demo.local)"
    assert receive(office, a_mail("Заявка № IM-CL-7 выполнена", text)) == "quarantined"
    assert receive(office, a_mail("Заявка № IM-CL-8 получена и рассмотрена", text)) == "applied"
    assert "inferred" in [row.what for row in ledger.ledger(office.c, ticket.id)]
    a_ticket(office, "t2")
    a_ticket(office, "t3")
    assert receive(office, a_mail("Заявка № IM-CL-9 получена и рассмотрена", text)) == "quarantined"


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


BOUNCE = {
    "sender": "mailer-daemon@demo.local",
    "report_type": "delivery-status",
    "text": "550 no such user",
    "believed": False,
}


def a_bounce(ticket: Ticket) -> InboundMail:
    return a_mail("Undelivered Mail Returned to Sender", original_message_ids=(ticket.message_id,), **BOUNCE)  # type: ignore[arg-type]


def now_of(office: Office, ticket: Ticket) -> Ticket:
    found = tickets.get(office.c, ticket.id)
    assert found is not None
    return found


def says(office: Office, ticket: Ticket, text: str, letter_id: str = "<2@demo.local>") -> None:
    """A letter of ours for the ticket bears these words."""
    letters.save_letter(office.c, LetterRow(letter_id, ticket.id, "addition", {"subject": "", "text": text}, NOW))


def test_a_number_in_an_employees_own_words_keeps_no_registration_out(office: Office) -> None:
    eve = office.link(EVE, EVE_ENTRY)
    old = a_ticket(office, "t0", person_id=eve.id, chat_key=EVE.key)
    office.link(ANNA)
    receive(office, a_mail(REGISTERED, old.token))
    ticket = a_ticket(office)
    words = "Печатает полосами, было уже в IM-CL-1042"
    says(office, ticket, words)
    mail = a_mail("Заявка № IM-CL-1050 получена и рассмотрена", f"Описание: {words}\n{ticket.token}")
    assert receive(office, mail) == "applied"
    assert tickets.numbers_of(office.c, ticket.id) == ["IM-CL-1050"]
    assert receive(office, a_mail("Заявка № IM-CL-1050 выполнена", f"Описание: {words}")) == "applied"
    assert (now_of(office, ticket).status, now_of(office, old).status) == (Status.RESOLVED, Status.REGISTERED)


def test_an_echoed_number_is_not_taken_from_the_ticket_that_is_given_it_later(office: Office) -> None:
    ticket = a_ticket(office)
    says(office, ticket, "Похоже на IM-CL-1044")
    reply = a_mail("Re: Принтер", f"Да, это как IM-CL-1044, зайдём.\n{ticket.token}")
    assert receive(office, reply) == "comment"
    other = a_mail("Re: Принтер", f"Связано с IM-CL-1045, посмотрим.\n{ticket.token}")
    assert receive(office, other) == "comment"
    assert tickets.numbers_of(office.c, ticket.id) == []
    eve = office.link(EVE, EVE_ENTRY)
    hers = a_ticket(office, "t2", person_id=eve.id, chat_key=EVE.key)
    for number in ("1044", "1045"):
        mail = a_mail(f"Заявка № IM-CL-{number} получена и рассмотрена", hers.token)
        assert receive(office, mail) in ("applied", "noted")
    assert tickets.numbers_of(office.c, hers.id) == ["IM-CL-1044", "IM-CL-1045"]


def test_an_echoed_number_binds_no_letter_whose_subject_bears_another(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    assert receive(office, a_mail("Заявка № IM-CL-1099 выполнена", "Описание: было в IM-CL-1042")) == "quarantined"
    assert now_of(office, ticket).status is Status.REGISTERED


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
    """Half a megabyte of the worst of each kind. The clock is the processor's and no garbage of other tests is collected
    meanwhile, so that nothing else decides."""
    ticket = a_ticket(office)
    says(office, ticket, "Принтер мигает красным. " * 400)
    piece = WORST[name]
    text = ticket.token + "\n" + piece * (500_000 // len(piece))
    for sender in ("itsm@demo.local", "eve@example.test"):
        mail = a_mail("Заявка", text, sender=sender, html=text)
        mail_id = inbox.keep_raw(
            office.c, "replies", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now
        )
        gc.disable()
        try:
            begin = time.process_time()
            looked = reports.look(mail, office.env)
            middle = time.process_time()
            reports.receive(office.c, mail_id, mail, office.now, office.env, looked)
            end = time.process_time()
        finally:
            gc.enable()
        assert middle - begin < 1
        assert end - middle < 0.3


def test_nobody_elses_person_is_told_in_a_thousand_crossed_letters(office: Office) -> None:
    """1,000 random pairs of evidence: a notice goes to the owner of the one ticket that all of it names, or to nobody."""
    rng = random.Random(7)
    one = a_ticket(office, "t1")
    eve = office.link(EVE, EVE_ENTRY)
    two = a_ticket(office, "t2", person_id=eve.id, chat_key=EVE.key, title="Чужая заявка")
    office.link(ANNA)
    receive(office, a_mail("Заявка № IM-CL-1 получена и рассмотрена", one.token))
    receive(office, a_mail("Заявка № IM-CL-2 получена и рассмотрена", two.token))
    numbers = {one.id: "IM-CL-1", two.id: "IM-CL-2"}
    for round_number in range(1000):
        by_number, by_token, by_thread = (rng.choice([one, two, None]) for _ in range(3))
        named = {ticket.id for ticket in (by_number, by_token, by_thread) if ticket}
        number = numbers[by_number.id] if by_number else f"IM-CL-{1000 + round_number}"
        mail = a_mail(
            f"Заявка № {number}: {rng.choice(['принята в работу', 'выполнена', 'сообщение'])}",
            f"Привет {by_token.token if by_token else ''}",
            in_reply_to=(by_thread.message_id,) if by_thread else (),
            believed=rng.random() < 0.8,
        )
        before = outbox.counts(office.c)
        outcome = receive(office, mail)
        if len(named) != 1 and outcome not in ("quarantined",):
            owner_known = {t.id for t in (by_token, by_thread) if t}
            assert len(owner_known) == 1, (outcome, named, before)
    for parcel in (one_parcel.parcel for one_parcel in outbox.open_parcels(office.c, 10_000)):
        if parcel.kind is Kind.NOTICE:
            owner = {one.id: ANNA.key, two.id: EVE.key}[parcel.payload["ticket"]]
            assert parcel.lane == f"chat:{owner}"
            assert numbers[two.id if owner == ANNA.key else one.id] not in str(parcel.payload)


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
    late = a_mail(work, "Комментарий: старое", date=office.now - timedelta(minutes=2))
    assert receive(office, late) == "noted"
    assert notices(office).count("notice_comment") == 2


def test_a_number_that_we_ourselves_wrote_about_another_request_binds_nothing_from_the_text(office: Office) -> None:
    toms = a_ticket(office, "t1")
    receive(office, a_mail(REGISTERED, toms.token))
    annas = a_ticket(office, "t2")
    words = {"subject": "Заявка", "text": "Описание:\nто же, что в IM-CL-1042 у Тома"}
    letters.save_letter(office.c, LetterRow("<t2-more@demo.local>", annas.id, "addition", words, NOW))
    mail = a_mail("Ваша заявка выполнена", "Номер: IM-CL-9050\nОписание: то же, что в IM-CL-1042 у Тома")
    assert receive(office, mail) == "quarantined"
    echo = a_mail("Ваша заявка выполнена", "Описание: то же, что в IM-CL-1042 у Тома")
    assert receive(office, echo) == "quarantined"
    after = tickets.get(office.c, toms.id)
    assert after is not None
    assert after.status is Status.REGISTERED
