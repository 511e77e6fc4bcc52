"""What words are right for whoever reads them: English that is English, buttons called what they are called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from imbot.dialog.screen import Screen
from imbot.dialog.tickets import notice_screen, receipt_screen
from imbot.domain.chats import Attached, Commanded, Event, FileRef, Pressed, Typed
from imbot.domain.notices import Notice
from tests.dialog.admin_screens import admin_screens
from tests.dialog.test_screens import FOLDER, LANGS, TEMPLATES, TOLD, UNASKED, check
from tests.dialog.world import Ticket as Stored
from tests.dialog.world import World
from tests.fire import texts

FOR_ADMINS = {screen.name for screen in admin_screens("").values()}
PRESS = re.compile(r"(?:[Нн]ажмите|[Pp]ress) [«“]([^»”{]+)[»”]")


def test_no_employee_is_written_a_letter_in_english() -> None:
    """A letter is of paper; what the admins' manual calls one is an e-mail here."""
    for screen in (*TOLD.values(), *UNASKED.values()):
        if screen.name not in FOR_ADMINS:
            text = check(screen, "en").replace("eight letters and digits", "")
            assert not re.search(r"\bletters?\b|\bslip\b", text), text


@pytest.mark.parametrize("lang", LANGS)
def test_who_is_to_press_something_finds_a_button_of_that_name(lang: str) -> None:
    labels = set(TEMPLATES.words(lang).values())
    named = {name for path in (FOLDER / "chat" / lang).glob("*.j2") for name in PRESS.findall(path.read_text("utf-8"))}
    assert len(named) >= 4
    assert named <= labels


@pytest.mark.parametrize("number", ["", "IM-CL-7"])
def test_a_question_about_a_request_just_filed_does_not_tell_that_it_was_new(number: str) -> None:
    values = {"title": "Мышь", "number": number, "old": "new", "new": "waiting", "question": "Какой кабинет?"}
    screen = notice_screen(Notice("question", "x", values))
    name = f"{number} «Мышь»".strip()
    said = check(screen, "ru")
    assert said.startswith(f"По заявке {name} поддержка ждёт вашего ответа.\nПоддержка спрашивает: «Какой кабинет?»")
    assert texts.is_notice(said)
    assert texts.status_in(said) == ("", "waiting")
    assert check(screen, "en").startswith(f"On {number} “Мышь” support is waiting".replace("  ", " "))
    later = check(notice_screen(Notice("question", "x", values | {"old": "in_progress"})), "ru")
    assert later.startswith(f"Заявка {name}: была в работе, теперь ждёт вашего ответа.")
    assert texts.status_in(later) == ("in_progress", "waiting")


def test_words_behind_work_that_is_done_are_asked_about_in_whole_sentences() -> None:
    world = World()
    world.tickets["x1"] = Stored("x1", "Мышь не едет", "IM-CL-1", "resolved", resolved_at=world.now)
    world.take(Typed("На третьем этаже", "m1"))
    assert world.screen is not None
    assert "с этими словами.\nИли это дополнение к ней? Или новая заявка?" in check(world.screen, "ru")


@pytest.mark.parametrize("lang", LANGS)
def test_a_file_just_too_large_is_not_said_to_be_as_large_as_the_limit(lang: str) -> None:
    world = World(lang=lang)
    world.tickets["x1"] = Stored("x1", "Мышь", "IM-CL-1", "in_progress")
    world.take(Attached(FileRef("v", "u", "big.bin", size=21_000_000), "", "m1"))
    assert world.screen is not None
    said = {"ru": "чуть больше 20 МБ, можно до 20 МБ", "en": "a little over 20 MB, the limit is 20 MB"}[lang]
    assert f"big.bin ({said})" in check(world.screen, lang)
    values = {"title": "Мышь", "file": "big.bin", "size": 52_428_801, "max_bytes": 52_428_800, "reason": "too_large"}
    over = {"ru": "чуть больше 50 МБ", "en": "a little over 50 MB"}[lang]
    assert f"big.bin ({over})" in check(notice_screen(Notice("file_not_sent", "x", values)), lang)


def big(number: int) -> Attached:
    return Attached(FileRef(f"v{number}", f"u{number}", f"big{number}.bin", size=30_000_000), "", f"m{number}", "album")


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("known", [False, True])
def test_the_rest_is_said_to_be_there_only_where_it_is(lang: str, *, known: bool) -> None:
    world = World(lang=lang) if known else World(lang=lang, person=None)
    rest = {"ru": "Остальное на месте.", "en": "Everything else is kept."}[lang]
    both = {"ru": "Всего не вошло файлов: 2, остальное на месте.", "en": "Files left out in all: 2; everything else"}[
        lang
    ]
    world.take(Typed("Принтер не печатает совсем", "m0"))
    for number, said in ((1, rest), (2, both)):
        world.take(big(number))
        assert world.screen is not None
        text = check(world.screen, lang)
        assert said in text
        assert (rest in text) is (number == 1)
    world.settings = replace(world.settings, max_text=30)
    world.take(Typed("И ещё очень много всякого другого", "m3"))
    world.take(big(4))
    assert world.screen is not None
    text = check(world.screen, lang)
    assert {"ru": "Всего не вошло файлов: 3.", "en": "Files left out in all: 3."}[lang] in text
    assert {"ru": "на месте", "en": "everything else"}[lang] not in text


@pytest.mark.parametrize("lang", LANGS)
def test_what_came_is_counted_alike_on_every_screen(lang: str) -> None:
    counted = {"ru": "1 фото, 2 файла", "en": "1 photo, 2 files"}[lang]
    came = [
        Attached(FileRef("v1", "u1", kind="photo"), "", "m1"),
        Attached(FileRef("v2", "u2", "a.pdf"), "", "m2"),
        Attached(FileRef("v3", "u3", kind="voice"), "", "m3"),
    ]
    shown = set()
    world = World(person=None, lang=lang)
    signed_in: list[Event] = [Commanded("start"), Typed("ivanova@company.ru", "m4"), Typed("ABCD2345", "m5")]
    for each in (*came, *signed_in):
        world.take(each)
        assert world.screen is not None
        text = check(world.screen, lang)
        if counted in text:
            shown.add(world.screen.name)
    assert shown == {"ask_address", "welcome"}
    for name in ("category", "offer"):
        world.take(Pressed(world.session.value("draft"), "s") if name == "category" else Commanded("start"))
        assert world.screen is not None
        assert world.screen.name == name
        assert counted in check(world.screen, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_who_sent_nothing_but_what_has_no_room_hears_that(lang: str) -> None:
    world = World(person=None, lang=lang)
    for event in (big(1), Typed("ivanova@company.ru", "m4"), Typed("ABCD2345", "m5")):
        world.take(event)
    assert world.screen is not None
    left = {"ru": "То, что вы прислали, не вошло.", "en": "What you sent was left out."}[lang]
    assert left in check(world.screen, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_what_a_phone_recorded_bears_no_name_that_nobody_gave(lang: str) -> None:
    heard = {"name": "голос-1.ogg", "kind": "voice", "size": 900, "caption": "", "fate": "attached", "reason": ""}
    named = heard | {"name": "песня.mp3", "kind": "audio"}
    shown = {"title": "Принтер", "files": [heard, named], "max_bytes": 20 * 1024 * 1024, "handover": "accepted"}
    said = {
        "ru": ["Голосовое сообщение: приложено.", "песня.mp3: приложено."],
        "en": ["Voice message: attached.", "песня.mp3: attached."],
    }
    assert check(receipt_screen(shown), lang).split("\n")[2:] == said[lang]


@pytest.mark.parametrize("lang", LANGS)
def test_a_text_too_long_for_the_screen_is_told_from_one_that_was_left_out(lang: str) -> None:
    shown, left = {
        "ru": ("Показано начало текста, уйдёт весь.", "Часть текста не вошла"),
        "en": ("Only the beginning of the text is shown; all of it will be sent.", "Part of the text was left out"),
    }[lang]
    for length, more, said in (
        (2500, 0, (False, False)),
        (2501, 0, (True, False)),
        (2500, 9, (False, True)),
        (2501, 9, (False, True)),
    ):
        world = World(lang=lang)
        world.settings = replace(world.settings, max_text=2501)
        for event in (Typed("x" * length, "m1"), *([Typed("y" * more, "m2")] if more else [])):
            world.take(event)
        world.take(Pressed(world.session.value("c:advice"), "s"))
        assert world.screen is not None
        text = check(world.screen, lang)
        assert world.screen.name == "review"
        assert (shown in text, left in text) == said
        world.take(Attached(FileRef("v", "u", "a.pdf"), "", "m3"))
        assert world.screen is not None
        assert "\n\n" not in check(world.screen, lang).partition("xxx")[2].partition("a.pdf")[0]
    values = {"title": "", "number": "", "held": [], "left_text": 0, "problem": "", "text": "x" * 2001}
    assert shown in check(Screen("adding", values | world.settings.limits), lang)
    assert shown not in check(Screen("adding", values | world.settings.limits | {"text": "x" * 2000}), lang)


@pytest.mark.parametrize(
    ("lang", "name", "greeting"),
    [
        ("ru", "Кузнецов Том Андреевич", "Том Андреевич, здравствуйте."),
        ("en", "Кузнецов Том Андреевич", "Hello. How"),
        ("en", "Tom Kuznetsov", "Hello, Tom. How"),
    ],
)
def test_people_are_greeted_as_their_language_does(lang: str, name: str, greeting: str) -> None:
    world = World(lang=lang, person=replace(World().directory, name=name))
    world.take(Commanded("start"))
    assert world.screen is not None
    assert check(world.screen, lang).startswith(greeting)
