"""Every screen that the transcripts ever show, and every receipt and notice, in both languages."""

from __future__ import annotations

import itertools
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from imbot.dialog import menu
from imbot.dialog.render import MAX_UNITS, render, units
from imbot.dialog.screen import MAX_LABEL, Screen, screen_from_json, screen_to_json
from imbot.dialog.session import Session
from imbot.dialog.tickets import details_screen, list_screen, more_screen, notice_screen, receipt_screen
from imbot.dialog.turn import advance
from imbot.domain.chats import Attached, Commanded, Event, FileRef, Happened, Pressed, Typed
from imbot.domain.notices import Notice
from imbot.templates import Templates
from tests.dialog.admin_screens import admin_screens
from tests.dialog.world import START, World
from tests.dialog.world import Ticket as Stored
from tests.transcripts.test_transcripts import FILES, Play, check_limits

FOLDER = Path(__file__).parents[2] / "templates"
TEMPLATES = Templates([FOLDER], ZoneInfo("Europe/Moscow"))
LANGS = ("ru", "en")
STATUSES = ("new", "registered", "in_progress", "waiting", "resolved", "closed", "rejected", "withdrawn")
NOTICES = [
    "registered",
    "number",
    "in_progress",
    "question",
    "comment",
    "promised",
    "resolved",
    "closed",
    "rejected",
    "withdrawn",
    "reopened",
    "failed",
    "refused_file",
    "file_not_sent",
    "reopen_silence",
    "unconfirmed",
    "flips",
    "flood",
]
MESSY = "\u202e<b>«Принтер»</b>\x00 {{ 7 }} \ue000*_[x](y)`" + "ж" * 60
FILE = {
    "name": "видео.mp4",
    "kind": "video",
    "size": 39_845_888,
    "caption": "",
    "fate": "refused",
    "reason": "too_large",
}
PHOTO = {"name": "", "kind": "photo", "size": 900, "caption": "экран", "fate": "stored", "reason": ""}


def told_screens() -> dict[str, Screen]:
    """Every screen that the transcripts show."""
    found: dict[str, Screen] = {}
    for path in FILES:
        play = Play()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                play.line(line.strip())
                if play.world.screen is not None:
                    found[f"{path.name}:{number}"] = play.world.screen
    return found


TOLD = told_screens()


def unasked_screens() -> dict[str, Screen]:
    found: dict[str, Screen] = {
        "private_only": menu.private_only_screen("12-00"),
        "store_down": Screen("store_down", {"support_contact": "12-00"}),
        "gone": menu.gone_screen(World().facts()),
        "more": more_screen(Session(), {"title": MESSY, "number": "IM-CL-1", "text": MESSY, "at": START.isoformat()}),
        "more of a letter": more_screen(Session(), {"title": MESSY, "text": MESSY, "mail": 7, "at": START.isoformat()}),
        "file_caption": Screen("file_caption", {"number": "IM-CL-1", "title": MESSY}),
        "more gone": more_screen(Session(), {"title": MESSY, "gone": True, "at": START.isoformat()}),
    }
    moments = (None, "2026-11-23T15:00:00+00:00", "2026-11-22T15:00:00+00:00")
    for status, handover, promised in itertools.product(STATUSES, ("queued", "accepted", "failed"), moments):
        values = {
            "ticket": "x" * 16,
            "title": MESSY,
            "status": status,
            "handover": handover,
            "number": "IM-CL-1042" if status != "new" else "",
            "accepted_at": START.isoformat(),
            "promised_at": promised,
            "files": [
                FILE,
                PHOTO,
                FILE | {"reason": "type"},
                PHOTO | {"fate": "failed", "reason": ""},
                FILE | {"fate": "wanted"},
                FILE | {"fate": "attached"},
                FILE | {"fate": "follows"},
                *[PHOTO | {"fate": fate} for fate in ("attached", "follows", "wanted", "wanted")],
                *[PHOTO | {"fate": "refused", "reason": "too_many"}] * 3,
            ],
            "max_bytes": 20 * 1024 * 1024,
            "support_contact": "12-00",
            "now": START.isoformat(),
        }
        found[f"receipt {status} {handover} {promised}"] = receipt_screen(values)
    for name, old, promised, words in itertools.product(NOTICES, ("", "in_progress", "resolved"), moments, ("", MESSY)):
        values = {
            "title": MESSY,
            "number": "IM-CL-1",
            "old": old,
            "new": "closed",
            "promised_at": promised,
            "can_add": bool(words),
        }
        values |= dict.fromkeys(("solution", "question", "comment", "author", "reason", "file"), words)
        if words:
            came = [{"name": "акт.pdf", "size": 120_000}] * 9
            refused = [{"name": MESSY, "size": 5, "reason": "type"}] * 6
            values |= {"files": came, "refused_files": refused, "more": 7, "size": 60_000_000}
        found[f"{name} {old} {promised} {bool(words)}"] = notice_screen(Notice(name, "x" * 16, values), "12-00")
    return found


UNASKED = unasked_screens() | admin_screens(MESSY)


def check(screen: Screen, lang: str) -> str:
    check_limits(screen)
    assert screen_from_json(screen_to_json(screen)) == screen
    rendered = render(screen, lang, TEMPLATES)
    text = rendered.text
    assert text.strip() == text
    assert units(text) <= MAX_UNITS
    assert "None" not in text
    assert "  " not in text
    assert "\n\n\n" not in text
    assert " ." not in text
    assert not any("\ue000" <= char <= "\uf8ff" or char in "\u202e\x00" for char in text)
    words = TEMPLATES.words(lang)
    for row, shown in zip(screen.rows, rendered.rows, strict=True):
        for button, label in zip(row, shown, strict=True):
            assert button.literal or button.label in words, button.label
            assert 0 < len(label.label) <= MAX_LABEL
            assert label.value == button.value
    return text


@pytest.mark.parametrize("lang", LANGS)
def test_every_screen_of_the_transcripts_has_its_words(lang: str) -> None:
    for screen in TOLD.values():
        check(screen, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_every_receipt_and_notice_has_its_words(lang: str) -> None:
    for screen in UNASKED.values():
        check(screen, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_every_screen_has_a_template_in_either_language(lang: str) -> None:
    names = {path.stem for path in (FOLDER / "chat" / lang).glob("*.j2")} - {"_words", "_ledger"}
    shown = {screen.name for screen in (*TOLD.values(), *UNASKED.values())}
    assert shown <= names
    others = {path.stem for path in (FOLDER / "chat" / next(other for other in LANGS if other != lang)).glob("*.j2")}
    assert names <= others


def test_both_languages_have_the_same_buttons_and_commands() -> None:
    for name in ("buttons", "commands"):
        ru, en = (tomllib.loads((FOLDER / "chat" / lang / f"{name}.toml").read_text("utf-8")) for lang in LANGS)
        assert list(ru) == list(en)
        assert all(isinstance(text, str) and 0 < len(text) <= 40 for text in (*ru.values(), *en.values()))


def test_every_button_of_the_list_stands_on_some_screen() -> None:
    used = {b.label for screen in (*TOLD.values(), *UNASKED.values()) for row in screen.rows for b in row}
    # These need a catalogue with such fields, or a longer list of places: see test_intake.
    assert set(TEMPLATES.words("ru")) - used <= {"today", "tomorrow", "page_back", "page_on"}


def test_no_screen_cries_or_blames() -> None:
    for screen in (*TOLD.values(), *UNASKED.values()):
        for lang in LANGS:
            text = render(screen, lang, TEMPLATES).text
            assert "!" not in text, text


def test_a_promised_time_that_has_passed_is_called_passed() -> None:
    values = {
        "title": "Принтер",
        "number": "IM-CL-1",
        "promised_at": "2026-11-23T15:00:00+00:00",
        "status": "registered",
    }
    before = receipt_screen(values | {"now": "2026-11-23T12:00:00+00:00"})
    assert "Поддержка обещает к 18:00." in render(before, "ru", TEMPLATES).text
    after = receipt_screen(values | {"now": "2026-11-23T16:00:00+00:00"})
    assert "Поддержка обещала к 18:00, этот срок прошёл." in render(after, "ru", TEMPLATES).text


def test_the_resolved_screen_is_the_one_of_the_model() -> None:
    values = {
        "title": "Принтер: мигает красным",
        "number": "IM-CL-1042",
        "old": "in_progress",
        "new": "resolved",
        "solution": "Заменён картридж, печать проверена",
    }
    rendered = render(notice_screen(Notice("resolved", "x", values)), "ru", TEMPLATES)
    assert rendered.text == (
        "Заявка IM-CL-1042 «Принтер: мигает красным»: была в работе, теперь выполнена.\n"
        "Поддержка пишет: «Заменён картридж, печать проверена».\n"
        "\nЕсли всё работает, поставьте оценку: 5 — отлично."
    ).replace("\n\n", "\n")
    assert [[button.label for button in row] for row in rendered.rows] == [
        ["1", "2", "3", "4", "5"],
        ["Не решено", "Без оценки", "Позже"],
    ]


LEDGER: list[tuple[str, dict[str, Any], str]] = [
    ("filed", {"by": "ivanova@company.ru"}, "заявка подана"),
    ("accepted", {"letter": "ticket"}, "заявка отправлена поддержке"),
    ("accepted", {"letter": "addition"}, "дополнение отправлено поддержке"),
    ("accepted", {}, "письмо отправлено поддержке"),
    ("failed", {"letter": "ticket", "reason": "550"}, "отправить не удалось"),
    ("bounced", {}, "письмо вернулось"),
    ("resent", {}, "отправляем ещё раз"),
    ("status", {"what": "status", "new": "in_progress"}, "в работе"),
    ("status", {"what": "status", "new": "resolved", "solution": "Заменён картридж"}, "выполнена: «Заменён картридж»"),
    ("status", {"what": "status", "new": "waiting", "question": "Какой этаж?"}, "ждёт вашего ответа: «Какой этаж?»"),
    ("status", {"what": "number", "number": "IM-CL-7"}, "получен номер IM-CL-7"),
    ("status", {"what": "promised", "promised": "2026-11-24T15:00:00+00:00"}, "новый срок: 18:00 (завтра, 24 ноября)"),
    ("status", {"what": "promised", "promised": "к вечеру"}, "новый срок"),
    ("status", {"what": "question", "question": "Какой этаж?"}, "поддержка спрашивает: «Какой этаж?»"),
    ("status", {}, "принята"),
    ("comment", {"text": "Едем"}, "поддержка пишет: «Едем»"),
    ("added", {"text": "И шумит"}, "вы дополнили: «И шумит»"),
    ("added", {}, "вы дополнили"),
    ("complained", {"text": "Долго"}, "вы написали, что не так: «Долго»"),
    ("withdraw_asked", {}, "вы попросили снять заявку"),
    ("reopen_asked", {"reason": "полосы"}, "вы попросили вернуть в работу: «полосы»"),
    ("reopen_silence", {}, "поддержка пока не ответила на просьбу"),
    ("rated", {"stars": 4}, "ваша оценка: 4"),
    ("rated", {"stars": None}, "оставлено без оценки"),
    ("refused_file", {"file": "a.exe"}, "файл не вошёл: a.exe"),
    ("files_came", {"files": ["a.pdf", "b.pdf"]}, "поддержка прислала файлы: a.pdf, b.pdf"),
    ("files_came", {"files": ["x"] * 7}, "поддержка прислала файлы: x, x, x, x, x и ещё 2"),
    (
        "files_came",
        {"files": ["a.pdf"], "refused": ["setup.exe"]},
        "поддержка прислала файлы: a.pdf; не переданы: setup.exe",
    ),
    ("file_not_sent", {"file": "a.mp4"}, "файл поддержки сюда не поместился: a.mp4"),
    ("inferred", {"number": "IM-CL-7"}, ""),
    ("notice", {"name": "registered"}, ""),
]


@pytest.mark.parametrize(("what", "values", "words"), LEDGER)
def test_the_ledger_is_told_in_words_and_what_has_none_is_left_out(
    what: str, values: dict[str, Any], words: str
) -> None:
    world = World()
    shown: dict[str, Any] = {"id": "x", "title": "Принтер", "description": "Мигает", "location": "каб. 1", "stars": 4}
    shown |= {"ledger": [{"at": START.isoformat(), "what": what, "values": values}]}
    screen = details_screen(world.session, world.facts(), shown)
    lines = [line for line in check(screen, "ru").split("\n") if line.startswith("09:00: ")]
    assert lines == ([f"09:00: {words}"] if words else [])
    assert ("09:00: " in check(screen, "en")) == bool(words)


@pytest.mark.parametrize("lang", LANGS)
def test_what_is_said_without_the_data_base_needs_no_values(lang: str) -> None:
    for name in ("private_only", "store_down"):
        assert render(Screen(name), lang, TEMPLATES).text


def test_what_was_only_asked_for_is_never_said_to_have_happened() -> None:
    for asked, words in (("withdraw", "Просим поддержку снять"), ("reopen", "Просим поддержку вернуть")):
        text = render(receipt_screen({"title": "Принтер", "asked": asked}), "ru", TEMPLATES).text
        assert words in text
        assert "подтверждения пока нет" in text


@pytest.mark.parametrize(("count", "page", "pages"), [(1, 0, 1), (5, 1, 3), (6, 1, 3), (8, 1, 3), (8, 0, 2)])
def test_a_page_of_tickets_keeps_the_limits_whatever_its_size(count: int, page: int, pages: int) -> None:
    world = World()
    tickets = [
        {"id": f"x{number}", "title": MESSY, "number": "", "status": "new", "created_at": START.isoformat()}
        for number in range(count)
    ]
    screen = list_screen(world.session, world.facts(), {"page": page, "pages": pages, "tickets": tickets})
    for lang in LANGS:
        check(screen, lang)
    assert all(screen.offers(f"t:x{number}") for number in range(count))
    assert screen.offers(f"my:{page + 1}") == (page + 1 < pages)


def test_a_long_ledger_shows_its_newest_lines() -> None:
    world = World()
    ledger: list[dict[str, Any]] = []
    for number in range(30):
        ledger.append({"at": START.isoformat(), "what": "added", "values": {"text": str(number)}})
        ledger.append({"at": START.isoformat(), "what": "notice", "values": {"name": "registered"}})
    shown: dict[str, Any] = {
        "id": "x",
        "title": "Принтер",
        "number": "",
        "status": "new",
        "created_at": START.isoformat(),
    }
    shown |= {"promised_at": None, "description": "", "location": "", "stars": None, "ledger": ledger}
    screen = details_screen(world.session, world.facts(), shown)
    assert screen.values["earlier"] == 18
    assert [line["values"]["text"] for line in screen.values["ledger"]] == [str(number) for number in range(18, 30)]


ENDINGS = [
    ("Печать проверена.", "«Печать проверена»."),
    ("Печать проверена", "«Печать проверена»."),
    ("Проверили?", "«Проверили?»"),
    ("Ждём…", "«Ждём…»"),
    ("Ждём...", "«Ждём...»"),
]


@pytest.mark.parametrize(("words", "quoted"), ENDINGS)
@pytest.mark.parametrize("name", ["resolved", "closed", "rejected", "question"])
def test_quoted_words_end_with_one_full_stop(name: str, words: str, quoted: str) -> None:
    values = dict.fromkeys(("solution", "reason", "question"), words) | {"title": "Принтер", "new": name, "old": "new"}
    assert quoted in check(notice_screen(Notice(name, "x", values)), "ru").split("\n")[1]
    assert ".”." not in check(notice_screen(Notice(name, "x", values)), "en")


@pytest.mark.parametrize("lang", LANGS)
def test_no_screen_doubles_a_full_stop(lang: str) -> None:
    world = World(person=replace(World().directory, name="Анна."))
    world.settings = replace(world.settings, support_contact="тел. 12-34, с 9 до 18 ч.")
    world.tickets["x1"] = Stored("x1", "Мышь не едет.", "IM-CL-1", "resolved")
    told: list[Event] = [Commanded("start"), Typed("Беда пришла.", "m1"), Commanded("me"), Commanded("start")]
    told += [Commanded("help"), Commanded("cancel"), Pressed("wd:x1"), Pressed("ns:x1"), Typed("Не едет.", "m2")]
    for event in told:
        world.take(event)
        assert world.screen is not None
        text = check(world.screen, lang)
        assert not re.search(r"\.[»”]?\.(?!\.)", text), text
    for name in ("failed", "rejected", "reopen_silence"):
        screen = notice_screen(Notice(name, "x", {"title": "Мышь.", "new": "rejected"}), "с 9 до 18 ч.")
        assert ".." not in check(screen, lang)
        assert ".»" not in check(screen, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_words_before_sign_in_that_do_not_fit_may_come_as_a_file(lang: str) -> None:
    world = World(person=None, lang=lang)
    world.settings = replace(world.settings, max_text=20, max_files=1)
    hint = {"ru": "Пришлите её файлом: файл приложим.", "en": "Send it as a file and it will be attached."}[lang]
    over = {"ru": "с одной заявкой принимаем до 1 файла", "en": "a request takes up to 1 file"}[lang]
    for _ in range(2):  # at the address, and while the code is waited for
        world.take(Typed("Принтер мигает красным и шумит"))
        assert world.screen is not None
        assert hint in check(world.screen, lang)
        for number in (1, 2):
            world.take(Attached(FileRef(f"v{number}", f"u{number}{_}", kind="photo")))
        assert over in check(world.screen, lang)
        world.take(Typed("ivanova@company.ru"))


@pytest.mark.parametrize("lang", LANGS)
def test_while_nothing_can_be_saved_nobody_is_asked_to_repeat(lang: str) -> None:
    text = check(Screen("store_down", {"support_contact": "12-00"}), lang)
    assert {"ru": "повторять не нужно", "en": "no need to send it again"}[lang] in text


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(("state", "screen"), [("code", "wait_code"), ("address", "ask_address")])
def test_too_many_wrong_codes_are_not_called_codes_asked_for(state: str, screen: str, lang: str) -> None:
    session = Session(state, {"signin": {"address": "a@b.ru"}} if state == "code" else {}, "tttt")
    limited = Happened("code_checked", {"result": "limited", "until": "2026-11-23T06:40:00+00:00"})
    turn = advance(session, limited, World(person=None).facts())
    assert turn.screen is not None
    assert (turn.screen.name, turn.screen.values["problem"]) == (screen, "not_now")
    first = render(turn.screen, lang, TEMPLATES).text.splitlines()[0]
    assert first.startswith({"ru": "Проверить код сейчас нельзя", "en": "Codes cannot be checked now"}[lang])
    assert "09:40" in first
