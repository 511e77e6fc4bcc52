"""Whether an admin really hears: what the employee may be told of it, alarms, and how everything is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.dialog.screen import Screen, screen_from_json
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status, StatusReport, Ticket, apply
from imbot.services import delivery, telling, watchdog
from imbot.services import tickets as ticket_services
from imbot.store import outbox, people
from imbot.store.touched import all_taken
from tests.services.conftest import ANNA, EVE_ENTRY, Office
from tests.services.delivering import claim, file_a_request, now_is, pack
from tests.services.silence import (
    ACCEPTED,
    TOM,
    TOM_ENTRY,
    look,
    notices,
    parcels,
    press,
    words,
)


def test_where_no_admin_can_be_reached_the_employee_is_given_the_phone(office: Office) -> None:
    office.env = replace(office.env, admins=())
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    look(office, hours=1)
    (told,) = notices(office, "notice_unconfirmed")
    assert told["values"]["admin_knows"] is False
    text = words(screen_from_json(told))
    assert "Сообщаем администратору" not in text
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
    delivery.failed(office.c, claim(office, Kind.LETTER), down, office.now, office.env, probes=5)
    (told,) = notices(office, "notice_failed")
    assert told["values"]["admin_knows"] is False
    assert "Позвоните поддержке" in words(screen_from_json(told))


@pytest.mark.parametrize("how", ["refused", "unreached", "returned"])
def test_what_became_of_a_letter_is_told_as_it_was(office: Office, how: str) -> None:
    """To the employee, on the receipt and to admins: nothing is called refused that was accepted, or never taken."""
    said = {
        "refused": ("почта поддержки её не приняла", "не принято почтовым сервером: 554 no"),
        "unreached": (
            "почта её так и не взяла",
            "не удалось отдать почтовому серверу, попытки прекращены: connection ref",
        ),
        "returned": ("до поддержки не дошло", "вернулось: почтовый сервер его принял, а позже"),
    }
    ticket = failed_as(office, how)
    (told,) = notices(office, "notice_failed")
    receipt = telling.receipt_values(office.c, ticket, office.env) | {"now": office.now.isoformat()}
    telling.tell_admins(office.c, office.now, office.env)
    (alert,) = notices(office, "alert")
    mine = [words(screen_from_json(told)), words(Screen("receipt", receipt)), words(screen_from_json(alert))]
    for text in mine:
        assert [key for key, each in said.items() if any(one in text for one in each)] == [how], text


def test_a_request_sent_again_and_refused_is_not_said_to_have_come_back(office: Office) -> None:
    ticket = failed_as(office, "returned")
    question = watchdog.values(office.c, ticket, None, office.env) | {"by_letter": False, "now": office.now.isoformat()}
    assert "вернулось" in words(Screen("unconfirmed", question))
    assert ticket_services.send_again(office.c, ticket, office.now)
    refused = DeliveryError("554 no", permanent=True, kind="refused")
    delivery.failed(office.c, claim(office, Kind.LETTER), refused, office.now, office.env)
    question = watchdog.values(office.c, now_is(office, ticket), None, office.env)
    text = words(Screen("unconfirmed", question | {"by_letter": False, "now": office.now.isoformat()}))
    assert "вернулось" not in text
    assert "почтовый сервер не принял" in text


def failed_as(office: Office, how: str) -> Ticket:
    ticket = file_a_request(office)
    office.link(TOM, TOM_ENTRY)
    pack(office, claim(office, Kind.PACK))
    letter = claim(office, Kind.LETTER)
    if how == "returned":
        delivery.letter_accepted(office.c, letter, ACCEPTED, office.now, office.env)
        delivery.letter_bounced(office.c, ticket.message_id, "550 no such user", office.now, office.env)
    elif how == "refused":
        refused = DeliveryError("554 no", permanent=True, kind="refused")
        delivery.failed(office.c, letter, refused, office.now, office.env)
    else:
        office.later(days=6)
        down = DeliveryError("connection refused", kind="down")
        delivery.failed(office.c, letter, down, office.now, office.env, probes=5)
    return now_is(office, ticket)


def test_an_alarm_says_since_when_and_for_how_long(office: Office) -> None:
    office.link(TOM, TOM_ENTRY)
    since = office.now
    office.later(minutes=14)
    telling.leg_changed(office.c, "mailbox", since, "refused", False, office.now)
    office.later(days=3)
    telling.leg_changed(office.c, "mailbox", since, "", True, office.now)
    telling.tell_admins(office.c, office.now, office.env)
    (alert,) = notices(office, "alert")
    text = words(screen_from_json(alert))
    assert "не читается с 12:00 23 ноября (14 минут): refused." in text
    assert "Снова в порядке (12:14 26 ноября, перерыв: 3 дня): почтовый ящик заявок." in text


def test_a_mailbox_that_was_never_read_makes_news_late_once_admins_know(office: Office) -> None:
    office.link()
    office.command("menu")
    assert not office.screen()["values"]["late"]
    telling.leg_changed(office.c, "mailbox", office.now, "login refused", False, office.now)
    office.command("menu")
    assert office.screen()["values"]["late"] is True
    assert "не можем прочитать почту" in words(screen_from_json(office.screen()))


def test_that_the_chats_do_not_answer_is_told_by_letter(office: Office) -> None:
    office.link(TOM, TOM_ENTRY)
    telling.leg_changed(office.c, "telegram", office.now, "no route", False, office.now)
    telling.leg_changed(office.c, "mailbox", office.now, "refused", False, office.now)
    telling.tell_admins(office.c, office.now, office.env)
    (letter,) = parcels(office, Kind.NOTE)
    assert "Telegram не отвечает" in words(screen_from_json(letter.payload["screen"]))
    assert not parcels(office, Kind.NOTICE)
    telling.leg_changed(office.c, "telegram", office.now, "", True, office.now)
    telling.tell_admins(office.c, office.now, office.env)
    (back,) = parcels(office, Kind.NOTICE)
    assert back.lane == f"chat:{TOM.key}"
    assert telling.open_alarms(office.c) == [("mailbox", office.now)]


def test_an_admin_asks_how_everything_is_and_is_answered_in_the_chat(office: Office) -> None:
    office.link(TOM, TOM_ENTRY)
    assert press(office, "a:check") == "looking"
    check = claim(office, Kind.CHECK)
    assert check.payload == {"chat": TOM.key, "check": True}
    legs = [{"leg": "mailbox", "ok": True, "since": None, "error": "", "ok_at": office.now.isoformat()}]
    telling.put_legs(office.c, check, legs, office.now, office.env)
    (told,) = parcels(office, Kind.NOTICE, f"chat:{TOM.key}")
    assert "Почтовый ящик: в порядке (12:00)." in words(screen_from_json(told.payload["screen"]))


def test_check_now_brings_failed_letters_forward(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    delivery.failed(
        office.c, claim(office, Kind.LETTER), DeliveryError("421", kind="throttled"), office.now, office.env
    )
    office.later(seconds=1)
    assert not [p for p in outbox.claim(office.c, office.now, 9, only="smtp") if p.kind is Kind.LETTER]
    assert outbox.hurry(office.c, ("smtp",), office.now) == 1
    assert claim(office, Kind.LETTER)


@pytest.mark.parametrize(("chosen", "lang"), [("", "ru"), ("en", "en")])
def test_a_notice_that_goes_at_once_has_its_chats_language_with_it(office: Office, chosen: str, lang: str) -> None:
    ticket = now_is(office, file_a_request(office))
    people.set_language(office.c, ticket.chat_key, chosen)
    for open_ in outbox.open_parcels(office.c, 50):  # little else is under way
        outbox.drop(office.c, open_.parcel.id, office.now)
    all_taken(office.c)
    change = apply(
        ticket, StatusReport(ticket.backend, Status.WAITING, fields={"question": "Какой принтер?"}), office.now
    )
    assert change is not None
    ticket_services.record_change(office.c, change, "mail:1", office.now, office.env)
    (notice,) = [parcel for parcel in all_taken(office.c) if parcel.kind is Kind.NOTICE]
    assert notice.at_hand == lang
    (stored,) = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.NOTICE]
    assert stored.at_hand is None, "whoever reads it asks whose chat it is"


def test_a_notice_of_a_chat_that_is_linked_anew_in_the_same_group_asks_whose_it_is(office: Office) -> None:
    ticket = now_is(office, file_a_request(office))
    change = apply(ticket, StatusReport(ticket.backend, Status.RESOLVED), office.now)
    assert change is not None
    all_taken(office.c)
    ticket_services.record_change(office.c, change, "mail:1", office.now, office.env)
    people.link_chat(office.c, ANNA, EVE_ENTRY, office.now)
    notices = [parcel for parcel in all_taken(office.c) if parcel.kind is Kind.NOTICE]
    assert [parcel.at_hand for parcel in notices] == [None] * len(notices)
    assert not any(telling.may_show(office.c, parcel, office.env) for parcel in notices)
