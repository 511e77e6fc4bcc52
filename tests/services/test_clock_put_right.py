"""What was noted while the machine's clock ran ahead, by a day or by half a minute, hides nothing and delays nothing once the
clock is put right, and nothing is said to be late that nobody could have heard of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from imbot.dialog.orders import NotSolved
from imbot.domain.errors import DeliveryError
from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status, StatusReport, Ticket, apply
from imbot.services import breaker, decisions, delivery, telling, turns, unsent, watchdog, withholding
from imbot.services import tickets as ticket_services
from imbot.services.env import Fresh
from imbot.store import facts, outbox, people, tickets
from imbot.store.withheld import withheld
from tests.services import delivering
from tests.services.conftest import ANNA, Office
from tests.services.inbound import DONE, REGISTERED, a_mail, a_ticket, notices, now_of, receive
from tests.services.silence import accepted, read_mailbox
from tests.services.test_breaker import alerts, forged, tell_what_is_due
from tests.services.test_unsent import asked_ticket


def written_now(office: Office, subject: str, text: str = "") -> InboundMail:
    return a_mail(subject, text, date=office.now)


def put_right(office: Office, **span: float) -> None:
    """The clock is put back by so much while imbot runs."""
    before = office.now
    office.later(**{unit: -value for unit, value in span.items()})
    outbox.clock_went_back(office.c, office.now, before)


def not_solved(office: Office, ticket: Ticket) -> None:
    person = people.person(office.c, ticket.person_id)
    assert person is not None
    order = NotSolved(ticket.id, "Всё так же")
    ticket_services.not_solved(office.c, person, order, office.now, office.env, Fresh.mint("demo.local"))


def solved(office: Office) -> Ticket:
    """Anna's request, registered and done."""
    ticket = a_ticket(office)
    receive(office, written_now(office, REGISTERED, ticket.token))
    office.later(minutes=5)
    receive(office, written_now(office, DONE, "Решение: Заменён картридж"))
    return now_of(office, ticket)


# --- statuses


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("ahead", [{"days": 1}, {"hours": 1}])
def test_a_status_is_told_where_both_clocks_were_ahead_when_the_last_one_came(
    office: Office, dated: bool, ahead: dict[str, float]
) -> None:
    ticket = a_ticket(office)
    office.later(**ahead)
    registered = written_now(office, REGISTERED, ticket.token)
    receive(office, registered if dated else replace(registered, date=None))
    put_right(office, **ahead)
    office.later(minutes=10)
    assert receive(office, written_now(office, DONE, "Решение: Заменён картридж")) == "applied"
    assert now_of(office, ticket).status is Status.RESOLVED
    assert "notice_resolved" in notices(office)
    late = a_mail("Заявка № IM-CL-1042 принята в работу", date=office.now - timedelta(minutes=5))
    receive(office, late)
    assert now_of(office, ticket).status is Status.RESOLVED, "what is older by the right clock stays older"


def test_what_is_said_once_more_by_the_right_clock_dates_what_both_had_dated_ahead(office: Office) -> None:
    ticket = a_ticket(office)
    office.later(days=1)
    for subject in (REGISTERED, DONE):
        receive(office, written_now(office, subject, ticket.token))
    put_right(office, days=1)
    office.later(minutes=10)
    receive(office, written_now(office, DONE))
    receive(office, a_mail("Заявка № IM-CL-1042 принята в работу", date=office.now - timedelta(minutes=5)))
    assert now_of(office, ticket).status is Status.RESOLVED


def test_a_clock_that_is_behind_moves_nothing_that_was_noted_by_the_right_one(office: Office) -> None:
    """A machine that was switched on a moment ago: its time service needs a minute."""
    ticket = solved(office)
    not_solved(office, ticket)
    read_mailbox(office)
    until = now_of(office, ticket).asked_until
    office.later(hours=-3)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 0
    office.later(hours=3, minutes=10)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 0
    assert now_of(office, ticket).asked_until == until


def test_done_again_answers_not_solved_that_was_pressed_ahead(office: Office) -> None:
    ticket = solved(office)
    office.later(days=1)
    not_solved(office, ticket)
    assert now_of(office, ticket).asked == "reopen"
    put_right(office, days=1)
    office.later(minutes=30)
    receive(office, written_now(office, DONE, "Решение: Заменён барабан"))
    assert now_of(office, ticket).asked == ""


@pytest.mark.parametrize("minutes", [11, 75])
def test_the_last_of_many_statuses_is_told_though_the_clock_was_put_right(office: Office, minutes: int) -> None:
    ticket = a_ticket(office)
    receive(office, written_now(office, REGISTERED, ticket.token))

    def flip(number: int) -> None:
        office.later(seconds=10)
        status = Status.IN_PROGRESS if number % 2 else Status.RESOLVED
        report = StatusReport("inframanager", status, "IM-CL-1042", {"solution": f"Попытка {number}"})
        change = apply(now_of(office, ticket), report, office.now)
        assert change is not None
        ticket_services.record_change(office.c, change, f"mail:f{number}", office.now, office.env)

    for number in range(24):
        flip(number)
    assert "notice_flips" in notices(office)
    put_right(office, hours=1)
    flip(24)
    office.later(minutes=minutes)
    for parcel in outbox.claim(office.c, office.now, 100, only="self"):
        breaker.tell(office.c, parcel, office.now, office.env)
    told = [one.parcel.payload for one in outbox.open_parcels(office.c, 1000) if one.parcel.kind is Kind.NOTICE][-1]
    assert told["screen"]["name"] == "notice_resolved"
    assert "Попытка 24" in str(told)


def test_words_of_a_day_that_is_still_to_come_are_no_flood(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, written_now(office, REGISTERED, ticket.token))
    office.later(hours=20)
    for number in range(22):
        office.later(minutes=20)
        receive(office, written_now(office, "Re: IM-CL-1042", f"Слово {number} {ticket.token}"))
    put_right(office, days=1)
    before = notices(office)
    receive(office, written_now(office, "Re: IM-CL-1042", "Как вы?"))
    assert [*before, "notice_comment"] == notices(office)


# --- silences


def test_nobody_is_said_not_to_have_answered_while_the_mailbox_is_not_read(office: Office) -> None:
    ticket = solved(office)
    not_solved(office, ticket)
    read_mailbox(office)
    office.later(days=3)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 0
    read_mailbox(office)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 1
    assert now_of(office, ticket).asked_until is None


def test_a_mailbox_that_was_read_ahead_of_time_has_not_been_read(office: Office) -> None:
    accepted(office)
    office.later(days=1)
    read_mailbox(office)
    put_right(office, days=1)
    office.later(minutes=61)
    assert watchdog.look(office.c, office.now, office.env) == 0
    read_mailbox(office)
    assert watchdog.look(office.c, office.now, office.env) == 1


def test_news_are_said_to_be_late_where_the_mailbox_was_read_ahead_of_time(office: Office) -> None:
    office.later(days=1)
    read_mailbox(office)
    put_right(office, days=1)
    office.later(hours=3)
    assert turns._late(office.c, office.now, office.env)
    read_mailbox(office)
    assert not turns._late(office.c, office.now, office.env)


# --- files


@pytest.mark.parametrize("back", [{"hours": 1}, {"seconds": 30}])
def test_a_receipt_names_the_photo_that_came_before_the_correction(office: Office, back: dict[str, float]) -> None:
    office.link()
    office.command("newticket")
    for name in ("Оборудование", "Принтер"):
        office.press(name)
    office.say("Мигает")
    office.attach("a.jpg")
    office.show(message_id="review")
    put_right(office, **back)
    office.press("send")
    (ticket,) = tickets.open_of_person(office.c, 1, 10)
    assert len(telling.receipt_values(office.c, ticket, office.env)["files"]) == 1


def test_a_late_file_is_not_given_up_at_a_jump_ahead(office: Office) -> None:
    office.link()
    delivering.file_a_request(office, "a.jpg")
    office.later(minutes=11)
    delivery.go_without_files(office.c, office.now)
    down = DeliveryError("no answer", kind="down")

    def fate() -> Any:
        return office.c.exec_driver_sql("SELECT fate FROM files").scalar()

    parcel = delivering.claim(office, Kind.DOWNLOAD)
    assert parcel.payload.get("late")
    office.later(days=1, minutes=1)
    delivery.failed(office.c, parcel, down, office.now, office.env)
    assert fate() == "wanted"
    for _ in range(6):
        office.later(minutes=6)
        delivery.failed(office.c, delivering.claim(office, Kind.DOWNLOAD), down, office.now, office.env)
    assert fate() != "wanted"


# --- what waits for a moment


def test_admins_hear_of_a_letter_set_aside_though_others_were_ahead_of_time(office: Office) -> None:
    office.link()
    office.later(days=1)
    for number in range(6):
        receive(office, forged(number))
    put_right(office, days=1)
    office.later(hours=2)
    tell_what_is_due(office)
    before = len(alerts(office))
    receive(office, forged(50))
    assert len(alerts(office)) == before + 1


def test_a_withheld_letter_is_asked_for_again_no_later(office: Office) -> None:
    office.later(days=1)
    withholding.failed(office.c, "replies", "1:5", 10, office.now, lost=False)
    for _ in range(4):
        withholding.before_try(office.c, "replies", "replies", office.now)
    (given_up,) = withheld(office.c, "replies")
    assert given_up.mail
    put_right(office, days=1)
    assert withholding.due(office.c, "replies", office.now) is not None


def test_who_did_not_press_send_is_reminded_no_later(office: Office) -> None:
    asked_ticket(office)
    office.later(days=1)
    facts.set_fact(office.c, f"unsent:{ANNA.key}", (office.now + unsent.WAITS).isoformat(), office.now)
    put_right(office, days=1)
    assert unsent.due(office.c, office.now) == [ANNA.key]
    facts.set_fact(office.c, f"unsent:{ANNA.key}", (office.now + unsent.WAITS).isoformat(), office.now)
    assert unsent.due(office.c, office.now) == []


def test_a_letter_that_was_taken_ahead_of_time_may_be_sent_anew(office: Office) -> None:
    office.later(days=1)
    ticket = accepted(office)
    assert decisions.last_sent(office.c, ticket, office.now) == office.now
    put_right(office, days=1)
    office.later(hours=3)
    assert decisions.last_sent(office.c, ticket, office.now) is None
