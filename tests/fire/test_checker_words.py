"""The checks of what words say find what is cut, mixed up or made up, and nothing where all is well."""

from __future__ import annotations

import pytest

from tests.fire.story import (
    CHAT,
    FOLLOW_UP_SUBJECT,
    MORE,
    NAMED,
    NUMBER,
    ONE,
    TITLE,
    Story,
    follow_up_text,
    good_day,
    request_text,
)

FILE = {"name": "photo-1.png", "size": 70, "sha256": "ab12"}
LINES = "Мои заявки\n1. {number} {title}\n{status}, подана сегодня"
PAGE = "{title}\n{number}, {status}.\nВаша оценка: {stars}\n\n09:14: заявка подана"
BACK = [[{"label": "К списку", "value": "my:0"}]]


def with_addition() -> Story:
    story = good_day()
    story.sent(23, text=f"{MORE} стало хуже")
    story.asked(24.1, "addition", MORE, of=ONE, files=[])
    story.accepted(25, follow_up_text(MORE), message_id="<a1@bot>", subject=FOLLOW_UP_SUBJECT, references="<r1@bot>")
    return story


def finds(story: Story) -> list[str]:
    return [one.about for one in story.finds("letters_say_it_all")]


def test_whole_letters_have_no_findings() -> None:
    assert finds(good_day()) == finds(with_addition()) == []


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (f"u{CHAT}@example.test", "не указана"),
        ("Категория: Оборудование / Принтер", "Категория: Консультация"),
        ("Описание:\n", "Описание:\nfire0000077 и ещё одно\n"),
    ],
)
def test_a_request_without_its_writer_or_as_nobody_reviewed_it_is_found(part: str, instead: str) -> None:
    story = good_day()
    story.smtp[0]["text"] = request_text(ONE).replace(part, instead)
    assert finds(story) == [ONE]


def test_the_review_that_counts_is_one_below_which_send_was_pressed() -> None:
    story = good_day()
    story.saw(2.8, 10, f"Проверьте заявку\nКонсультация\n\n{ONE} мигает красным", edit=True)
    assert finds(story) == [ONE]
    story.sent(2.7, "press", value="k:send", on=10)
    assert finds(story) == []


def test_an_addition_with_anothers_number_or_in_no_thread_or_cut_is_found() -> None:
    for field, old, new in (
        ("subject", NUMBER, "IM-CL-9"), ("subject", f"№ {NUMBER}: ", ""), ("references", "<r1@bot>", "<r2@bot>"),
        ("text", "стало хуже", "стало"),
    ):  # fmt: skip
        story = with_addition()
        story.smtp[-1][field] = story.smtp[-1][field].replace(old, new)
        assert finds(story) == [MORE if field == "text" else ONE], (field, new)


def test_a_caption_that_is_lost_and_a_file_twice_are_found() -> None:
    story = good_day()
    story.model[1] |= {"files": [FILE], "caption": "экран ошибки"}
    story.smtp[0]["files"] = [FILE]
    assert finds(story) == [ONE]
    story.smtp[0]["text"] = request_text(ONE, extra="Файлы: фото-1.jpg («экран ошибки»).")
    assert finds(story) == []
    story.smtp[0]["files"] = [FILE, FILE]
    assert finds(story) == [ONE]


@pytest.mark.parametrize("day", ["", " (завтра, 2 января)"])
def test_a_time_that_nobody_promised_is_found(day: str) -> None:
    for clock, found in (("18:00", 0), ("15:00", 1)):
        story = good_day()
        story.saw(12, 14, f"Заявка {NAMED} принята. Поддержка обещает к {clock}{day}.")
        assert len(story.finds("shown_as_it_was_said")) == found, clock


def test_a_list_and_a_page_claim_only_what_is_so() -> None:
    for number, status, stars, t, found in (
        (NUMBER, "Выполнена", 5, 45, 0), ("IM-CL-9", "Выполнена", 5, 45, 2), (NUMBER, "Закрыта", 5, 45, 2),
        (NUMBER, "Выполнена", 4, 45, 1), (NUMBER, "Выполнена", 5, 25, 2), (NUMBER, "Ждёт подтверждения", 5, 45, 0),
    ):  # fmt: skip
        story = good_day()
        story.saw(t, 20, LINES.format(number=number, title=TITLE, status=status))
        story.saw(t, 21, PAGE.format(number=number, title=TITLE, status=status.lower(), stars=stars), buttons=BACK)
        assert len(story.finds("shown_as_it_was_said")) == found, (number, status, stars)


def test_words_of_support_that_are_cut_are_found() -> None:
    for told, found in (("desk0000003 смотрите вложение", 0), ("desk0000003 смотрите", 1), ("desk0000003 ГЛШДПХРЕ", 1)):
        story = good_day()
        story.said(15, "comment", "desk0000003", text="desk0000003 смотрите  вложение")
        story.saw(15.5, 20, f"По заявке {NAMED} поддержка пишет:\n«{told}»")
        assert len(story.finds("shown_as_it_was_said")) == found, told
