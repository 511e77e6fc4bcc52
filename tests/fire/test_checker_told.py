"""The checks of what persons are told find what is wrong, and nothing where all is well."""

from __future__ import annotations

import pytest

from tests.fire.checker import CHECKS
from tests.fire.facts import ITSM
from tests.fire.story import CHAT, NAMED, NUMBER, ONE, OTHER, TITLE, TWO, Story, good_day, request_text

DONE = f"Заявка {NAMED}: была в работе, теперь выполнена.\nПоддержка пишет: «desk0000001 готово»."


def test_sent_is_claimed_too_early() -> None:
    story = good_day()
    story.saw(3.6, 10, f"{TITLE}\nЗаявка отправлена в 09:14. Поддержка её ещё не подтвердила; номер придёт сюда.")
    assert [one.about for one in story.finds("no_claim_without_fact")] == [ONE]


def test_a_status_is_claimed_too_early_on_a_receipt_or_in_a_notice() -> None:
    for text in (f"{TITLE}\nЗаявка {NUMBER} выполнена.", DONE.replace("desk0000001", "всё")):
        story = good_day()
        story.saw(25, 14, text)
        assert [one.about for one in story.finds("no_claim_without_fact")] == [ONE], text


def test_what_was_dropped_at_their_request_is_a_claim_that_support_ended_it() -> None:
    for text in (f"{TITLE}\nЗаявка {NUMBER} снята по вашей просьбе.", f"Заявка {NAMED} снята по вашей просьбе."):
        story = good_day()
        story.saw(35, 14, text)
        assert any("rejected" in one.words for one in story.finds("no_claim_without_fact")), text


def test_what_a_status_was_before_is_a_claim_too() -> None:
    story = good_day()
    story.drop("itsm", lambda one: one["action"] == "start")
    found = story.finds("no_claim_without_fact")
    assert all("in_progress" in one.words for one in found)
    assert any("была в работе" in one.words for one in found)


def test_a_forged_letter_is_no_fact() -> None:
    story = good_day()
    for one in story.itsm:
        one["forged"] = one["action"] == "done"
    assert story.finds("no_claim_without_fact")


def test_a_number_of_another_request_is_found() -> None:
    story = good_day()
    story.saw(12, 14, f"Заявка IM-CL-9 «{TITLE}» принята.")
    assert ["IM-CL-9" in one.words for one in story.finds("no_claim_without_fact")] == [True]


def test_a_bounce_is_claimed_only_where_there_was_one() -> None:
    story = good_day()
    story.saw(6, 14, f"Пришло сообщение, что письмо по заявке «{TITLE}» до поддержки не дошло. Всё сохранено.")
    assert len(story.finds("no_claim_without_fact")) == 1
    story.said(5, "bounce", bounce=True, number="")
    assert story.finds("no_claim_without_fact") == []


def test_photos_are_claimed_only_with_letters_that_bear_them() -> None:
    story = good_day()
    story.saw(4.6, 10, f"{TITLE}\nЗаявка отправлена в 09:14. Номер придёт сюда.\nПриложено 2 фото.")
    assert len(story.finds("no_claim_without_fact")) == 1
    story.smtp[0]["files"] = [{"sha256": "a"}, {"sha256": "b"}]
    assert story.finds("no_claim_without_fact") == []


def test_words_that_support_never_said_are_found() -> None:
    story = good_day()
    story.saw(12, 14, f"По заявке {NAMED} поддержка пишет:\n«desk0000077»")
    assert [one.about for one in story.finds("no_claim_without_fact")] == ["desk0000077"]


def test_a_fact_counts_from_when_the_mailbox_may_have_had_it() -> None:
    story = good_day()
    story.drop("bot", lambda one: one.get("message") == 12)
    story.saw(29.95, 12, DONE)  # the letter was on its way since 29.9
    assert story.finds("no_claim_without_fact") == []


@pytest.mark.parametrize("message", [11, 12])
def test_a_status_that_was_not_told_is_found(message: int) -> None:
    story = good_day()
    story.drop("bot", lambda one: one.get("message") == message)
    assert [one.about for one in story.finds("every_status_told")] == [ONE]


def test_a_receipt_that_stays_behind_is_found() -> None:
    story = good_day()
    story.drop("bot", lambda one: one.get("text", "").endswith("выполнена."))
    assert ["receipt" in one.words for one in story.finds("every_status_told")] == [True]


def test_a_request_without_a_receipt_is_found() -> None:
    story = good_day()
    story.drop("bot", lambda one: one.get("message") == 10)
    assert ["no receipt" in one.words for one in story.finds("every_status_told")] == [True]


def test_work_that_goes_on_needs_no_message_of_its_own() -> None:
    story = good_day()
    story.drop("bot", lambda one: "в работе. Поддержка обещает" in one.get("text", ""))  # the receipt skipped it
    assert story.finds("every_status_told") == []


def test_repeated_older_and_forged_letters_need_not_be_told() -> None:
    story = good_day()
    story.said(32, "done", "desk0000001", repeat=True)
    story.said(33, "register", at=9)
    story.said(34, "reject", "desk0000005", forged=True)
    assert story.finds("every_status_told") == []


def test_words_of_a_comment_and_its_file_must_come() -> None:
    story = good_day()
    story.said(15, "comment", "desk0000003", files=["desk0000003.txt"])
    assert len(story.finds("every_status_told")) == 2
    story.saw(15.5, 20, f"По заявке {NAMED} поддержка пишет:\n«desk0000003 смотрите»")
    story.saw(15.6, 21, "Файл поддержки по заявке", files=[{"name": "desk0000003.txt", "size": 9}])
    assert story.finds("every_status_told") == []


def test_a_file_that_found_no_room_is_named_and_only_while_the_disk_is_full() -> None:
    story = good_day()
    story.said(15, "comment", "desk0000003", files=["desk0000003.txt"])
    left_out = "Не передали desk0000003.txt (9 байт): сейчас не смогли его принять."
    story.saw(15.5, 20, f"По заявке {NAMED} поддержка пишет:\n«desk0000003 смотрите»\n{left_out}")
    assert len(story.finds("every_status_told")) == 1
    story.nanny += [{"t": t, "e": f"trial_{e}", "names": ["disk_full"]} for t, e in ((14, "asked"), (15.2, "ended"))]
    assert story.finds("every_status_told") == []
    story.nanny[-1]["t"] = 14.5  # it was well again when the letter came
    assert len(story.finds("every_status_told")) == 1


def test_the_details_of_a_ticket_are_no_notice() -> None:
    story = good_day()
    story.said(15, "comment", "desk0000003")
    story.saw(15.5, 20, f"{TITLE}\n{NUMBER}, принята.\n09:20: поддержка пишет: «desk0000003»")
    assert len(story.finds("every_status_told")) == 1


def test_a_notice_told_twice_is_found_unless_a_kill_came_right_behind_the_first() -> None:
    story = good_day()
    story.saw(35, 15, DONE)
    assert [one.about for one in story.finds("no_unexcused_double_notice")] == [ONE]
    story.nanny.append({"t": 31.5, "e": "killed", "failpoint": "notice_sent", "pid": 1})
    journals = story.journals()
    assert CHECKS["no_unexcused_double_notice"](journals) == []
    assert journals.excused["told twice: kill"] == 1
    story.saw(36, 16, DONE)
    assert len(story.finds("no_unexcused_double_notice")) == 1


def test_what_telegram_was_asked_to_show_before_a_kill_and_showed_late_may_be_told_twice() -> None:
    for waited, found in (({"late": 4.0}, 0), ({}, 1), ({"late": 1.0}, 1)):
        story = good_day()
        story.saw(35, 15, DONE)
        first = next(one for one in story.bot if one["e"] == "saw" and one["text"] == DONE)
        first |= waited
        story.nanny.append({"t": first["t"] - 2, "e": "killed", "failpoint": "random", "pid": 1})
        assert len(story.finds("no_unexcused_double_notice")) == found


def test_a_notice_told_again_is_excused_where_imbot_ended_before_it_could_be_noted() -> None:
    story = good_day()
    story.saw(60, 15, DONE)
    for name, found in (("db_locked", 0), ("disk_full_for_files", 1)):
        story.nanny = [{"t": t, "e": f"trial_{e}", "names": [name]} for t, e in ((29, "asked"), (50, "ended"))]
        story.nanny.append({"t": 45, "e": "ended", "code": 0})
        assert len(story.finds("no_unexcused_double_notice")) == found
    story.nanny = [{**one, "names": ["db_locked"]} for one in story.nanny[:2]]  # it went on, and noted it in the end
    assert len(story.finds("no_unexcused_double_notice")) == 1


def test_a_message_that_is_edited_is_no_second_one() -> None:
    story = good_day()
    story.saw(35, 12, DONE, edit=True)
    assert story.finds("no_unexcused_double_notice") == []


def test_two_questions_with_words_of_their_own_are_two_messages() -> None:
    story = Story()
    story.asked(1, "request", ONE)
    story.accepted(2, request_text(ONE))
    for t, words in ((10, "desk0000004"), (20, "desk0000005")):
        story.said(t, "ask", words)
        story.saw(t + 1, t, f"Заявка {NAMED} ждёт вашего ответа.\nПоддержка спрашивает: «{words}?»")
    assert story.finds("no_unexcused_double_notice") == []


def test_a_second_receipt_is_found() -> None:
    story = good_day()
    story.saw(5, 17, f"{TITLE}\nЗаявка сохранена и уже отправляется в поддержку.")
    assert ["receipt" in one.words for one in story.finds("no_unexcused_double_notice")] == [True]


def test_done_told_before_registered_is_found() -> None:
    story = good_day()
    story.drop("bot", lambda one: one.get("message") == 11)
    story.saw(33, 11, f"Заявка {NAMED} принята. Поддержка обещает к 18:00.")
    assert [one.about for one in story.finds("in_order")] == [ONE]


def test_a_maildir_may_number_two_letters_of_a_moment_as_it_likes_and_their_words_are_told_all_the_same() -> None:
    def asked_and_done(
        apart: float, *, maildir: bool, comment: str = "desk0000801 когда к вам можно подойти?"
    ) -> list[str]:
        story = good_day()
        story.said(25, "ask", "desk0000801")
        story.said(25 + apart, "start")
        story.nanny += [{"t": 1.0, "e": "maildir"}] if maildir else []
        if comment:
            story.saw(26, 31, f"По заявке {NAMED} поддержка пишет:\n«{comment}»")
        return [one.words for one in story.finds("every_status_told")]

    assert asked_and_done(0.5, maildir=True) == []
    assert len(asked_and_done(0.5, maildir=False)) == 1
    assert len(asked_and_done(4, maildir=True)) == 1
    assert len(asked_and_done(0.5, maildir=True, comment="")) == 1


def test_a_receipt_that_goes_back_is_found() -> None:
    story = good_day()
    story.saw(32, 10, f"{TITLE}\nЗаявка {NUMBER} принята. Поддержка обещает к 18:00.", edit=True)
    assert ["goes back" in one.words or "behind" in one.words for one in story.finds("in_order")] == [True]


def test_work_taken_up_again_may_be_done_twice() -> None:
    story = good_day()
    story.said(50, "reopen", "desk0000006")
    story.saw(51, 30, f"Заявка {NAMED}: была выполнена, теперь в работе.\nПоддержка пишет: «desk0000006».")
    story.saw(51.1, 10, f"{TITLE}\nЗаявка {NUMBER} в работе.", edit=True)
    story.said(60, "done", "desk0000007")
    story.saw(61, 31, f"Заявка {NAMED}: была в работе, теперь выполнена.\nПоддержка пишет: «desk0000007».")
    story.saw(61.1, 10, f"{TITLE}\nЗаявка {NUMBER} выполнена.", edit=True)
    for check in ("every_status_told", "no_unexcused_double_notice", "in_order", "no_claim_without_fact"):
        assert story.finds(check) == [], check


def test_what_stands_in_anothers_chat_is_found() -> None:
    story = good_day()
    story.saw(50, 40, f"Заявка {NAMED} принята.", chat=OTHER)
    assert [one.about for one in story.finds("nobody_reads_anothers")] == [ONE]


def test_a_button_or_a_file_can_give_it_away_too() -> None:
    story = good_day()
    story.saw(50, 40, "Мои заявки", chat=OTHER, buttons=[[{"label": f"1. {ONE}", "value": "t:x"}]])
    story.saw(51, 41, "Файл", chat=OTHER, files=[{"name": f"{ONE}.txt", "size": 1}])
    assert len(story.finds("nobody_reads_anothers")) == 2


def test_words_of_support_in_anothers_chat_are_found() -> None:
    story = good_day()
    story.saw(50, 40, "По заявке «Мышь» поддержка пишет:\n«desk0000001 готово»", chat=OTHER)
    assert [one.about for one in story.finds("nobody_reads_anothers")] == ["desk0000001"]


def test_a_forgery_that_was_told_is_found() -> None:
    story = good_day()
    story.said(35, "comment", "desk0000008", forged=True)
    assert story.finds("nobody_reads_anothers") == []
    story.saw(36, 40, f"По заявке {NAMED} поддержка пишет:\n«desk0000008 ложь»")
    assert [one.about for one in story.finds("nobody_reads_anothers")] == ["desk0000008"]


def test_an_admin_may_read_an_alert() -> None:
    story = good_day()
    story.saw(50, 40, f"Письмо по заявке «{TITLE}» вернулось: адреса нет.", chat=OTHER)
    assert len(story.finds("nobody_reads_anothers")) == 1
    assert story.finds("nobody_reads_anothers", admins=frozenset({OTHER})) == []


def test_a_letter_with_anothers_words_or_address_is_found() -> None:
    story = good_day()
    story.asked(3, "request", TWO, chat=OTHER, lines=[])
    story.smtp[0]["text"] = request_text(ONE, extra=f"{TWO} и u{OTHER}@example.test")
    found = story.finds("nobody_reads_anothers")
    assert {one.about for one in found} == {TWO, "<r1@bot>"}
    assert CHAT != OTHER


def test_a_request_that_came_back_and_nobody_was_told_is_found() -> None:
    story = good_day()
    story.said(5, "bounce", bounce=True, number="")
    assert ["came back" in one.words for one in story.finds("every_status_told")] == [True]
    story.saw(6, 20, f"Пришло сообщение, что письмо по заявке «{TITLE}» до поддержки не дошло. Всё сохранено.")
    assert story.finds("every_status_told") == []


def test_a_report_of_the_post_behind_the_registration_need_not_be_told() -> None:
    story = good_day()
    story.said(12, "bounce", bounce=True, number="")
    assert story.finds("every_status_told") == []


def test_a_refusal_without_its_reason_is_found() -> None:
    closed = f"Заявка {NAMED} уже закрыта, дополнить её нельзя.\nМожно создать новую, она сошлётся на эту."
    late = f"Эта заявка уже завершена, снимать нечего.\n\n{TITLE}\n{NUMBER}, выполнена."
    stars = f"Оценку заявки {NAMED} сейчас поставить нельзя: оценить можно выполненную заявку."
    for text, t, found in (
        (closed, 45, 1), (late, 25, 1), (late, 45, 0), (stars, 45, 1), (stars, 25, 0), ("Такой заявки не нашлось.", 45, 1),
    ):  # fmt: skip
        story = good_day()
        story.saw(t, 20, text)
        assert len(story.finds("no_claim_without_fact")) == found, (text, t)
    story = good_day()
    story.said(42, "close")
    story.saw(45, 20, closed)
    assert story.finds("no_claim_without_fact") == []


def test_stars_given_by_a_clock_that_is_a_day_off_may_not_be_changed_by_the_right_one() -> None:
    for name, rated, found in (("clock_behind", 42, 0), ("clock_behind", 30, 1), ("asleep", 42, 1)):
        story = good_day()
        story.nanny += [{"t": t, "e": e, "names": [name]} for t, e in ((41, "trial_asked"), (43, "trial_ended"))]
        story.sent(rated, "press", value="rate:own:4", on=13)
        story.saw(45, 20, f"Оценку заявки {NAMED} сейчас поставить нельзя: оценить можно выполненную заявку.")
        assert len(story.finds("no_claim_without_fact")) == found


def test_there_is_no_such_request_only_for_who_names_anothers() -> None:
    for pressed, pried, again, found in (
        ("t:theirs", "t:theirs", False, 0), ("t:own", "t:theirs", False, 1), ("t:theirs", "t:theirs", True, 0),
    ):  # fmt: skip
        story = good_day()
        story.model.append({"t": 44, "e": "pried", "chat": CHAT, "value": pried})
        story.sent(44, "press", value=pressed, on=13)
        story.saw(45, 20, "Такой заявки не нашлось.", buttons=[[{"label": "Меню", "value": "menu"}]])
        story.sent(60, "press", value="t:own", on=20)
        if again:  # it loses its buttons, and says nothing by that
            story.saw(61, 20, "Такой заявки не нашлось.", buttons=[])
        assert len(story.finds("no_claim_without_fact")) == found, pressed


def test_the_same_words_by_themselves_twice_are_found() -> None:
    story = good_day()
    for t, message in ((35, 15), (36, 16)):
        story.saw(t, message, f"К заявке {NAMED} поддержка прислала файл.")
    assert len(story.finds("no_unexcused_double_notice")) == 1


def test_a_file_of_another_in_a_letter_is_found() -> None:
    story = good_day()
    story.asked(5, "request", TWO, chat=OTHER, lines=[], files=[{"name": "a.png", "size": 1, "sha256": "ab" * 32}])
    story.smtp[0]["files"] = [{"name": "a.png", "sha256": "ab" * 32}]
    assert [one.about for one in story.finds("nobody_reads_anothers")] == ["<r1@bot>"]


def test_a_letter_to_somebody_else_is_found() -> None:
    for rcpt, found in (([ITSM, "u1002@example.test"], 2), (["u1002@example.test"], 1), (["tom@example.test"], 0)):
        story = good_day()
        story.accepted(50, request_text(ONE), message_id="<x@bot>", rcpt=rcpt)
        assert len([one for one in story.finds("nobody_reads_anothers") if one.about == "<x@bot>"]) == found, rcpt


def test_a_letter_to_whom_nobody_knows_is_found() -> None:
    story = good_day()
    story.accepted(50, "Заявка", message_id="<x@bot>", rcpt=["someone@else.test"])
    assert [one.about for one in story.finds("nobody_reads_anothers")] == ["<x@bot>"]


def test_that_much_is_held_back_excuses_nothing_where_there_was_not_much() -> None:
    story = good_day()
    story.said(15, "comment", "desk0000003")
    story.saw(15.5, 20, f"Поддержка присылает по заявке {NAMED} очень много сообщений. Остальные здесь не показываем.")
    assert len(story.finds("every_status_told")) == 1
    for n in range(21):
        story.said(16 + n / 10, "comment", f"desk00001{n:02d}")
    assert story.finds("every_status_told") == []


def test_a_file_of_support_with_other_bytes_has_not_come() -> None:
    name = f"desk0000002-{'ab' * 6}.txt"
    for sha256, found in (("ab" * 32, 0), ("cd" * 32, 1)):
        story = good_day()
        story.said(32, "comment", "desk0000002", files=[name])
        words = f"По заявке {NAMED} поддержка пишет:\n«desk0000002 смотрите вложение»"
        story.saw(33, 20, words)
        story.saw(33.5, 21, "", files=[{"name": name, "sha256": sha256}])
        assert len(story.finds("every_status_told")) == found
