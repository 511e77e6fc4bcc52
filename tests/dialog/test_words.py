from __future__ import annotations

from datetime import date

import pytest

from imbot.dialog.words import (
    address_told,
    asks_for_a_human,
    code_told,
    command_in,
    day_in,
    names_a_place,
    names_a_room,
    phone_in,
    phone_inside,
    politeness_in,
    told,
    without_room,
)

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Отмена", "cancel"),
        ("  ОТМЕНА! ", "cancel"),
        ("Мои заявки.", "mytickets"),
        ("my  tickets", "mytickets"),
        ("Помощь?", "help"),
        ("меню", "menu"),
        ("Новая заявка", "newticket"),
        ("отмена заказа не проходит", ""),
        ("мне нужна помощь", ""),
        ("", ""),
    ],
)
def test_only_a_whole_text_is_a_command(text: str, command: str) -> None:
    assert command_in(text) == command


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Добрый день!", "hello"),
        ("привет)))", "hello"),
        ("Спасибо большое", "thanks"),
        ("ок", "fine"),
        ("Понятно.", "fine"),
        ("ok", "fine"),
        ("👍", "nod"),
        ("\u200b\u2060", ""),
        ("\ufe0f \u2800", ""),
        ("?", "nod"),
        ("", ""),
        ("спасибо, но не работает", ""),
        ("добрый день, сломался принтер", ""),
    ],
)
def test_lone_politeness_is_no_request(text: str, meaning: str) -> None:
    assert politeness_in(text) == meaning


@pytest.mark.parametrize("text", ["12-34", "+7 (900) 111-22-33", "8 900 111 22 33 доб. 12", "315"])
def test_inner_numbers_and_extensions_are_phones(text: str) -> None:
    assert phone_in(text) == text


@pytest.mark.parametrize("text", ["нет телефона", "1", "12-34 и ещё почта", "(-)", "1" * 40])
def test_other_words_are_no_phone(text: str) -> None:
    assert phone_in(text) == ""


def test_a_phone_is_found_in_a_contact() -> None:
    assert phone_inside("Пётр, +7 900 111-22-33, мобильный") == "+7 900 111-22-33"
    assert phone_inside("Пётр") == ""


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("24.11", date(2026, 11, 24)),
        ("22.11", date(2027, 11, 22)),
        ("24.11.2026", date(2026, 11, 24)),
        ("24/11/26", date(2026, 11, 24)),
        ("2026-11-24", date(2026, 11, 24)),
        ("Завтра", date(2026, 11, 24)),
        ("yesterday", date(2026, 11, 22)),
        ("31.02", None),
        ("99.99.2026", None),
        ("29.02", None),
        ("24 ноября", None),
        ("24", None),
        ("в 24.11", None),
    ],
)
def test_days_are_read_as_people_write_them(text: str, day: date | None) -> None:
    assert day_in(text, TODAY) == day


def test_the_leap_day_of_next_year_is_no_day_when_there_is_none() -> None:
    assert day_in("29.02", date(2028, 3, 1)) is None
    assert day_in("29.02", date(2028, 2, 1)) == date(2028, 2, 29)


def test_places_are_told_from_stories() -> None:
    assert names_a_place("каб. 315")
    assert names_a_place("room 7")
    assert not names_a_place("мигает красным")
    assert not names_a_place("каб. 315\nмигает")
    assert not names_a_place("каб. 315, и вот уже третий день подряд ничего не работает совсем")


def test_what_hides_or_reorders_is_taken_out_of_words() -> None:
    assert told("  a\u202eb\x00c\u2028d\r\ne\ue000\ud800 ") == "abc\nd\ne"
    assert told("и\u0306") == "й"
    assert told("👩\u200d💻 ok") == "👩\u200d💻 ok"


@pytest.mark.parametrize(
    "text", ["\u200b", "\u2060 \ufeff", "\ufe0f", "\U000e0100", "\u3164\u00a0", "\u2800", "\u00ad\u034f", " \n\t"]
)
def test_what_nobody_can_see_is_nothing(text: str) -> None:
    assert told(text) == ""
    assert told(f"{text}а{text}").strip() != ""


@pytest.mark.parametrize("text", ["❤\ufe0f", "👩\u200d💻", "1\ufe0f\u20e3", "?", "й", "\U0001fae8"])
def test_what_can_be_seen_is_kept_whole(text: str) -> None:
    assert told(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("Позовите человека!", "оператор", "Соедините с оператором, пожалуйста", "мне нужен живой человек"),
        *("можно поговорить с человеком?", "Operator please", "I want to talk to a real person", "human"),
    ],
)
def test_who_wants_to_talk_to_somebody_says_so(text: str) -> None:
    assert asks_for_a_human(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Оператор связи не отвечает", "человек не может войти", "нужен", "с", "", "Позовите человека, горит принтер"),
        *("the person next to me", "I need a person to fix the printer", "please"),
    ],
)
def test_what_they_want_somebody_for_is_a_request(text: str) -> None:
    assert not asks_for_a_human(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Anna@Demo.local", ""),
        ("мой адрес anna@demo.local", ""),
        ("Адрес: anna @ demo.local.", ""),
        ("Здравствуйте! Моя рабочая почта — <anna@demo.local>, спасибо", ""),
        ("my work e-mail is anna@demo.local", ""),
        ("Это Анна Иванова, anna@demo.local", ""),
        ("Иванова Анна Сергеевна\nanna@demo.local", ""),
        ("Салтыкова-Щедрина А. В. anna@demo.local", ""),
        ("ИВАНОВА АННА anna@demo.local", ""),
        ("Нет Интернета\nanna@demo.local", "Нет Интернета"),
        ("Сломался Монитор. anna@demo.local", "Сломался Монитор."),
        ("anna@demo.local\nПринтер HP", "Принтер HP"),
        ("Принтер не печатает, мой адрес anna@demo.local", "Принтер не печатает"),
        ("Добрый день, мой адрес anna@demo.local, не печатает принтер", "не печатает принтер"),
        ("Принтер не печатает.\nanna@demo.local", "Принтер не печатает."),
        ("anna@demo.local\nПринтер не печатает.", "Принтер не печатает."),
        ("Сломалось, моя почта: anna@demo.local. Помогите скорее", "Сломалось\nПомогите скорее"),
    ],
)
def test_an_address_that_is_introduced_as_ones_own_is_told_apart_from_the_rest(text: str, rest: str) -> None:
    assert address_told(text) == ("anna@demo.local", rest)


@pytest.mark.parametrize(
    "text",
    [
        "нет писем от director@company.ru",
        "Удалите Петрову petrova@company.ru",
        "Удалите petrova@company.ru",
        "Нет Интернета, anna@company.ru",
        "anna@company.ru Принтер HP",
        "Добавьте в рассылку Анну, petrova@company.ru",
        "мой адрес anna@demo.local или anna@company.ru",
        "мой адрес anna@demo",
        "принтер не печатает",
        "мышь @ стол",
    ],
)
def test_an_address_that_a_request_speaks_of_is_a_part_of_it(text: str) -> None:
    assert address_told(text) == ("", text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("код: p3oz ozvh", "p3oz ozvh"),
        ("код:P3OZOZVH", "P3OZOZVH"),
        ("Код для входа в чат поддержки imbot: P3OZOZVH", "P3OZOZVH"),
        ("Код для входа: P3OZ OZVH", "P3OZ OZVH"),
        ("Здравствуйте, Анна.\n\nКод для входа в чат поддержки Ваш бот:\nP3OZOZVH\n\nПришлите его в чат.", "P3OZOZVH"),
        ("Your code for the support chat imbot: P3OZOZVH", "P3OZOZVH"),
        ("Your sign-in code: P3OZOZVH", "P3OZOZVH"),
        ("вот код из письма: P3OZ-OZVH, спасибо", "P3OZ-OZVH"),
        ("The code from the e-mail: P3OZ-OZVH", "P3OZ-OZVH"),
        ("Вот P3OZOZVH", "P3OZOZVH"),
        ("code p3oz ozvh", "p3oz ozvh"),
        ("код: p3oz", "p3oz"),
        ("код: ABC", "ABC"),
    ],
)
def test_the_words_round_a_code_are_none_of_it(text: str, code: str) -> None:
    assert code_told(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "Код ошибки: E1234567",
        "это А4",
        "my computer",
        "the internet",
        "мой код",
        "P3OZ  OZVH",
        "где код",
        "код устарел",
        "",
    ],
)
def test_a_text_that_says_more_than_a_code_or_none_stays_as_it_is(text: str) -> None:
    assert code_told(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "кабинет 214",
        "Каб. 214",
        "214",
        "№ 214",
        "214а",
        "B-12",
        "3 этаж",
        "Третий этаж",
        "3-й этаж, каб. 5",
        "в кабинете 214",
        "комната у ворот",
        "214, у окна",
        "room 214",
        "Floor 3",
        "second floor",
        "Этаж 3. Кабинет 5",
    ],
)
def test_a_room_or_a_floor_names_no_building(text: str) -> None:
    assert names_a_room(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ленинская Слобода, 19",
        "Ткацкая 5, каб. 3",
        "каб. 3 на Ткацкой",
        "корпус 2, кабинет 214",
        "склад",
        "у окна",
        "дома",
        "офис 2",
        "комната охраны на складе",
        "работаю удалённо",
        "ул. Мира, 5",
        "кабинет 1\nмышь",
        "каб. " + "1" * 60,
    ],
)
def test_what_names_a_place_of_its_own_is_no_room(text: str) -> None:
    assert not names_a_room(text)


@pytest.mark.parametrize(
    ("place", "building"),
    [
        ("Ленинская Слобода, 19", "Ленинская Слобода, 19"),
        ("Ленинская Слобода, 19, 3-й этаж, каб. 315", "Ленинская Слобода, 19"),
        ("Склад на Ткацкой, комната у ворот", "Склад на Ткацкой"),
        ("Офис 2", "Офис 2"),
        ("каб. 315", ""),
        ("Работаю удалённо", ""),
        ("", ""),
    ],
)
def test_a_place_without_its_room_is_the_building(place: str, building: str) -> None:
    assert without_room(place) == building
