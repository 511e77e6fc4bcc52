"""What the receipt says as the truth changes, of each file, and of what could not be handed over."""

from __future__ import annotations

from typing import Any

import pytest

from imbot.dialog.render import render
from imbot.dialog.tickets import details_screen, notice_screen, receipt_screen
from imbot.domain.notices import failure_notice
from imbot.domain.tickets import Ticket
from tests.dialog.test_screens import FILE, PHOTO, TEMPLATES, check
from tests.dialog.world import START, World


def receipt(files: list[dict[str, Any]], lang: str = "ru", **values: Any) -> list[str]:
    """What the receipt says of files."""
    shown = {"title": "Принтер", "files": files, "max_bytes": 20 * 1024 * 1024, "max_files": 30, **values}
    return check(receipt_screen(shown), lang).split("\n")[2:]


def test_the_receipt_changes_with_the_truth() -> None:
    values: dict[str, Any] = {"ticket": "x", "title": "Принтер: мигает", "now": "2026-11-23T07:00:00+00:00"}
    said = [
        render(receipt_screen(values | more), "ru", TEMPLATES).text.partition("\n")[2]
        for more in (
            {"handover": "queued"},
            {"handover": "accepted", "accepted_at": "2026-11-23T06:14:00+00:00"},
            {
                "handover": "accepted",
                "status": "registered",
                "number": "IM-CL-1042",
                "promised_at": "2026-11-23T15:00:00+00:00",
            },
        )
    ]
    assert said == [
        "Заявка сохранена и уже отправляется в поддержку.",
        "Заявка отправлена в 09:14. Поддержка её ещё не подтвердила; номер придёт сюда.",
        "Заявка IM-CL-1042 принята. Поддержка обещает к 18:00.",
    ]
    failed = receipt_screen(values | {"handover": "failed"})
    assert [b.value for row in failed.rows for b in row] == ["rs:x"]


def test_the_receipt_names_each_file_and_its_fate() -> None:
    files = [
        PHOTO | {"fate": "attached"},
        PHOTO | {"fate": "wanted"},
        PHOTO | {"fate": "wanted"},
        *[PHOTO | {"fate": "follows"}] * 2,
        FILE | {"fate": "attached", "reason": "", "name": "счёт.pdf"},
        FILE | {"fate": "stored", "reason": "", "name": "смета.pdf"},
        FILE | {"fate": "wanted", "reason": "", "name": "акт.pdf"},
        FILE | {"fate": "follows", "reason": "", "name": "план.pdf"},
        FILE,
        FILE | {"name": "setup.exe", "reason": "type"},
        FILE | {"name": "", "reason": "unavailable", "fate": "failed"},
        FILE | {"name": "ещё.pdf", "reason": "quota"},
    ]
    assert receipt(files, handover="accepted") == [
        "Фото приложено.",
        "Ещё загружаются 2 фото.",
        "2 фото уйдут следующим письмом, когда поддержка даст номер.",
        "счёт.pdf: приложено.",
        "смета.pdf: прикладываем.",
        "акт.pdf: ещё загружается.",
        "план.pdf: уйдёт следующим письмом, когда поддержка даст номер.",
        "видео.mp4: не вошло, 38 МБ, можно до 20 МБ.",
        "setup.exe: не вошло, файлы этого типа поддержка не принимает.",
        "Видео: не вошло, не удалось получить.",
        "ещё.pdf: не вошло, на сегодня предел по файлам исчерпан.",
    ]


def test_no_file_is_called_attached_before_its_letter_was_taken() -> None:
    files = [PHOTO, PHOTO | {"fate": "wanted"}, FILE | {"fate": "stored", "reason": "", "name": "счёт.pdf"}]
    assert receipt(files) == ["Прикладываем 2 фото.", "счёт.pdf: прикладываем."]
    assert receipt(files[:1]) == ["Фото прикладываем."]
    assert receipt([PHOTO | {"fate": "attached"}] * 3, handover="accepted") == ["Приложено 3 фото."]
    assert receipt(files, handover="failed") == []  # text and files are kept: that is said of all of them
    once = receipt([PHOTO | {"fate": "follows"}], handover="accepted", status="registered", number="IM-CL-1")
    assert once == ["Фото уйдёт следующим письмом."]


def test_files_that_were_simply_too_many_are_one_line() -> None:
    many = [PHOTO | {"fate": "refused", "reason": "too_many"}] * 70
    assert receipt(many) == ["Не вошло ещё 70: с одной заявкой принимаем до 30 файлов."]
    assert receipt(many, "en") == ["70 more left out: a request takes up to 30 files."]
    assert receipt(many, max_files=None) == ["Не вошло ещё 70: столько файлов с одной заявкой не принимаем."]


@pytest.mark.parametrize(
    ("letter", "words"),
    [
        (
            "ticket",
            "Не смогли передать заявку IM-CL-1 «Принтер»: почта поддержки её не приняла. Текст и файлы сохранены.",
        ),
        (
            "files",
            "Не смогли передать файлы к заявке IM-CL-1 «Принтер»: почта поддержки их не приняла. Файлы сохранены.",
        ),
        ("addition", "Не смогли передать дополнение к заявке IM-CL-1 «Принтер»: почта поддержки его не приняла."),
        ("complaint", "Не смогли передать ваш отзыв о заявке IM-CL-1 «Принтер»: почта поддержки его не приняла."),
        (
            "not_solved",
            "Не смогли передать просьбу вернуть заявку IM-CL-1 «Принтер» в работу: почта поддержки её не при",
        ),
        ("withdrawal", "Не смогли передать просьбу снять заявку IM-CL-1 «Принтер»: почта поддержки её не приняла."),
    ],
)
def test_what_could_not_be_handed_over_is_named(letter: str, words: str) -> None:
    ticket = Ticket("x", 1, "telegram:1", "Принтер", "itsm", "7KQ2MXPA4T", "<m@x>", START, number="IM-CL-1")
    screen = notice_screen(failure_notice(ticket, "550", letter), "12-00")
    told = check(screen, "ru")
    assert told.startswith(words)
    assert told.endswith(" Сообщаем администратору.\nЕсли срочно: 12-00.")
    assert check(screen, "en").endswith(" We are telling the administrator.\nIf it is urgent: 12-00.")
    assert failure_notice(ticket, "550").values["letter"] == "ticket"


@pytest.mark.parametrize(
    ("state", "knows", "contact", "says", "never"),
    [
        ({"handover": "failed"}, True, "12-00", ["Сообщаем администратору.", "Если срочно: 12-00."], "Позвоните"),
        ({"handover": "failed"}, False, "12-00", ["Позвоните поддержке: 12-00."], "сообщили"),
        ({"handover": "failed"}, False, "", ["свяжитесь с поддержкой сами"], "сообщили"),
        ({"unconfirmed": True}, True, "12-00", ["пока не подтвердила", "Сообщаем администратору."], "Позвоните"),
        ({"unconfirmed": True}, False, "12-00", ["пока не подтвердила", "Позвоните поддержке: 12-00."], "сообщили"),
    ],
)
def test_an_admin_is_said_to_know_only_where_one_does(
    state: dict[str, Any], knows: bool, contact: str, says: list[str], never: str
) -> None:
    values = {"title": "Принтер", "handover": "accepted", "accepted_at": START.isoformat()} | state
    text = check(
        receipt_screen(values | {"admin_knows": knows, "support_contact": contact, "now": START.isoformat()}), "ru"
    )
    assert all(words in text for words in says), text
    assert never not in text


def test_what_is_added_while_support_waits_for_an_answer_is_called_one() -> None:
    world = World()
    for status, asked, label in (("waiting", "", "answer"), ("waiting", "answer", "add"), ("in_progress", "", "add")):
        values = {"id": "x1", "ticket": "x1", "title": "Принтер", "status": status, "asked": asked, "can_add": True}
        for screen in (receipt_screen(values), details_screen(world.session, world.facts(), values)):
            labels = [key.label for each in screen.rows for key in each if key.value == "add:x1"]
            assert labels == [label]
