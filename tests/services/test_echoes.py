"""A number that somebody wrote to us is on its way back no gift of the helpdesk's: it makes nobody the owner of another's
request, and binds no letter about theirs to it."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest

from imbot.backends.base import LetterKind, TicketView
from imbot.backends.composing import compose
from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status, Ticket
from imbot.mime import bytes_to_mail
from imbot.services import binding, reports
from imbot.store import letters, tickets
from imbot.store.letters import LetterRow
from imbot.templates import Templates
from tests.services.conftest import EVE, EVE_ENTRY, NOW, Office
from tests.services.inbound import a_mail, a_ticket, now_of, receive


def speaks(office: Office, name: str) -> None:
    """The office's helpdesk writes as the shipped profile `name` says."""
    backend = office.env.backends["inframanager"]
    profile = replace(load_profile(packed("templates") / "mail" / name), senders=("itsm@demo.local",))
    office.env = replace(office.env, backends={"inframanager": replace(backend, profile=profile)})


def of_eve(office: Office, text: str) -> Ticket:
    eve = office.link(EVE, EVE_ENTRY)
    ticket = a_ticket(office, "t9", person_id=eve.id, chat_key=EVE.key, title="Просьба", token="imb:EEEEEEEEEE")
    backend = office.env.backends["inframanager"]
    view = TicketView(ticket.id, ticket.token, "Просьба", NOW, description=text)
    sending = backend.sending(ticket.message_id, NOW)
    ours = compose(backend.profile, Templates([packed("templates")], office.env.zone), LetterKind.TICKET, view, sending)
    assert letters.rewrite_letter(office.c, ticket.message_id, {"subject": ours.subject, "text": ours.text})
    return ticket


def a_page(subject: str, text: str) -> InboundMail:
    html = "".join(f"<p>{line}</p>" for line in text.split("\n\n"))
    mail = bytes_to_mail(f"From: itsm@demo.local\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}".encode())
    believed = a_mail(subject)
    return replace(mail, subject=subject, headers=believed.headers, date=NOW, message_id=believed.message_id)


# Another's number in the text of a letter about Eve's request

ANNAS = [
    ("zammad", "Ticket#10042", "как в Ticket# 10042 у Анны"),
    ("znuny", "Ticket#2024010142000013", "как в Ticket#: 2024010142000013"),
    ("servicedesk-plus", "RE-1042", "см.\nRequest ID: 1042\n"),
    ("freshdesk", "#1042", "см. https://x.freshdesk.com/support/tickets/1042 у Анны"),
    ("generic-ru", "ИТ-1042", "то же, что в № ит-1042 у Анны"),
    ("generic-ru", "ИТ-1042", "то же, что в № ИТ-104299999 у Анны"),
    ("generic-ru", "1042", "то же, что в № 10<!-- > -->42 у Анны"),
    ("generic-en", "IT-1042", "same as ticket it-1042 please"),
    ("jira-sm", "HD-1042", "see https://x.example/browse/HD-1042 please"),
    ("inframanager", "IM-CL-1042", "как im-cl-1042 у Анны"),
    ("simpleone", "INC0001042", "как INC0001042 у Анны"),
]


@pytest.mark.parametrize(("profile", "number", "words"), ANNAS)
@pytest.mark.parametrize("cut", [False, True])
def test_a_number_that_somebody_wrote_binds_no_letter_however_they_wrote_it(
    office: Office, profile: str, number: str, words: str, cut: bool
) -> None:
    speaks(office, profile)
    annas = a_ticket(office)
    assert tickets.add_number(office.c, "inframanager", number, annas.id, NOW)
    of_eve(office, words)
    echo = words.split("99999")[0] if cut else words.replace("<!-- > -->", "")
    mail = a_mail("О вашей просьбе", f"Пароль Евы: 12345\n{echo}")
    looked = reports.look(mail, office.env)
    assert looked.words is not None
    found = binding.bind(office.c, mail, office.env.backends["inframanager"], looked.words)
    assert found.ticket is None
    assert receive(office, mail) == "quarantined"
    assert now_of(office, annas) == annas


def test_a_number_that_nobody_wrote_binds_from_the_text(office: Office) -> None:
    """Figures of it that are no number of this helpdesk do no harm: a telephone, a room, a date."""
    speaks(office, "generic-ru")
    annas = a_ticket(office)
    assert tickets.add_number(office.c, "inframanager", "1042", annas.id, NOW)
    of_eve(office, "Мой телефон 1042, комната 1042, с 10.42")
    assert receive(office, a_mail("О вашей заявке", "Заявка № 1042 выполнена")) == "applied"
    assert now_of(office, annas).status is Status.RESOLVED


def test_figures_that_stand_in_too_many_letters_bind_nothing_from_the_text(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaks(office, "generic-ru")
    annas = a_ticket(office)
    assert tickets.add_number(office.c, "inframanager", "1042", annas.id, NOW)
    of_eve(office, "Мой телефон 1042")
    monkeypatch.setattr(binding, "_MOST_READ", 1)
    assert receive(office, a_mail("О вашей заявке", "Заявка № 1042 выполнена")) == "quarantined"
    monkeypatch.setattr(binding, "_MOST_READ", 2)
    assert receive(office, a_mail("О вашей заявке", "Заявка № 1042 выполнена")) == "applied"


# A number that will be somebody's

TAKEN = {
    "blanks": ("как в №     3000 срочно", "как в №     3000 срочно"),
    "a line": ("как в №\n3000 срочно", "как в №\n3000 срочно"),
    "tabs": ("как в №\t\t\t3000 срочно", "как в №\t\t\t3000 срочно"),
    "cut off": ("Прошу сделать как в № 30001234567", "Прошу сделать как в № 3000"),
    "cut with dots": ("Прошу сделать как в № 30001234567", "Прошу сделать как в № 3000…"),
    "figures alone": ("3000", "№ 3000"),
    "changed on the way": ("Прошу сделать как в № 30_00_ сегодня", "Прошу сделать как в № 3000 сегодня"),
    "changed, in front": ("№ 30_00_ сделайте так же сегодня", "№ 3000 сделайте так же сегодня"),
}
HIDDEN = [
    "30<!-- > -->00",
    "30<style>x</style>00",
    "30<span hidden>y</span>00",
    "30<i title='>'></i>00",
    "30<template>z</template>00",
    "30&amp;#48;0",
    "30\u034f00",
    "３000",
]


def nothing_taken(office: Office, eves: Ticket, registration: InboundMail) -> None:
    """Eve's registration gives her no number of Anna's, whose letters reach Anna."""
    assert receive(office, registration) == "applied"
    assert "3000" not in tickets.numbers_of(office.c, eves.id)
    assert now_of(office, eves).number != "3000"
    annas = a_ticket(office)
    assert receive(office, a_mail("Заявка № 3000 зарегистрирована", annas.token)) == "applied"
    assert receive(office, a_mail("Заявка № 3000 выполнена", "Решение: пароль Анны 12345")) == "applied"
    assert (now_of(office, annas).status, now_of(office, eves).status) == (Status.RESOLVED, Status.REGISTERED)


@pytest.mark.parametrize("case", TAKEN)
@pytest.mark.parametrize("named", ["", "\n\nНомер 2999"])
def test_a_number_that_an_employee_wrote_does_not_become_theirs(office: Office, case: str, named: str) -> None:
    speaks(office, "generic-ru")
    written, echo = TAKEN[case]
    eves = of_eve(office, written)
    text = f"{eves.token}\n\nОписание: {escape(echo)}{named}"
    nothing_taken(office, eves, a_page("Ваша заявка зарегистрирована", text))


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("shown", [str, escape])
def test_a_number_that_only_a_page_shows_does_not_become_theirs(office: Office, hidden: str, shown: object) -> None:
    assert callable(shown)
    speaks(office, "generic-ru")
    written = f"Прошу, как в № {hidden} срочно"
    eves = of_eve(office, written)
    nothing_taken(
        office,
        eves,
        a_page("Ваша заявка зарегистрирована", f"{eves.token}\n\nОписание: {shown(written)}\n\nНомер 2999"),
    )


def test_of_several_numbers_in_a_text_none_is_this_tickets(office: Office) -> None:
    speaks(office, "generic-ru")
    eves = of_eve(office, "Прошу")
    text = f"Заявка № 2999 зарегистрирована, она связана с № 3000\n{eves.token}"
    assert receive(office, a_mail("Новости", text)) == "applied"
    assert tickets.numbers_of(office.c, eves.id) == []
    assert now_of(office, eves).number == ""


@pytest.mark.parametrize("text", ["Заявка № 2999 зарегистрирована", "Ваша просьба принята.\nНомер 2999\nСпасибо"])
@pytest.mark.parametrize("written", ["Прошу, как в № 3000", "Прошу доступ в комнату 29, телефон 12-34"])
def test_the_only_number_that_is_not_ours_becomes_the_tickets(office: Office, text: str, written: str) -> None:
    speaks(office, "generic-ru")
    eves = of_eve(office, written)
    echo = f"Заявка зарегистрирована\n{text}\nОписание: {written}\n{eves.token}"
    assert receive(office, a_mail("Ваша заявка зарегистрирована", echo)) == "applied"
    assert tickets.numbers_of(office.c, eves.id) == ["2999"]


def test_the_number_in_a_subject_counts_though_an_employee_guessed_it(office: Office) -> None:
    speaks(office, "generic-ru")
    eves = of_eve(office, "Прошу, как в № 3000")
    assert receive(office, a_mail("Заявка № 3000 зарегистрирована", eves.token)) == "applied"
    assert tickets.numbers_of(office.c, eves.id) == ["3000"]


def test_where_our_letters_are_too_many_a_text_gives_no_number(office: Office) -> None:
    speaks(office, "generic-ru")
    eves = of_eve(office, "Прошу")
    for n in range(60):
        words = {"subject": "Дополнение", "text": f"слово{n} " * 500}
        letters.save_letter(office.c, LetterRow(f"<more{n}@demo.local>", eves.id, "addition", words, NOW))
    assert receive(office, a_mail("Ваша заявка зарегистрирована", f"Заявка № 2999\n{eves.token}")) == "applied"
    assert tickets.numbers_of(office.c, eves.id) == []
