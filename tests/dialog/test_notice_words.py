"""What a notice, and a question about words that came by themselves, call things."""

from __future__ import annotations

import pytest

from imbot.dialog.tickets import notice_screen
from imbot.domain.chats import Typed
from imbot.domain.notices import Notice
from tests.dialog.test_screens import LANGS, check
from tests.dialog.world import Ticket as Stored
from tests.dialog.world import World


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", ["rejected", "closed"])
def test_the_end_of_a_request_that_was_to_be_dropped_is_no_refusal(lang: str, name: str) -> None:
    values = {"title": "Принтер", "new": name, "old": "in_progress", "solution": "нашлась", "reason": "нашлась"}
    plain = check(notice_screen(Notice(name, "x", values), "12-34"), lang)
    granted = check(notice_screen(Notice(name, "x", values | {"withdrawal_asked": True}), "12-34"), lang)
    asked, rate = {
        "ru": ("Вы просили снять заявку", "оценку"),
        "en": ("You asked to drop it", "rate"),
    }[lang]
    assert asked in granted
    assert asked not in plain
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
