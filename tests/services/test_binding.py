"""Which ticket a letter is about: the strongest evidence binds, and nothing that somebody could make up."""

from __future__ import annotations

import random

from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import ledger, letters, outbox, tickets
from imbot.store.letters import LetterRow
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, NOW, Office
from tests.services.inbound import (
    DONE,
    REGISTERED,
    a_mail,
    a_ticket,
    now_of,
    receive,
    says,
)


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
