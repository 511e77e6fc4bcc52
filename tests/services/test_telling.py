"""Whether an admin really hears: what the employee may be told of it, alarms, and how everything is."""

from __future__ import annotations

from dataclasses import replace

from imbot.dialog.screen import screen_from_json
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.services import delivery, telling
from imbot.store import outbox
from tests.services.conftest import Office
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
from tests.services.test_delivery import claim, file_a_request, pack


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
    telling.put_legs(office.c, check, legs, office.now)
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
