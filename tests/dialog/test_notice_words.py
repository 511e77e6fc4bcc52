"""What a notice, the ledger, and a question about words that came by themselves, call things."""

from __future__ import annotations

import re
from typing import Any

import pytest

from imbot.dialog.tickets import TOLD_IN_LEDGER, details_screen, list_screen, notice_screen, receipt_screen
from imbot.domain.chats import Pressed, Typed
from imbot.domain.notices import Notice
from tests.dialog.test_screens import FOLDER, LANGS, check
from tests.dialog.world import START, World
from tests.dialog.world import Ticket as Stored


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", ["rejected", "closed"])
def test_the_end_of_a_request_that_was_to_be_dropped_is_no_refusal(lang: str, name: str) -> None:
    values = {"title": "Принтер", "new": name, "old": "in_progress", "solution": "нашлась", "reason": "нашлась"}
    plain = check(notice_screen(Notice(name, "x", values), "12-34"), lang)
    granted = check(notice_screen(Notice(name, "x", values | {"withdrawal_asked": True}), "12-34"), lang)
    asked, rate, refused, mistake = {
        "ru": ("Вы просили снять заявку", "оценку", "отклонена", "Если это ошибка"),
        "en": ("You asked to drop it", "rate", "rejected", "If this is a mistake"),
    }[lang]
    if name == "rejected":
        asked = {"ru": "теперь снята по вашей просьбе.", "en": "now withdrawn at your request."}[lang]
        assert (refused in plain, mistake in plain) == (True, True)
    assert asked in granted
    assert asked not in plain
    assert refused not in granted
    assert mistake not in granted
    assert (rate in plain) is (name == "closed")
    assert rate not in granted
    before = check(notice_screen(Notice(name, "x", values | {"old": "", "withdrawal_asked": True}), "12-34"), lang)
    assert {"ru": "Заявка «Принтер» ", "en": "Request “Принтер” is "}[lang] in before
    assert {"ru": ", теперь", "en": ", now"}[lang] not in before


@pytest.mark.parametrize("lang", LANGS)
def test_words_behind_a_question_of_support_are_an_answer(lang: str) -> None:
    asked = {
        "ru": ("Это ответ по заявке", "Это дополнение к заявке"),
        "en": ("your answer to support", "an addition to"),
    }
    for status, place in (("waiting", 0), ("in_progress", 1)):
        world = World(lang=lang)
        world.tickets["x1"] = Stored("x1", "Мышь не едет", "IM-CL-1", status)
        world.take(Typed("На третьем этаже", "m1"))
        assert world.screen is not None
        text = check(world.screen, lang)
        assert asked[lang][place] in text
        assert asked[lang][1 - place] not in text
        assert next(key.label for each in world.screen.rows for key in each) == ("answer_here", "add_here")[place]


def test_the_ledger_counts_what_it_has_words_for() -> None:
    for lang in LANGS:
        source = (FOLDER / "chat" / lang / "_ledger.j2").read_text("utf-8")
        named = re.findall(r"(?:if|elif) what == \"(\w+)\"", source)
        listed = [name for group in re.findall(r"what in \[([^]]+)\]", source) for name in re.findall(r"\w+", group)]
        assert {*named, *listed} == TOLD_IN_LEDGER


@pytest.mark.parametrize("lang", LANGS)
def test_to_rate_later_what_is_rated_already_says_so(lang: str) -> None:
    world = World(lang=lang)
    world.tickets["x1"] = Stored("x1", "Принтер", "IM-CL-1", "resolved")
    for stars, words in (
        (None, {"ru": "Оценить можно будет", "en": "You can rate it"}),
        (5, {"ru": "Ваша оценка 5 уже записана. Изменить её", "en": "Your rating, 5, is saved already. You can"}),
    ):
        world.tickets["x1"].stars = stars
        world.take(Pressed("later:x1", "m1"))
        assert world.screen is not None
        assert words[lang] in check(world.screen, lang)
        assert world.session.state == "rest"


@pytest.mark.parametrize(("lang", "words"), [("ru", "нажмите «Не решено»"), ("en", "press “Not solved”")])
def test_thanks_for_a_complaint_say_what_brings_the_work_back(lang: str, words: str) -> None:
    for asked in ("", "reopen"):
        world = World(lang=lang)
        world.tickets["x1"] = Stored("x1", "Принтер", "IM-CL-1", "resolved", asked=asked)
        world.take(Pressed("rate:x1:1", "m1"))
        world.take(Typed("Ждали три дня", "m2"))
        assert world.screen is not None
        assert (words in check(world.screen, lang)) is not bool(asked)
        assert world.screen.offers("ns:x1") is not bool(asked)


@pytest.mark.parametrize(
    ("lang", "words", "refused"), [("ru", "снята по вашей просьбе", "тклонена"), ("en", "ithdrawn at your", "ejected")]
)
def test_what_was_dropped_at_their_request_is_called_so_for_good(lang: str, words: str, refused: str) -> None:
    world = World()
    ledger = [{"at": START.isoformat(), "what": "status", "values": {"new": "rejected", "asked": "granted"}}]
    values: dict[str, Any] = {"id": "x1", "ticket": "x1", "title": "Принтер", "number": "IM-CL-1", "status": "rejected"}
    values |= {"asked": "granted", "created_at": START.isoformat(), "can_add": False, "can_withdraw": False}
    for screen in (
        receipt_screen(values | {"handover": "accepted"}),
        details_screen(world.session, world.facts(), values | {"ledger": ledger}),
        list_screen(world.session, world.facts(), {"tickets": [values]}),
    ):
        text = check(screen, lang)
        assert text.lower().count(words) == (2 if screen.name == "ticket" else 1)
        assert refused not in text
