"""Letters whose status is known: what support wrote in them reaches the person, or stands behind "show all"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.dialog.tickets import notice_screen
from imbot.domain.letters import InboundMail
from imbot.domain.notices import Notice
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status
from imbot.services.env import Env
from imbot.store import ledger, outbox
from imbot.templates import Templates
from tests.services.conftest import Office
from tests.services.enclosed import receive, said
from tests.services.inbound import REGISTERED, a_mail, a_ticket, notices, now_of

PROFILES = Path(__file__).resolve().parents[2] / "templates" / "mail"
STICKER = "Какой номер на наклейке монитора?"
HOUSE = "Такие работы делает хозяйственный отдел, тел. 77-88. Обратитесь туда до пятницы."


def answer(office: Office, subject: str, text: str, thread: tuple[str, ...] = ()) -> InboundMail:
    office.later(minutes=5)
    return a_mail(subject, text, date=office.now, in_reply_to=thread)


def registered(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))


@pytest.mark.parametrize(
    ("subject", "text", "notice", "field", "words"),
    [
        ("По заявке IM-CL-1042 требуется уточнение", STICKER, "question", "question", STICKER),
        (
            "По заявке IM-CL-1042 требуется уточнение",
            "Здравствуйте, Анна!\n\nПо заявке IM-CL-1042 требуется уточнение.\nКакой номер\nна наклейке монитора?\n\n"
            "С уважением,\nслужба поддержки",
            "question",
            "question",
            "Какой номер\nна наклейке монитора?",
        ),
        ("Заявка IM-CL-1042 отклонена", HOUSE, "rejected", "reason", HOUSE),
        ("Заявка IM-CL-1042 отозвана", "По звонку Анны, мышь нашлась.", "withdrawn", "comment", None),
        (
            "Заявка IM-CL-1042 выполнена",
            "Заявка IM-CL-1042 выполнена.\nБарабан скоро надо менять: заявите сами до пятницы.\n\nЭто письмо "
            "сформировано автоматически, отвечать на него не нужно.",
            "resolved",
            "solution",
            "Барабан скоро надо менять: заявите сами до пятницы.",
        ),
        ("Заявка IM-CL-1042 выполнена", "Комментарий: Барабан заменён.", "resolved", "solution", "Барабан заменён."),
    ],
)
def test_the_letters_own_words_stand_in_where_the_profile_lifts_none(
    company: Office, subject: str, text: str, notice: str, field: str, words: str | None
) -> None:
    registered(company)
    assert receive(company, answer(company, subject, text)) == "applied"
    assert notices(company)[-1] == f"notice_{notice}"
    assert said(company)[field] == (words or text)
    assert said(company)["more"] == 0


def test_a_reason_for_taking_work_up_again_is_told(company: Office) -> None:
    registered(company)
    receive(company, answer(company, "Заявка IM-CL-1042 выполнена", ""))
    receive(company, answer(company, "Заявка IM-CL-1042 возвращена в работу", "Привезли не тот картридж, ждём другой."))
    assert notices(company)[-2:] == ["notice_resolved", "notice_reopened"]
    assert said(company)["comment"] == "Привезли не тот картридж, ждём другой."


def test_standing_words_alone_are_no_solution_and_a_solution_is_told_without_them(company: Office) -> None:
    registered(company)
    standing = "Если проблема не решена,\nответьте на это письмо в течение 3 дней."
    text = f"Здравствуйте!\n\nВаша заявка № IM-CL-1042 выполнена.\n\n{standing}"
    receive(company, answer(company, "Заявка IM-CL-1042 выполнена", text))
    assert said(company)["solution"] == ""
    assert said(company)["more"]
    receive(company, answer(company, "Заявка IM-CL-1042 в работе", ""))
    text = f"Решение: Права выданы, перезайдите в программу.\n\n{standing}\n\nНомер заявки | IM-CL-1042\nУслуга | Права"
    receive(company, answer(company, "Заявка IM-CL-1042 выполнена", text))
    assert said(company)["solution"] == "Права выданы, перезайдите в программу."
    assert said(company)["more"]


def test_a_status_said_once_more_tells_its_words_once(company: Office) -> None:
    registered(company)
    for text, count in (("Заменили барабан.", 1), ("Заменили барабан.", 1), ("Заменили и лоток.", 2)):
        receive(company, answer(company, "Заявка IM-CL-1042 выполнена", text))
        assert len(notices(company)) == count + 1
    assert said(company)["comment"] == "Заменили и лоток."


@pytest.mark.parametrize(
    "text",
    [
        "Здравствуйте!\nВаша заявка № IM-CL-1042 получена и рассмотрена.\nОбещанное время решения: 23.11.2026 18:00:00\n"
        "Описание заявки:\nПринтер мигает красным\nМетку imb:T1AAAAAAAA, пожалуйста, не удаляйте.\n\nС уважением,\nслужба",
        "Номер: IM-CL-1042\nСтатус: Зарегистрирована",
    ],
)
def test_a_confirmation_in_standing_words_bears_no_button(company: Office, text: str) -> None:
    ticket = a_ticket(company, token="imb:T1AAAAAAAA")
    receive(company, a_mail(REGISTERED, text, in_reply_to=(ticket.message_id,)))
    assert notices(company) == ["notice_registered"]
    assert said(company)["more"] == 0


def test_a_confirmation_that_says_more_bears_the_button(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail(REGISTERED, f"{ticket.token}\nДо нашего прихода принтер не включайте."))
    assert said(company)["more"]


def test_words_of_work_that_goes_on_disturb_nobody_and_stay_with_the_ticket(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail(REGISTERED, ticket.token))
    before = notices(company)
    receive(company, answer(company, "Заявка IM-CL-1042 принята в работу", "Заявка принята в работу.\nПридём в среду."))
    receive(company, answer(company, "Заявка IM-CL-1042 выполнена", "Сделали."))
    receive(company, answer(company, "Заявка IM-CL-1042 закрыта", "Заявка закрыта.\nБумагу храните в сухом месте."))
    assert notices(company) == [*before, "notice_resolved"]
    told = [row.values["text"] for row in ledger.ledger(company.c, ticket.id) if row.what == "comment"]
    assert told == ["Придём в среду.", "Бумагу храните в сухом месте."]
    assert (now_of(company, ticket).status, now_of(company, ticket).solution) == (Status.CLOSED, "Сделали.")


@pytest.mark.parametrize(
    ("text", "shown", "more"),
    [
        ("Это письмо распечатайте и отнесите в 210-й кабинет.", "распечатайте", False),
        ("Принтер чист.\nМетка на корпусе стёрта, наклейте новую.", "наклейте новую", False),
        ("Принтер чист.\n\nС уважением,\nПётр", "Принтер чист", False),
        ("Принтер чист.\n\nС уважением, Пётр\n\nP.S. До 15:00 принтер не включайте.", "Принтер чист", True),
        ("Принтер чист.\n\nС уважением, Пётр\nтел. 77-88", "Принтер чист", True),
        ("Принтер чист.\n\n-----Исходное сообщение-----\nОт: Том\n\nКартридж заказан, привезут.", "чист", True),
        ("Принтер чист.\n\nЭто письмо сформировано автоматически.", "Принтер чист", False),
    ],
)
def test_what_a_lifted_comment_leaves_out_can_be_seen(company: Office, text: str, shown: str, more: bool) -> None:
    registered(company)
    letter = answer(company, "Сообщение по заявке № IM-CL-1042", f"Комментарий: Добрый день!\n{text}")
    assert receive(company, letter) == "comment"
    assert said(company)["comment"].startswith("Добрый день!")
    assert shown in said(company)["comment"]
    assert bool(said(company)["more"]) is more


def test_the_card_of_the_ticket_is_no_comment(company: Office) -> None:
    registered(company)
    card = "Номер обращения | IM-CL-1042\nУслуга | Печать"
    receive(company, answer(company, "О заявке IM-CL-1042", f"Зайдём после обеда.\n\n{card}"))
    assert (said(company)["comment"], said(company)["more"]) == ("Зайдём после обеда.", 0)
    table = "Порт | 8080\nАдрес | 10.0.0.1"
    receive(company, answer(company, "О заявке IM-CL-1042", f"Пропишите это.\n\n{table}"))
    assert said(company)["comment"] == f"Пропишите это.\n\n{table}"


def of_generic_ru(env: Env) -> Env:
    (name, backend) = next(iter(env.backends.items()))
    profile = replace(load_profile(PROFILES / "generic-ru"), senders=backend.profile.senders)
    return replace(env, backends={name: replace(backend, profile=profile)})


def test_the_desks_words_below_a_solution_of_a_russian_desk_are_not_told_as_its_own(company: Office) -> None:
    company.env = of_generic_ru(company.env)
    ticket = a_ticket(company, number="4521", status=Status.REGISTERED)
    text = (
        "Результат: Права выданы, перезайдите в программу.\nЕсли проблема не решена, ответьте на это письмо в течение "
        "3 дней.\nНомер обращения | 4521\nУслуга | Права"
    )
    receive(company, answer(company, "Обращение № 4521 решено", text, (ticket.message_id,)))
    assert said(company)["solution"] == "Права выданы, перезайдите в программу."
    assert said(company)["more"]


def test_a_name_with_initials_is_a_field_and_no_words_of_support(office: Office) -> None:
    registered(office)
    card = "Заявка принята в работу.\nИсполнитель: Кузнецов Т. А."
    taken, done = "Заявка № IM-CL-1042 принята в работу", "Заявка № IM-CL-1042 выполнена"
    for subject, text in ((taken, card), (done, "Решение: Готово."), (taken, card)):
        receive(office, answer(office, subject, text))
    assert notices(office)[-1] == "notice_reopened"
    screen = [
        one.parcel.payload["screen"] for one in outbox.open_parcels(office.c, 1000) if one.parcel.kind is Kind.NOTICE
    ]
    shown = render(screen_from_json(screen[-1]), "ru", Templates([packed("templates")], office.env.zone)).text
    assert "Кузнецов" not in shown
    assert [row for row in ledger.ledger(office.c, "t1") if row.what == "comment"] == []


def test_the_dot_of_initials_is_theirs() -> None:
    words = Templates([packed("templates")], ZoneInfo("Europe/Moscow"))
    for lang, told in (("ru", "«Зайдёт Кузнецов Т. А.»\n"), ("en", "“Зайдёт Кузнецов Т. А.”\n")):
        values = {"title": "Принтер", "number": "IM-CL-1", "comment": "Зайдёт Кузнецов Т. А.", "files": []}
        shown = render(notice_screen(Notice("comment", "t1", values)), lang, words).text + "\n"
        assert told in shown.replace("» \n", "»\n")
