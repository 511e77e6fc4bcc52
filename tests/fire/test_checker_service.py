"""The checks of the service find what is wrong, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fire.checks_service import answer_times
from tests.fire.story import CHAT, MORE, ONE, OTHER, TITLE, TWO, Story, good_day


def test_a_rating_that_the_report_does_not_have_is_found() -> None:
    for report in ([], [{"title": TITLE, "stars": "4", "words": ""}], None):
        story = good_day()
        story.report = report
        assert len(story.finds("every_rating_kept")) == 1, report


def test_the_last_stars_count_and_no_rating_is_none() -> None:
    story = good_day()
    story.asked(45, "rating", of=ONE, stars=None)
    assert len(story.finds("every_rating_kept")) == 1
    story.report = [{"title": TITLE, "stars": "", "words": ""}]
    assert story.finds("every_rating_kept") == []


def test_a_rating_that_was_refused_need_not_be_kept() -> None:
    story = good_day()
    story.asked(45, "rating", of=ONE, stars=1)
    no = {"what": "rating", "chat": CHAT, "marker": "", "of": ONE, "message": 14, "text": "сейчас поставить нельзя"}
    story.model.append({"t": 46, "e": "told_no", **no})
    assert len(story.finds("every_rating_kept")) == 1  # the chat does not say so
    story.saw(45.5, 14, "сейчас поставить нельзя")
    assert story.finds("every_rating_kept") == []


def test_the_words_of_a_rating_must_be_in_the_report() -> None:
    story = good_day()
    story.asked(45, "complaint", MORE, of=ONE)
    assert [one.about for one in story.finds("every_rating_kept")] == [ONE]
    story.report = [{"title": TITLE, "stars": "5", "words": f"{MORE} печатает полосами"}]
    assert story.finds("every_rating_kept") == []


def test_an_input_without_an_answer_is_found() -> None:
    story = good_day()
    story.sent(50, text="привет")
    story.sent(50, text="привет", chat=OTHER)
    story.saw(51, 60, "Чем помочь?", chat=OTHER)
    assert [one.about for one in story.finds("every_input_answered")] == [str(CHAT)]


def test_an_unchanged_screen_is_an_answer_and_so_is_that_of_the_first_tap() -> None:
    story = good_day()
    story.sent(50, "press", value="menu", on=13)
    story.bot.append(
        {"t": 51, "e": "refused", "chat": CHAT, "status": 400, "why": "Bad Request: message is not modified"}
    )
    assert story.finds("every_input_answered") == []
    story = good_day()
    story.sent(50, "press", value="menu", on=13)
    story.saw(50.2, 13, "Меню")
    story.sent(50.3, "press", value="menu", on=13)
    assert story.finds("every_input_answered") == []
    story.sent(50.4, "press", value="my:0", on=13)
    assert len(story.finds("every_input_answered")) == 1


def test_an_edit_may_change_nothing_and_a_blocked_chat_hears_nothing() -> None:
    story = good_day()
    story.sent(50, "edit", text="слово")
    assert story.finds("every_input_answered") == []
    story.sent(51, text="привет")
    story.bot.append({"t": 52, "e": "blocked", "chat": CHAT})
    assert story.finds("every_input_answered") == []
    story.bot.append({"t": 53, "e": "unblocked", "chat": CHAT})
    story.sent(54, text="/start")
    assert [one.about for one in story.finds("every_input_answered")] == [str(CHAT)], "it is let in again"


def test_who_gave_up_is_found() -> None:
    story = good_day()
    story.model.append({"t": 60, "e": "gave_up", "chat": CHAT, "doing": "filing", "newest": []})
    assert [one.about for one in story.finds("every_input_answered")] == [str(CHAT)]


def killed_and_started() -> dict[str, float]:
    return {"killed": 10.0, "started": 10.1}


def test_a_late_service_after_a_kill_is_found() -> None:
    story = good_day()
    story.nanny += [{"t": t, "e": e} for e, t in killed_and_started().items()]
    assert len(story.finds("serving_soon")) == 1  # it never came back
    story.bot.append({"t": 16, "e": "polled", "offset": 1})
    assert len(story.finds("serving_soon")) == 1
    assert story.finds("serving_soon", serving_seconds=7.0) == []
    story.bot.append({"t": 12, "e": "polled", "offset": 1})
    assert story.finds("serving_soon") == []


def test_a_kill_at_the_end_a_second_kill_and_a_cut_are_excused() -> None:
    story = good_day()
    story.nanny.append({"t": 10, "e": "killed"})
    assert story.finds("serving_soon") == []
    story.nanny += [{"t": 10.1, "e": "started"}, {"t": 11, "e": "killed"}, {"t": 11.1, "e": "started"}]
    story.bot.append({"t": 15, "e": "polled", "offset": 1})
    assert story.finds("serving_soon") == []
    story.nanny += [{"t": 20, "e": "killed"}, {"t": 20.1, "e": "started"}, {"t": 19, "e": "fault", "leg": "telegram"}]
    assert story.finds("serving_soon") == []


def test_who_cannot_write_to_the_data_base_is_not_waited_for_behind_a_kill() -> None:
    story = good_day()
    story.nanny += [{"t": t, "e": e} for e, t in killed_and_started().items()]
    story.nanny += [
        {"t": t, "e": f"trial_{e}", "names": ["db_locked", "sigkill"]} for t, e in ((9, "asked"), (30, "ended"))
    ]
    assert story.finds("serving_soon") == []


def test_the_time_of_an_answer_is_measured_from_each_input() -> None:
    story = good_day()
    assert answer_times(story.journals()) == [0.5, 0.5, 0.5]


def test_that_an_older_screen_loses_its_buttons_is_no_answer() -> None:
    story = good_day()
    story.saw(49, 60, "Введите код", buttons=[[{"label": "Ещё раз", "value": "again"}]])
    story.sent(50, text="ABCD2345")
    story.saw(51, 60, "Введите код", buttons=[], edit=True)
    assert len(story.finds("every_input_answered")) == 1
    story.saw(52, 61, "Вход выполнен")
    assert story.finds("every_input_answered") == []


def everything(story: Story, t: float) -> None:
    """Something of each kind."""
    story.asked(t, "request", f"fire{int(t):07d}", lines=[], files=[{"name": "a.png", "sha256": "ab"}])
    for what in ("addition", "withdraw", "complaint", "not_solved", "rating"):
        story.asked(t, what, of=TWO, stars=5)
    story.said(t, "register", late=True)
    story.said(t, "ask")
    story.said(t, "done")
    story.said(t, "done", repeat=True)
    story.said(t, "bounce", bounce=True)
    story.said(t, "comment", forged=True)
    for kind in ("file", "file", "edit", "press", "press"):
        story.sent(t, kind, value="x", on=7)
    story.saw(t, 70, "Эта кнопка уже не действует.")
    story.saw(t, 71, "Вход выполнен.")
    story.model.append({"t": t, "e": "pried", "chat": CHAT, "value": "t:x"})


@pytest.mark.parametrize(("kills", "found"), [(60, 1), (149, 1), (151, 2), (200, 2)])
def test_a_stretch_of_kills_in_which_nobody_did_something_is_found(kills: int, found: int) -> None:
    missing: dict[str, Callable[[dict[str, Any]], object]] = {
        "a rating": lambda one: one.get("what") == "rating",
        "a forgery": lambda one: one.get("forged"),
        "an album": lambda one: one.get("kind") == "file",
        "a double tap": lambda one: one.get("kind") == "press",
        "a button of a dialog that was over": lambda one: "Эта кнопка" in one.get("text", ""),
    }
    for what, gone in missing.items():
        story = Story()
        story.nanny += [{"t": 100.0 + n, "e": "killed", "failpoint": "random", "pid": 1} for n in range(kills)]
        for t in (120, 100 + kills - 10):
            everything(story, t)
        assert story.finds("work_goes_on") == [], what
        journal = {"a rating": "model", "a forgery": "itsm"}.get(what, "bot")
        story.drop(journal, lambda one: bool(gone(one)))  # noqa: B023 - called at once
        assert [one.about for one in story.finds("work_goes_on")] == [what] * found, what


def test_in_a_short_campaign_one_of_the_rare_kinds_is_enough() -> None:
    rares = {"withdraw", "complaint", "not_solved"}
    for rare in ("sign in", *rares):
        story = Story()
        story.nanny += [{"t": 100.0 + n, "e": "killed", "failpoint": "random", "pid": 1} for n in range(60)]
        everything(story, 120)
        story.drop("model", lambda one: one.get("what") in rares - {rare})  # noqa: B023
        if rare != "sign in":
            story.drop("bot", lambda one: "Вход" in one.get("text", ""))
        assert story.finds("work_goes_on") == [], rare
    story.drop("model", lambda one: one.get("what") in rares)
    (found,) = story.finds("work_goes_on")
    assert found.about == "a withdrawal or a complaint or words that it is not solved or a sign-in"


def test_so_few_kills_that_chance_leaves_something_out_are_not_judged() -> None:
    story = good_day()
    story.nanny += [{"t": 2.0 + n, "e": "killed", "failpoint": "random", "pid": 1} for n in range(49)]
    assert story.finds("work_goes_on") == []


def test_stars_and_words_that_nobody_gave_are_found() -> None:
    for row, found in (
        ({"stars": "", "words": ""}, 0),
        ({"stars": "5", "words": ""}, 1),
        ({"stars": "", "words": "плохо"}, 1),
    ):
        story = good_day()
        story.report = [*(story.report or []), {"title": f"Мышь: {TWO}", **row}]
        assert [one.about for one in story.finds("every_rating_kept")] == [TWO] * found, row
