"""Learning from letters with a head, a foot and a person's words in between: what all of them bear says no status."""

from __future__ import annotations

import pytest

from imbot.backends.learning import learn
from imbot.backends.learning_numbers import Sample
from imbot.backends.understanding import read
from tests.backends.test_learning import UTC, a_letter, a_sample


def test_what_a_desk_repeats_below_a_line_of_dashes_says_nothing() -> None:
    """The letter's foot is the same in each: the request as it was filed, with whatever words."""
    rule = "-" * 40
    samples = [
        a_sample("a", "registered", "HD-77", "HD-77", f"Новое обращение.\n\n{rule}\nСостояние: нет"),
        a_sample("b", "resolved", "HD-78", "HD-78", f"Обращение выполнено.\n\n{rule}\nСостояние: нет"),
    ]
    lesson = learn(samples, {}, "mine")
    report = read(lesson.profile, a_letter("HD-7", f"Новости.\n\n{rule}\nОбращение выполнено."), tz=UTC)
    assert report is not None
    assert report.status is None


FOOT = "\n\nС уважением,\nслужба поддержки\nЭто письмо создано автоматически."


def four(text: str = "Вопрос: какой цвет?") -> list[Sample]:
    """A desk whose every letter says at its foot how it was made."""
    return [
        a_sample("a", "registered", "71", "Обращение 71: учтено", "Ваше обращение учтено." + FOOT),
        a_sample("b", "in_progress", "71", "Обращение 71: взято в работу", "Ваше обращение взято в работу." + FOOT),
        a_sample("c", "waiting", "71", "Обращение 71: нужен ответ", f"Нужен ваш ответ.\n{text}{FOOT}"),
        a_sample("d", "resolved", "71", "Обращение 71: исполнено", "Решение: выдан другой." + FOOT),
    ]


def test_the_foot_of_every_letter_says_no_status() -> None:
    lesson = learn(four(), {}, "mine")
    assert "создан" not in lesson.source
    assert any("учтено" in note for note in lesson.notes if note.startswith("registered"))
    report = read(lesson.profile, a_letter("Обращение 72: новости", "Мастер заболел." + FOOT), tz=UTC)
    assert report is not None
    assert report.status is None


def test_words_shared_by_all_statuses_say_none_behind_a_head_of_one_either() -> None:
    foot = "\nЗаявка создана в системе учёта."
    lesson = learn(
        [
            a_sample("a", "registered", "71", "Обращение № 71 учтено", "Спасибо." + foot),
            a_sample("b", "resolved", "71", "Обращение № 71 исполнено", "Спасибо!" + foot),
        ],
        {},
        "mine",
    )
    assert "создан" not in lesson.source


def test_a_phrase_is_not_cut_at_a_preposition() -> None:
    lesson = learn(four(), {}, "mine")
    (said,) = [note for note in lesson.notes if note.startswith("in_progress")]
    assert "взято в работу" in said
    report = read(lesson.profile, a_letter("Обращение 72: взято в архив", "Обращение взято в архив."), tz=UTC)
    assert report is None or report.status is None


def test_a_question_of_two_lines_is_lifted_as_a_whole() -> None:
    lesson = learn(four("Вопрос: какой цвет?\nИ какой номер?"), {}, "mine")
    coming = a_letter("Обращение 72: нужен ответ", "Нужен ваш ответ.\nВопрос: какой этаж?\nИ какая дверь?" + FOOT)
    report = read(lesson.profile, coming, tz=UTC)
    assert report is not None
    assert report.fields["question"] == "какой этаж?\nИ какая дверь?"


@pytest.mark.parametrize("behind", ["Оцените работу: https://helpdesk.example/rate/88", "Канал: почта"])
def test_the_desks_own_line_ends_a_value_and_what_is_shown_is_what_is_read(behind: str) -> None:
    done = f"Что сделано: Переустановили клиент.\nПроверили вход.\n{behind}"
    samples = [
        a_sample("a", "registered", "HD-77", "Обращение HD-77 зарегистрировано", "Канал: чат"),
        a_sample("b", "resolved", "HD-78", "Обращение HD-78 выполнено", done),
    ]
    lesson = learn(samples, {}, "mine")
    report = read(lesson.profile, samples[1].mail, tz=UTC)
    assert report is not None
    assert report.fields["solution"] == "Переустановили клиент.\nПроверили вход."
    (note,) = [note for note in lesson.notes if note.startswith("solution")]
    assert note.endswith("for example 'Переустановили клиент. Проверили вход.'")
