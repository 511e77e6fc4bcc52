"""News that come by letter, because their person has no chat at the moment, are looked at as those in a chat are."""

from __future__ import annotations

import pytest

from tests.fire.checker import CHECKS
from tests.fire.story import CHAT, NAMED, NUMBER, ONE, OTHER, TITLE, Story, good_day

DONE = f"Заявка {NAMED}: была в работе, теперь выполнена.\nПоддержка пишет: «desk0000001 готово»."
_SHUT = "Это письмо пришло потому, что чат imbot для нас закрыт. Чтобы новости приходили в чат, откройте его снова."
_OUT = "Чат imbot отвязан от вашего адреса, поэтому новости приходят на почту."


def by_letter(
    story: Story, t: float, news: str = DONE, message_id: str = "<n1@bot>", chat: int = CHAT, why: str = _SHUT
) -> None:
    text = f"Здравствуйте, Иван.\n\n{news}\n\n{why}\nВопросы: 00-11\n"
    story.accepted(t, text, message_id=message_id, subject=f"{NUMBER}: {TITLE}", rcpt=[f"u{chat}@example.test"])


def away() -> Story:
    """The good day of somebody who has no chat when the work is done."""
    story = good_day()
    story.drop("bot", lambda one: "desk0000001" in one.get("text", ""))
    return story


@pytest.mark.parametrize("why", [_SHUT, _OUT])
def test_what_a_letter_tells_is_told(why: str) -> None:
    story = away()
    assert [one.about for one in story.finds("every_status_told")] == [ONE]
    by_letter(story, 31, why=why)
    journals = story.journals()
    for check in CHECKS.values():
        assert check(journals) == [], check


def test_a_file_that_comes_with_the_letter_has_come() -> None:
    story = away()
    for one in story.itsm:
        one["files"] = ["plan.txt"] if one["action"] == "done" else []
    by_letter(story, 31)
    assert ["plan.txt" in one.words for one in story.finds("every_status_told")] == [True]
    story.smtp[-1]["files"] = [{"name": "plan.txt", "sha256": "ab"}]
    assert story.finds("every_status_told") == []


def test_a_letter_claims_no_more_than_a_chat_may() -> None:
    story = away()
    by_letter(story, 29)  # done at 30
    assert {one.about for one in story.finds("no_claim_without_fact")} == {ONE, "desk0000001"}


def test_nobody_gets_the_news_of_another() -> None:
    story = away()
    by_letter(story, 31, chat=OTHER)
    assert {one.about for one in story.finds("nobody_reads_anothers")} >= {ONE, "desk0000001"}


@pytest.mark.parametrize("first", ["in the chat", "by letter"])
def test_what_is_told_twice_is_found_whichever_way_it_came(first: str) -> None:
    story = good_day() if first == "in the chat" else away()
    by_letter(story, 32)
    if first == "by letter":
        by_letter(story, 33, message_id="<n2@bot>")
    assert [one.about for one in story.finds("no_unexcused_double_notice")] == [ONE]
    killed_at = 31.5 if first == "in the chat" else 32.5
    story.nanny.append({"t": killed_at, "e": "killed", "failpoint": "random", "pid": 1})
    assert story.finds("no_unexcused_double_notice") == []


def test_a_letter_and_a_chat_keep_an_order_each() -> None:
    story = good_day()
    story.said(31.5, "comment", "desk0000002")
    by_letter(story, 30.9, f"По заявке {NAMED} поддержка пишет: «desk0000002 ещё одно».")
    assert story.finds("in_order") == [], "one went by letter, the other in the chat"
    story.drop("bot", lambda one: "desk0000001" in one.get("text", ""))
    by_letter(story, 33, message_id="<n2@bot>")
    assert [one.about for one in story.finds("in_order")] == [ONE]


def test_a_file_that_follows_its_words_by_letter_says_them_no_second_time() -> None:
    story = good_day()
    words, name = f"По заявке {NAMED} поддержка пишет:\n«desk0000002 смотрите»", "desk0000002-94bea8184493.txt"
    story.said(35, "comment", "desk0000002")
    story.saw(36, 14, words)
    by_letter(story, 37, f"По заявке {NAMED} поддержка прислала файлы.\nФайлы: {name} (225 байт).")
    assert story.finds("no_unexcused_double_notice") == []
    by_letter(story, 38, words, "<n2@bot>")
    assert [one.about for one in story.finds("no_unexcused_double_notice")] == [ONE]
