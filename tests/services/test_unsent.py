from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Attached, FileRef, Pressed, Typed
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status, Ticket
from imbot.services import telling, unsent
from imbot.store import facts, letters, outbox, tickets
from imbot.templates import Templates
from tests.services.conftest import ANNA, NOW, Office
from tests.services.inbound import a_mail, a_ticket, receive
from tests.services.test_turns import file_a_request

WORDS = Templates([packed("templates")], ZoneInfo("Europe/Moscow"))


def asked_ticket(office: Office) -> Ticket:
    """One that support asks about; its notice is the message "n1"."""
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    ticket = replace(ticket, status=Status.WAITING, number="IM-CL-1", registered_at=office.now)
    tickets.save(office.c, ticket)
    letters.note_message(office.c, ANNA.key, "n1", ticket.id, office.now)
    return ticket


def packs(office: Office) -> list[tuple[str, str]]:
    open_ones = [one.parcel for one in outbox.open_parcels(office.c, 50)]
    return [(one.payload["letter"], one.payload["text"]) for one in open_ones if one.kind is Kind.PACK]


def reminders(office: Office) -> list[str]:
    rows = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.key.startswith("unsent:")]
    return [render(screen_from_json(row.payload["screen"]), "ru", WORDS).text for row in rows]


def test_a_reply_to_supports_question_goes_to_support_in_the_same_turn(office: Office) -> None:
    ticket = asked_ticket(office)
    office.take(ANNA, Typed("айфон 12", "m9", "n1"))
    assert ("addition", "айфон 12") in packs(office)
    shown = render(screen_from_json(office.screen()), "ru", WORDS).text
    assert shown.startswith("Ответ по заявке IM-CL-1 «")
    assert "принят и уходит в поддержку" in shown
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert after.asked == "answer"
    assert facts.facts_of(office.c, "unsent:") == []


def test_a_reply_to_what_is_closed_is_kept_and_not_sent(office: Office) -> None:
    ticket = asked_ticket(office)
    tickets.save(office.c, replace(ticket, status=Status.CLOSED))
    office.take(ANNA, Typed("айфон 12", "m9", "n1"))
    assert office.screen()["name"] == "cannot_add"
    assert [letter for letter, _ in packs(office)] == ["ticket"]


def test_what_is_closed_while_they_write_says_so_whatever_is_tapped_again(office: Office) -> None:
    ticket = asked_ticket(office)
    office.take(ANNA, Pressed(f"add:{ticket.id}", "n1"))
    office.take(ANNA, Typed("айфон 12", "m9"))
    tickets.save(office.c, replace(ticket, status=Status.CLOSED))
    office.show()
    send = office.screen()["rows"][0][0]["value"]
    for _ in range(2):
        office.take(ANNA, Pressed(send, "m1"))
        shown = render(screen_from_json(office.screen()), "ru", WORDS).text
        assert "дополнить её нельзя" in shown
        assert "сохранено" in shown
    assert [letter for letter, _ in packs(office)] == ["ticket"]


def test_what_was_written_and_not_sent_is_reminded_of_once(office: Office) -> None:
    ticket = asked_ticket(office)
    office.take(ANNA, Pressed(f"add:{ticket.id}", "n1"))
    office.later(minutes=20)
    assert unsent.remind(office.c, office.now, office.env) == 0  # nothing is written yet
    office.say("айфон 12")
    office.later(minutes=10)
    office.say("чёрный")
    office.later(minutes=10)
    assert unsent.due(office.c, office.now) == []
    office.later(minutes=10)
    assert unsent.remind(office.c, office.now, office.env) == 1
    (told,) = reminders(office)
    assert told.startswith("По заявке IM-CL-1 «")
    assert "ваш ответ ещё не отправлен: «айфон 12 чёрный»" in told
    office.say("128 Гб")
    office.later(hours=1)
    assert unsent.remind(office.c, office.now, office.env) == 0
    office.take(ANNA, Pressed(f"add:{ticket.id}", "n2"))
    assert office.screen()["values"]["text"] == "айфон 12\nчёрный\n128 Гб"
    assert "Ещё не отправлено" in render(screen_from_json(office.screen()), "ru", WORDS).text


@pytest.mark.parametrize("end", ["send", "cancel"])
def test_nobody_is_reminded_of_what_was_sent_or_dropped(office: Office, end: str) -> None:
    ticket = asked_ticket(office)
    photo = FileRef("v1", "u1", "", 1000, kind="photo")
    office.take(ANNA, Attached(photo, "", "m9", reply_to="n1"))
    assert office.screen()["name"] == "adding"
    assert facts.facts_of(office.c, "unsent:")
    office.press(end)
    office.later(hours=1)
    assert unsent.due(office.c, office.now) == []
    assert telling.receipt(office.c, ticket.id, office.env) is not None


def test_who_has_answered_waits_for_support_until_it_asks_on(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042", registered_at=NOW)
    office.command("menu")
    ask = "По заявке № IM-CL-1042 требуется уточнение"
    assert receive(office, a_mail(ask, f"Вопрос: Какой у вас телефон?\n{ticket.token}")) == "applied"
    letters.note_message(office.c, ANNA.key, "n1", ticket.id, office.now)

    def listed() -> str:
        office.command("mytickets")
        return render(screen_from_json(office.screen()), "ru", WORDS).text

    assert "Ждёт вашего ответа" in listed()
    office.take(ANNA, Typed("айфон 12", "m9", "n1"))
    assert "Ждёт поддержку (вы ответили)" in listed()
    said = "Сообщение по заявке № IM-CL-1042"
    assert receive(office, a_mail(said, f"Спасибо, записали, ищем деталь.\n{ticket.token}")) == "comment"
    assert "Ждёт поддержку (вы ответили)" in listed()
    office.take(ANNA, Pressed(f"t:{ticket.id}", "n1"))
    assert "IM-CL-1042, ждёт поддержку (вы ответили)." in render(screen_from_json(office.screen()), "ru", WORDS).text
    assert receive(office, a_mail(said, f"А какой у него цвет?\n{ticket.token}")) == "comment"
    assert "Ждёт вашего ответа" in listed()
