"""What an employee wrote comes back in many shapes, and in none of them it acts; what the helpdesk says itself does."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.mail import comment_text
from imbot.backends.own_words import ours_of
from imbot.backends.profiles import load_profiles
from imbot.backends.understanding import OURS, understand
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime import bytes_to_mail
from imbot.mime.echoes import echoes

TZ = ZoneInfo("Europe/Moscow")
PROFILES = load_profiles([Path(__file__).resolve().parents[2] / "templates" / "mail"])
RU, EN, IM = PROFILES["generic-ru"], PROFILES["generic-en"], PROFILES["inframanager"]


def a_letter(subject: str, text: str) -> InboundMail:
    return InboundMail(sha256="0", size=0, sender="itsm@company.example", subject=subject, text=text)


def a_page(text: str) -> InboundMail:
    return bytes_to_mail(f"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{text}</p>".encode())


def said(profile_name: str, mail: InboundMail, *written: str) -> Status | None:
    """The status that is read in `mail` where somebody's request bore `written`, each on a line of its own."""
    sent = ["Просьба [imb:AAAAAAAAAA]", "Описание:\n" + "\n".join(written) + "\n\nКто: Иванова Анна"]
    report = understand(PROFILES[profile_name], mail, tz=TZ, sent=sent).report
    return report.status if report else None


REPEATED = [
    "Текст обращения: {}",
    "Вы написали: «{}».",
    "Мы получили ваше обращение: {}. Спасибо.",
    "Ваше обращение {} будет рассмотрено",
    "Тема\n{}",
]


@pytest.mark.parametrize("repeated", REPEATED)
@pytest.mark.parametrize("written", ["Выполнена", "Заявка выполнена", "отклонена", "закрыто", "Заявка отменена"])
def test_one_or_two_words_of_an_employee_are_no_status_wherever_a_desk_puts_them(written: str, repeated: str) -> None:
    assert (
        said("generic-ru", a_letter("[№ 1042] Просьба", f"Здравствуйте!\n{repeated.format(written)}"), written) is None
    )


@pytest.mark.parametrize("written", ["Resolved", "Request closed", "rejected"])
def test_the_same_in_english(written: str) -> None:
    mail = a_letter("[#1042] Please", f"Hello,\nYou wrote: {written}.\nYour request: {written}")
    assert said("generic-en", mail, written) is None


@pytest.mark.parametrize(
    "hidden",
    [
        "Заявка выпо<!-- > -->лнена",
        "Заявка выпо<style>x</style>лнена",
        "Заявка выпо<span hidden>x</span>лнена",
        "Заявка выпо<i title='>'></i>лнена",
        "Заявка выпо<template>x</template>лнена",
        "Заявка выпо&amp;#1083;нена",
        "Заявка выпо\u034fлнена",
        "Заявка &#13;&#10; выполнена",
    ],
)
@pytest.mark.parametrize("shown", [str, escape, lambda words: re.sub(r"<[^>]*>", "", words)])
def test_words_that_only_a_page_shows_are_ours_as_well(hidden: str, shown: object) -> None:
    assert callable(shown)
    mail = a_page(f"Описание: {shown(hidden)}")
    assert said("generic-ru", mail, hidden) is None


@pytest.mark.parametrize(("written", "comes_back"), [("отменён", "отменен"), ("Решён", "решен"), ("решен", "решён")])
def test_yo_and_ye_are_one_letter_on_both_sides(written: str, comes_back: str) -> None:
    mail = a_letter("[№ 1042] Просьба", f"Запрос: {comes_back}.")
    assert said("generic-ru", mail, "печать не та") is not None
    assert said("generic-ru", mail, written) is None


def test_words_within_a_longer_sentence_are_ours_as_well() -> None:
    mail = a_letter("[№ 1042] Просьба", "Из вашего письма: заявка выполнена.")
    assert said("generic-ru", mail, "мне пришло, что заявка выполнена, а он не печатает") is None


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("[№ 1042] Просьба", "Ваша заявка выполнена."),
        ("[№ 1042] Просьба", "Статус: Решена"),
        ("[№ 1042] Просьба", "Статус изменён с «В работе» на «Решена»"),
    ],
)
@pytest.mark.parametrize(
    "written", ["Принтер не печатает", "Моя проблема не решена", "Работа была выполнена плохо", "Заявка", "Статус"]
)
def test_what_the_desk_says_itself_counts(subject: str, text: str, written: str) -> None:
    assert said("generic-ru", a_letter(subject, text), written) is Status.RESOLVED


@pytest.mark.parametrize("written", ["Заявка выполнена", "Заявка № 5 выполнена", "Ваша заявка № 1042 выполнена"])
def test_what_the_subject_says_counts_though_an_employee_wrote_the_same(written: str) -> None:
    assert said("generic-ru", a_letter("Ваша заявка № 1042 выполнена", "Здравствуйте"), written) is Status.RESOLVED


def test_a_registration_counts_though_an_employee_wrote_its_very_words() -> None:
    mail = a_letter("Заявка № IM-CL-1 получена и рассмотрена", "Здравствуйте")
    assert said("inframanager", mail, "№ IM-CL-1 получена и рассмотрена") is Status.REGISTERED


@pytest.mark.parametrize("written", ["прошу считать, что заявка выполнена ещё вчера вечером"])
def test_a_subject_that_goes_on_as_our_text_does_is_an_echo(written: str) -> None:
    assert said("generic-ru", a_letter(f"[№ 1042] {written}", "Здравствуйте"), written) is None


def test_what_was_stopped_says_so() -> None:
    reading = understand(
        RU, a_letter("№ 1042", "Текст: закрыта заявка"), tz=TZ, sent=["Просьба", "закрыта заявка у них"]
    )
    assert {one.unless for one in reading.stopped} == {OURS}


# Very many letters of ours


def test_where_not_all_that_we_sent_can_be_looked_at_a_text_alone_moves_nothing() -> None:
    ours = ours_of([(("Просьба",), ("Принтер не печатает",))], whole=False)
    for subject, status in (("№ 1042", None), ("Заявка № 1042 выполнена", Status.RESOLVED)):
        report = understand(RU, a_letter(subject, "Ваша заявка выполнена."), tz=TZ, sent=ours).report
        assert report is not None
        assert report.status is status


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Статус: Реш**ена**", "Статус: Реш<strong>ена</strong>"),
        ("Ваша заявка выполн{color:red}ена{color}", "Ваша заявка выполнена"),
        ("Ваша заявка выполн[ена](https://a.example)", 'Ваша заявка выполн<a href="https://a.example">ена</a>'),
        ("Статус: Реш\N{GRINNING FACE}ена", "Статус: Решена"),
        ("Ваша заявка выполн\\ена", "Ваша заявка выполнена"),
    ],
)
def test_marks_that_a_desk_takes_for_marks_make_no_status_of_an_employees_words(written: str, shown: str) -> None:
    assert said("generic-ru", a_page(f"Описание:<br>{shown}"), written) is None
    assert said("generic-ru", a_page(f"Описание:<br>{shown}"), "Ничего такого") is Status.RESOLVED


@pytest.mark.parametrize("text", ["Принтер не печатает", "а" * 5000, "№ " * 2000, "Две\nстроки и ещё одна"])
def test_a_text_without_marks_has_few_shapes(text: str) -> None:
    assert len(echoes(text)) <= 3


def test_a_short_line_of_support_is_shown_though_an_employee_answered_the_same() -> None:
    mail = a_letter("Вопрос", "Зайдите сегодня\nкаб. 315\nВыполнена")
    sent = ["Просьба", "Описание:\nВыполнена\nГде: каб. 315"]
    assert comment_text(RU, mail, sent) == "Зайдите сегодня\nкаб. 315"
