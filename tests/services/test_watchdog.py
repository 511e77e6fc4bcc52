"""The registration watchdog and what admins decide, on a real data base: who is told what, once, and what becomes of letters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imbot.dialog.render import render
from imbot.dialog.screen import Screen, screen_from_json
from imbot.domain.chats import Chat, Pressed
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.people import Entry, Role
from imbot.domain.tickets import Handover, Status, StatusReport, Ticket, apply
from imbot.services import decisions, delivery, telling, watchdog
from imbot.services import tickets as ticket_services
from imbot.store import inbox, ledger, letters, outbox, people, sessions, watches
from imbot.templates import Templates
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, MOSCOW, Office
from tests.services.test_delivery import claim, file_a_request, now_is, pack

TOM, ZOE = Chat("telegram", "1002"), Chat("telegram", "1003")
TOM_ENTRY = Entry("tom@demo.local", "Кузнецов Том", role=Role.ADMIN)
ZOE_ENTRY = Entry("zoe@demo.local", "Зимина Зоя", role=Role.ADMIN)
TEMPLATES = Templates([Path(__file__).parents[2] / "templates"], MOSCOW)
ACCEPTED = "250 2.0.0 Ok: queued as 4XyZ"


def accepted(office: Office, *photos: str) -> Ticket:
    """Anna's request, taken by the mail server; Tom is an admin with a chat."""
    office.link()
    office.link(TOM, TOM_ENTRY)
    ticket = file_a_request(office, *photos)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    return now_is(office, ticket)


def read_mailbox(office: Office) -> None:
    inbox.set_fact(office.c, "mailbox_ok_at", office.now.isoformat(), office.now)


def look(office: Office, **span: float) -> int:
    """Time passes, the mailbox is read, the watchdog looks."""
    office.later(**span)
    read_mailbox(office)
    return watchdog.look(office.c, office.now, office.env)


def parcels(office: Office, kind: Kind, lane: str = "") -> list[Parcel]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 500) if one.parcel.kind is kind]
    return [parcel for parcel in found if parcel.lane.startswith(lane)]


def notices(office: Office, name: str) -> list[dict[str, Any]]:
    screens = [parcel.payload["screen"] for parcel in parcels(office, Kind.NOTICE)]
    return [screen for screen in screens if screen["name"] == name]


def claimed(office: Office, wanted: int) -> Parcel:
    for parcel in outbox.claim(office.c, office.now, 50, only="telegram"):
        if parcel.id == wanted:
            mine = parcel
        else:
            outbox.uncount(office.c, parcel, office.now, "")
    return mine


def deliver(office: Office, chat: Chat, message_id: str) -> Screen | None:
    """The courier brings whatever waits for this chat; the last question that it showed."""
    last = None
    while lane := outbox.of_lane(office.c, f"chat:{chat.key}"):
        parcel = claimed(office, lane[0].id)
        if parcel.kind is Kind.QUESTION:
            found = watchdog.showing(office.c, parcel, office.env)
            if found is None:
                outbox.settle(office.c, parcel, "nobody to ask", office.now)
                continue
            last, edit = found
            watchdog.shown(office.c, parcel, edit or message_id, last.values["state"], office.now)
        else:
            outbox.settle(office.c, parcel, "shown", office.now)
    return last


def press(office: Office, value: str, chat: Chat = TOM, message_id: str = "q1") -> str:
    """Press a button; the name of the screen that the chat is owed for it, "" for none."""
    before = sessions.slot(office.c, chat.key)
    office.take(chat, Pressed(value, message_id))
    after = sessions.slot(office.c, chat.key)
    return str(office.screen(chat)["name"]) if after and (not before or after.seq != before.seq) else ""


def register(office: Office, ticket: Ticket, number: str = "IM-CL-1042") -> None:
    report = StatusReport("inframanager", Status.REGISTERED, number, at=office.now)
    change = apply(now_is(office, ticket), report, office.now)
    assert change is not None
    ticket_services.record_change(office.c, change, "mail:1", office.now, office.env)


def words(screen: Screen, lang: str = "ru") -> str:
    return render(screen, lang, TEMPLATES).text


def history(office: Office, ticket: Ticket) -> list[str]:
    return [row.what for row in ledger.ledger(office.c, ticket.id)]


def test_an_hour_without_a_number_is_told_to_both_sides_exactly_once(office: Office) -> None:
    ticket = accepted(office)
    assert look(office, minutes=59) == 0
    assert look(office, minutes=1) == 1
    (told,) = notices(office, "notice_unconfirmed")
    assert told["values"]["admin_knows"] is True
    (question,) = parcels(office, Kind.QUESTION)
    assert question.lane == f"chat:{TOM.key}"
    assert telling.receipt_values(office.c, ticket, office.env)["unconfirmed"] is True
    assert [look(office, minutes=30) for _ in range(10)] == [0] * 10
    assert len(notices(office, "notice_unconfirmed")) == len(parcels(office, Kind.QUESTION)) == 1
    assert history(office, ticket).count("unconfirmed") == 1


def test_only_working_time_counts(office: Office) -> None:
    office.now = datetime(2026, 11, 20, 14, 40, tzinfo=UTC)  # Friday, 17:40 in Moscow
    accepted(office)
    assert look(office, hours=48) == 0, "Sunday"
    office.now = datetime(2026, 11, 23, 6, 39, tzinfo=UTC)  # Monday, 09:39
    assert look(office) == 0
    assert look(office, minutes=1) == 1


def test_a_helpdesk_that_never_registers_and_a_wait_of_zero_are_not_watched(office: Office) -> None:
    backend = office.env.backend("")
    for changed in (
        replace(backend, register_wait=timedelta(0)),
        replace(backend, profile=replace(backend.profile, registers=False)),
    ):
        office.env = replace(office.env, backends={changed.name: changed})
        accepted(office)
        assert look(office, days=7) == 0


def test_while_the_mailbox_is_not_read_nothing_is_claimed(office: Office) -> None:
    accepted(office)
    read_mailbox(office)
    office.later(hours=3)
    assert watchdog.look(office.c, office.now, office.env) == 0, "read before the time was up: it may lie there"
    read_mailbox(office)
    assert watchdog.look(office.c, office.now, office.env) == 1


def test_a_letter_that_waits_to_be_carried_out_may_be_the_confirmation(office: Office) -> None:
    accepted(office)
    mail = inbox.keep_raw(office.c, "replies", "1", 7, raw=b"x", size=1, sha256="00", now=office.now)
    assert look(office, hours=1) == 0
    inbox.settle_mail(office.c, mail, "duplicate", now=office.now)
    assert look(office) == 1


def test_registered_in_time_is_no_news_to_anybody(office: Office) -> None:
    ticket = accepted(office)
    register(office, ticket)
    assert look(office, days=1) == 0
    assert not parcels(office, Kind.QUESTION)


def test_the_admin_gets_the_facts(office: Office) -> None:
    ticket = accepted(office)
    ledger.log(office.c, ticket.id, office.now, "delayed", {"letter": "ticket", "reason": "451 greylisted"})
    office.command("menu")
    office.take(ANNA, Pressed(f"add:{ticket.id}"))
    office.say("И ещё мигает зелёным")
    office.press("send_addition")
    look(office, hours=1)
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    text = words(screen)
    for fact in (
        "Иванова Анна Сергеевна, 12-34, anna@demo.local",
        "Отправлена: 12:00",
        "queued as 4XyZ",
        "451 greylisted",
        "прочитан: 13:00",
        "1 письмо",
        "Сотрудник предупреждён",
    ):
        assert fact in text, text
    assert [b.label for row in screen.rows for b in row] == ["send_again", "leave", "let_go"]
    assert all(len(b.value.encode()) <= 64 for row in screen.rows for b in row)


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


def test_a_late_registration_resolves_everything_by_itself(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    deliver(office, TOM, "q1")
    office.later(hours=2)
    register(office, ticket)
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert screen.values["state"] == "registered"
    assert not screen.rows
    assert len(notices(office, "notice_registered")) == 1
    assert telling.receipt_values(office.c, now_is(office, ticket), office.env)["unconfirmed"] is False
    assert watches.question(office.c, ticket.id) is None
    assert press(office, f"a:again:{ticket.id}") == "unconfirmed"
    assert now_is(office, ticket).handover is Handover.ACCEPTED, "nothing is sent again by an old button"


def test_a_registration_while_it_is_being_sent_again_stops_the_second_letter(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    deliver(office, TOM, "q1")
    press(office, f"a:again:{ticket.id}")
    register(office, ticket)
    assert not parcels(office, Kind.LETTER)
    assert now_is(office, ticket).handover is Handover.ACCEPTED


def test_a_question_that_is_answered_before_it_is_shown_is_not_shown(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    register(office, ticket)
    assert deliver(office, TOM, "q1") is None


def test_a_question_that_is_answered_while_it_is_being_shown_is_mended_at_once(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    (parcel,) = [p for p in outbox.claim(office.c, office.now, 50, only="telegram") if p.kind is Kind.QUESTION]
    found = watchdog.showing(office.c, parcel, office.env)
    assert found is not None
    register(office, ticket)
    watchdog.shown(office.c, parcel, "q1", found[0].values["state"], office.now)
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert screen.values["state"] == "registered"


def test_without_an_admins_chat_the_question_goes_by_letter_and_so_does_its_end(office: Office) -> None:
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    look(office, hours=1)
    (letter,) = parcels(office, Kind.NOTE)
    assert letter.payload["to"] == "tom@demo.local"
    screen = screen_from_json(letter.payload["screen"])
    assert f"imbot ticket resend {ticket.id}" in words(screen)
    assert not screen.rows
    register(office, ticket)
    (alert,) = parcels(office, Kind.ALERT)
    assert alert.payload["name"] == "answered"


def test_an_admin_who_shut_the_chat_is_asked_by_letter(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    (parcel,) = [p for p in outbox.claim(office.c, office.now, 50, only="telegram") if p.kind is Kind.QUESTION]
    blocked = DeliveryError("bot was blocked", permanent=True, kind="blocked")
    delivery.failed(office.c, parcel, blocked, office.now, office.env)
    (letter,) = parcels(office, Kind.NOTE)
    assert f"imbot ticket leave {ticket.id}" in words(screen_from_json(letter.payload["screen"]))


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


def test_where_no_admin_can_be_reached_the_employee_is_given_the_phone(office: Office) -> None:
    office.env = replace(office.env, admins=())
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    look(office, hours=1)
    (told,) = notices(office, "notice_unconfirmed")
    assert told["values"]["admin_knows"] is False
    text = words(screen_from_json(told))
    assert "Администратор уже знает" not in text
    assert "Позвоните поддержке: 00-11." in text
    assert telling.receipt_values(office.c, ticket, office.env)["admin_knows"] is False


def test_an_admin_without_a_chat_knows_only_where_letters_go_out(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    letter = claim(office, Kind.LETTER)
    assert telling.admins_hear(office.c, office.env)
    down = DeliveryError("connection refused", kind="down")
    delivery.failed(office.c, letter, down, office.now, office.env)
    assert not telling.admins_hear(office.c, office.env), "the alert would wait behind the same silence"
    office.link(TOM, TOM_ENTRY)
    assert telling.admins_hear(office.c, office.env)


def test_a_request_given_up_for_a_silent_mail_server_promises_no_admin(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    office.later(days=6)
    down = DeliveryError("connection refused", kind="down")
    delivery.failed(office.c, claim(office, Kind.LETTER), down, office.now, office.env)
    (told,) = notices(office, "notice_failed")
    assert told["values"]["admin_knows"] is False
    assert "Позвоните поддержке" in words(screen_from_json(told))
