"""The registration watchdog on a real data base: who is told what, once, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Pressed
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Handover
from imbot.services import delivery, signin, telling, watchdog
from imbot.services.env import Fresh
from imbot.store import inbox, ledger, outbox, watches
from tests.services.conftest import ANNA, Office
from tests.services.delivering import claim, file_a_request, now_is, pack
from tests.services.silence import (
    ACCEPTED,
    TOM,
    TOM_ENTRY,
    ZOE,
    ZOE_ENTRY,
    accepted,
    deliver,
    history,
    look,
    notices,
    parcels,
    press,
    read_mailbox,
    register,
    words,
)


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
        "Сотрудника предупреждаем",
    ):
        assert fact in text, text
    assert [b.label for row in screen.rows for b in row] == ["send_again", "leave", "let_go"]
    assert all(len(b.value.encode()) <= 64 for row in screen.rows for b in row)


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


def test_the_commands_of_a_letter_name_the_config_that_the_service_runs_with(office: Office) -> None:
    ticket = accepted(office)
    asked = watches.Question(1)
    env = replace(office.env, config_option=" --config /etc/imbot/config.toml")
    said = words(watchdog.letter_screen(office.c, ticket, asked, env))
    assert f"imbot ticket resend {ticket.id} --config /etc/imbot/config.toml\n" in said


def test_so_do_those_of_an_alert(office: Office) -> None:
    env = replace(office.env, config_option=" --config /etc/imbot/config.toml", admins=(ZOE_ENTRY.address,))
    telling.alert(office.c, "quarantine", "one", {"mail": 7, "why": "unbound", "reason": "", "sender": ""}, office.now)
    telling.tell_admins(office.c, office.now, env)
    (note,) = parcels(office, Kind.NOTE)
    said = words(screen_from_json(note.payload["screen"]))
    assert said.endswith("Подробности: imbot mail quarantine show 7 --config /etc/imbot/config.toml")


def test_who_was_asked_by_letter_and_signs_in_is_asked_in_the_chat_once(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    look(office, hours=1)
    assert not parcels(office, Kind.QUESTION)
    for entry, chat, questions in ((ZOE_ENTRY, ZOE, 0), (TOM_ENTRY, TOM, 1), (TOM_ENTRY, TOM, 1)):
        token = signin.invite(office.c, entry, office.now, office.env)
        signin.redeem(office.c, chat, token, office.now, office.env, Fresh.mint("demo.local"))
        assert len(parcels(office, Kind.QUESTION)) == questions
    screen = deliver(office, TOM, "q1")
    assert screen is not None
    assert len(screen.rows[0]) == 2  # send again, leave


def test_an_admin_who_shut_the_chat_is_asked_by_letter(office: Office) -> None:
    ticket = accepted(office)
    look(office, hours=1)
    (parcel,) = [p for p in outbox.claim(office.c, office.now, 50, only="telegram") if p.kind is Kind.QUESTION]
    blocked = DeliveryError("bot was blocked", permanent=True, kind="blocked")
    delivery.failed(office.c, parcel, blocked, office.now, office.env)
    (letter,) = parcels(office, Kind.NOTE)
    assert f"imbot ticket leave {ticket.id}" in words(screen_from_json(letter.payload["screen"]))


def test_requests_that_were_accepted_before_anybody_watched_are_watched_once(office: Office) -> None:
    ticket = accepted(office)
    watches.unwatch(office.c, ticket.id)
    office.later(minutes=30)
    assert watchdog.adopt(office.c, office.now, office.env) == 1
    assert look(office, minutes=29) == 0, "its hour began when the mail server took it"
    assert look(office, minutes=1) == 1
    assert watchdog.adopt(office.c, office.now, office.env) == 0
