"""What admins decide about requests that support has not confirmed: buttons, the first word, the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Pressed
from imbot.domain.parcels import Kind
from imbot.domain.people import Role
from imbot.domain.tickets import Handover
from imbot.services import decisions, delivery, telling, watchdog
from imbot.store import ledger, letters, outbox, people, watches
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, Office
from tests.services.delivering import claim, now_is
from tests.services.silence import (
    TOM,
    ZOE,
    ZOE_ENTRY,
    accepted,
    deliver,
    history,
    look,
    notices,
    parcels,
    press,
    words,
)


def test_send_again_is_the_same_letter_with_another_date(office: Office) -> None:
    ticket = accepted(office)
    before = letters.letter(office.c, ticket.message_id)
    look(office, hours=1)
    deliver(office, TOM, "q1")
    office.later(minutes=5)
    assert press(office, f"a:again:{ticket.id}") == "", "the question itself says what became of it"
    after = letters.letter(office.c, ticket.message_id)
    assert before is not None
    assert after is not None
    assert after.letter == {**before.letter, "date": office.now.isoformat()}
    assert now_is(office, ticket).handover is Handover.QUEUED
    (row,) = [row for row in ledger.ledger(office.c, ticket.id) if row.what == "resent"]
    assert watchdog.name_of(office.c, row.values["by"]) == "Кузнецов Том"
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert screen.values["state"] == "again"
    assert not screen.rows
    assert "Кузнецов Том" in words(screen)
    parcel = claim(office, Kind.LETTER)
    assert parcel.payload["message_id"] == ticket.message_id
    delivery.letter_accepted(office.c, parcel, "250 again", office.now, office.env)
    assert look(office, minutes=60) == 1, "silence after the second letter is asked about as well"
    assert len(notices(office, "notice_unconfirmed")) == 1, "the employee was told once"
    again = deliver(office, TOM, "q2")
    assert again is not None
    assert "и после повторной отправки" in words(again)
    assert "Сотруднику об этом уже сказано." in words(again), (
        "nobody is told a second time, and that is not said either"
    )


def test_leave_asks_no_more_and_an_addition_that_comes_later_is_not_forgotten(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    deliver(office, TOM, "q1")
    press(office, f"a:leave:{ticket.id}")
    assert look(office, days=3) == 0
    office.take(ANNA, Pressed(f"add:{ticket.id}"))
    office.say("Ещё вот что")
    office.press("send_addition")
    (alert,) = parcels(office, Kind.ALERT)
    assert alert.payload["name"] == "addition_waits"
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert [b.label for row in screen.rows for b in row] == ["let_go"]
    assert "left" in history(office, ticket)


def test_additions_let_go_leave_at_once_and_further_ones_wait_no_more(office: Office) -> None:
    ticket = accepted(office)
    for text in ("Первое", "Второе"):
        office.take(ANNA, Pressed(f"add:{ticket.id}"))
        office.say(text)
        office.press("send_addition")
    assert outbox.count_waiting(office.c, f"number:{ticket.id}") == 2
    look(office, hours=1)
    deliver(office, TOM, "q1")
    press(office, f"a:go:{ticket.id}")
    assert outbox.count_waiting(office.c, f"number:{ticket.id}") == 0
    assert claim(office, Kind.PACK).payload["text"] == "Первое"
    office.take(ANNA, Pressed(f"add:{ticket.id}"))
    office.say("Третье")
    office.press("send_addition")
    assert outbox.count_waiting(office.c, f"number:{ticket.id}") == 0
    assert office.screen()["values"]["waits"] is False


def test_after_additions_are_let_go_the_request_itself_is_still_asked_about(office: Office) -> None:
    ticket = accepted(office)
    office.take(ANNA, Pressed(f"add:{ticket.id}"))
    office.say("Ещё вот что")
    office.press("send_addition")
    office.show()
    assert office.screen()["values"]["waits"] is True
    look(office, hours=1)
    deliver(office, TOM, "q1")
    press(office, f"a:go:{ticket.id}")
    assert office.screen()["values"]["waits"] is False, "what Anna's screen promised is no longer so"
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert [b.label for row in screen.rows for b in row] == ["send_again", "leave"]
    assert "Дополнения уходят, не дожидаясь номера (Кузнецов Том" in words(screen)
    assert press(office, f"a:go:{ticket.id}") == "unconfirmed", "there is nothing left to let go"
    press(office, f"a:again:{ticket.id}")
    assert now_is(office, ticket).handover is Handover.QUEUED
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250 again", office.now, office.env)
    look(office, hours=1)
    again = watches.question(office.c, ticket.id)
    assert again is not None
    assert (again.asked, again.is_open, again.let_go) == (2, True, True), (
        "asked again; additions still wait for nothing"
    )


def test_the_first_word_of_two_admins_wins_and_the_other_sees_it(office: Office) -> None:
    office.link()
    office.link(ZOE, ZOE_ENTRY)
    ticket = accepted(office)
    look(office, hours=1)
    deliver(office, TOM, "t1")
    deliver(office, ZOE, "z1")
    press(office, f"a:leave:{ticket.id}", ZOE, "z1")
    assert press(office, f"a:again:{ticket.id}", TOM, "t1") == "unconfirmed"
    shown = screen_from_json(office.screen(TOM))
    assert shown.values["state"] == "leave"
    assert "Зимина Зоя" in words(shown)
    assert now_is(office, ticket).handover is Handover.ACCEPTED
    edited = deliver(office, TOM, "t1")
    assert edited is not None
    assert edited.values["state"] == "leave"
    asked = watches.question(office.c, ticket.id)
    assert asked is not None
    assert dict(asked.chats) == {TOM.key: "t1", ZOE.key: "z1"}


@pytest.mark.parametrize("value", ["a:again:{}", "a:leave:{}", "a:go:{}", "a:next", "a:check", "a:legs"])
def test_whoever_is_no_admin_finds_nothing_behind_an_admins_button(office: Office, value: str) -> None:
    office.link()
    office.link(EVE, EVE_ENTRY)
    ticket = accepted(office)
    look(office, hours=1)
    before = watches.question(office.c, ticket.id)
    for chat in (EVE, ANNA):
        assert press(office, value.format(ticket.id), chat) == "menu"
        assert office.screen(chat)["values"]["greeting"] == "not_found"
    assert watches.question(office.c, ticket.id) == before
    assert not parcels(office, Kind.CHECK)


def test_an_admin_who_is_one_no_more_is_shown_nothing_and_decides_nothing(office: Office) -> None:
    office.env = replace(office.env, admins=())
    ticket = accepted(office)
    look(office, hours=1)
    tom = people.person_of_chat(office.c, TOM.key)
    assert tom is not None
    people.set_role(office.c, tom.id, Role.USER)
    assert deliver(office, TOM, "q1") is None
    assert press(office, f"a:again:{ticket.id}") == "menu"
    assert now_is(office, ticket).handover is Handover.ACCEPTED


def test_many_at_once_are_one_trouble_and_are_gone_through_one_by_one(office: Office) -> None:
    filed = []
    for _ in range(5):
        office.later(seconds=1)
        filed.append(accepted(office).id)
    assert look(office, hours=1) == 5
    assert not parcels(office, Kind.QUESTION), "no storm of messages"
    assert len(notices(office, "notice_unconfirmed")) == 5, "each employee is told"
    (alert,) = parcels(office, Kind.ALERT)
    assert (alert.payload["name"], alert.payload["values"]["count"]) == ("unconfirmed", 5)
    assert press(office, "a:next", message_id="alert") == "unconfirmed"
    for left in range(4, -1, -1):
        office.show(TOM, "slot")
        current = office.screen(TOM)["values"]["ticket"]
        assert press(office, f"a:leave:{current}", message_id="slot") == ("unconfirmed" if left else "no_questions")
        filed.remove(current)
    assert not filed
    assert press(office, "a:next", message_id="alert") == "no_questions"


def test_a_bounce_after_all_ends_the_question(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    deliver(office, TOM, "q1")
    delivery.letter_bounced(office.c, ticket.message_id, "550 no such user", office.now, office.env)
    assert press(office, f"a:again:{ticket.id}") == "unconfirmed"
    assert office.screen(TOM)["values"]["state"] == "failed"


def test_the_command_line_may_decide_before_imbot_has_asked_and_change_its_mind(office: Office) -> None:
    ticket = accepted(office)
    assert decisions.decide_anyway(office.c, now_is(office, ticket), "leave", "cli:root", office.now)
    assert look(office, days=1) == 0
    assert decisions.decide_anyway(office.c, now_is(office, ticket), "again", "cli:root", office.now)
    assert now_is(office, ticket).handover is Handover.QUEUED
    assert not decisions.decide_anyway(office.c, now_is(office, ticket), "again", "cli:root", office.now)


def test_a_wish_to_withdraw_that_waits_for_the_number_is_told_to_admins_and_as_asked_for_once_it_is_let_go(
    office: Office,
) -> None:
    ticket = accepted(office)
    office.take(ANNA, Pressed(f"wd:{ticket.id}"))
    office.press("withdraw_yes")
    assert telling.receipt_values(office.c, now_is(office, ticket), office.env)["asked"] == "withdraw_later"
    look(office, hours=1)
    (told,) = notices(office, "notice_unconfirmed")
    assert "Вы просили её снять" in words(screen_from_json(told))
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert "Сотрудник попросил снять эту заявку" in words(screen)
    assert "просьба ждёт номера" in words(screen)
    assert "с дополнениями" not in words(screen)
    assert "asked to withdraw" in words(screen, "en")
    press(office, f"a:go:{ticket.id}")
    assert telling.receipt_values(office.c, now_is(office, ticket), office.env)["asked"] == "withdraw"
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert "Просьба и дополнения уходят, не дожидаясь номера" in words(screen)
