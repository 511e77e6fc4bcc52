"""The checks of letters find what is wrong, and nothing where all is well."""

from __future__ import annotations

import pytest

from tests.fire.checker import CHECKS, main, run_checks
from tests.fire.story import (
    CHAT,
    FOLLOW_UP_SUBJECT,
    MORE,
    ONE,
    OTHER,
    TITLE,
    TWO,
    Story,
    follow_up_text,
    good_day,
    request_text,
)

LAST = "fire0000010"
FILE = {"name": "photo-1.png", "size": 70, "sha256": "ab12"}


def with_addition() -> Story:
    story = good_day()
    story.sent(24, "press", value="k:send", on=14)
    story.asked(24.1, "addition", MORE, of=ONE, files=[])
    story.accepted(25, follow_up_text(MORE), message_id="<a1@bot>", subject=FOLLOW_UP_SUBJECT, references="<r1@bot>")
    return story


def test_a_good_day_has_no_findings() -> None:
    assert run_checks(good_day().journals()) == []
    assert run_checks(with_addition().journals()) == []


def test_a_lost_request_is_found() -> None:
    story = good_day()
    story.drop("smtp", lambda one: True)
    assert [one.about for one in story.finds("every_request_arrives")] == [ONE]


def test_words_that_are_missing_or_were_edited_away_are_found() -> None:
    story = good_day()
    story.model[1]["lines"] = [f"{ONE} мигает красным", "бумага есть"]
    story.model[1]["gone"] = ["мигает"]
    assert len(story.finds("every_request_arrives")) == 2


def test_a_letter_that_nobody_sent_is_found() -> None:
    story = good_day()
    story.model.append({"t": 5, "e": "planned", "chat": CHAT, "marker": TWO})
    story.accepted(6, request_text(TWO), message_id="<r2@bot>")
    assert [one.about for one in story.finds("every_request_arrives")] == [TWO]


def test_a_request_with_two_message_ids_is_found() -> None:
    story = good_day()
    story.accepted(5, request_text(ONE), message_id="<other@bot>")
    assert [one.about for one in story.finds("one_message_id")] == [ONE]


def test_an_addition_with_two_message_ids_is_found() -> None:
    story = with_addition()
    story.accepted(26, follow_up_text(MORE), message_id="<a2@bot>", subject=FOLLOW_UP_SUBJECT)
    assert [one.about for one in story.finds("one_message_id")] == [MORE]


def test_a_letter_twice_without_a_reason_is_found() -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    assert len(story.finds("no_unexcused_double_letter")) == 1


def test_a_code_or_an_alert_twice_without_a_reason_is_found_as_well() -> None:
    story = good_day()
    for t in (50, 60):
        story.accepted(
            t, "Письмо отложено", subject="imbot: карантин", message_id="<n1@bot>", rcpt=["tom@example.test"]
        )
    assert [one.about for one in story.finds("no_unexcused_double_letter")] == ["<n1@bot>"]
    story.nanny.append({"t": 50.5, "e": "killed", "failpoint": "smtp_250", "pid": 1})
    assert story.finds("no_unexcused_double_letter") == []


@pytest.mark.parametrize(("kill", "found"), [(4.5, 0), (3.95, 0), (3.8, 1), (5.1, 1)])
def test_a_kill_excuses_a_second_letter_only_within_a_second_behind_the_first(kill: float, found: int) -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.nanny.append({"t": kill, "e": "killed", "failpoint": "smtp_250", "pid": 1})
    assert len(story.finds("no_unexcused_double_letter")) == found


def test_a_kill_behind_both_letters_excuses_neither() -> None:
    story = good_day()
    story.accepted(4.2, request_text(ONE))
    story.nanny.append({"t": 4.9, "e": "killed", "failpoint": "random", "pid": 1})
    assert len(story.finds("no_unexcused_double_letter")) == 1


@pytest.mark.parametrize(("connected", "found"), [(3.85, 1), (4.1, 0)])
def test_what_was_on_its_way_when_imbot_died_is_known_by_its_wire(connected: float, found: int) -> None:
    """The first letter came 0.2 s behind the kill: by a wire of the life before, or of the one that follows."""
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.nanny.append({"t": 3.8, "e": "killed", "failpoint": "random", "pid": 1})
    story.proxy += [{"t": t, "e": "connected", "leg": "smtp"} for t in (1, connected)]
    assert len(story.finds("no_unexcused_double_letter")) == found


@pytest.mark.parametrize(
    ("leg", "healed", "found"), [("smtp", 8, 0), ("smtp", 3.5, 0), ("smtp", 2.5, 1), ("imap", 8, 1)]
)
def test_a_cut_of_the_way_to_the_mail_server_excuses_a_second_letter(leg: str, healed: float, found: int) -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.proxy += [{"t": 2, "e": "freeze", "leg": leg}, {"t": healed, "e": "heal", "leg": "*"}]
    assert len(story.finds("no_unexcused_double_letter")) == found


def test_an_answer_that_the_sink_held_back_excuses_a_second_letter() -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.smtp.append({"t": 4.01, "e": "dropped", "n": 1, "message_id": "<r1@bot>"})
    journals = story.journals()
    assert CHECKS["no_unexcused_double_letter"](journals) == []
    assert sum(journals.excused.values()) == 1


def test_send_again_excuses_a_second_letter_and_no_third() -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.asked(8, "resend", of=ONE)
    assert story.finds("no_unexcused_double_letter") == []
    story.accepted(12, request_text(ONE))
    assert len(story.finds("no_unexcused_double_letter")) == 1


def test_an_old_button_to_send_again_excuses_it_as_well_and_another_requests_does_not() -> None:
    story = good_day()
    story.accepted(9, request_text(ONE))
    story.saw(6, 70, f"{ONE} мигает красным")
    story.saw(7, 70, f"fire9999999 что-то другое\n{ONE} стоит ниже", edit=True)
    story.sent(8, "press", update=90, on=70, value="rs:other")
    assert len(story.finds("no_unexcused_double_letter")) == 1
    story.saw(7.5, 71, f"{ONE} мигает красным")
    story.sent(8, "press", update=91, on=71, value="rs:this")
    assert story.finds("no_unexcused_double_letter") == []


def test_what_is_sent_again_must_arrive_again() -> None:
    story = good_day()
    story.itsm.clear()
    story.said(6, "bounce", bounce=True, number="")
    story.asked(8, "resend", of=ONE)
    assert [one.about for one in story.finds("every_request_arrives")] == [ONE]
    story.accepted(9, request_text(ONE))
    assert story.finds("every_request_arrives") == []


def test_a_lost_addition_is_found() -> None:
    story = with_addition()
    story.drop("smtp", lambda one: one["message_id"] == "<a1@bot>")
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [MORE]


def test_an_addition_to_another_request_is_found() -> None:
    story = with_addition()
    story.smtp[-1]["subject"] = FOLLOW_UP_SUBJECT.replace("7KQ2MXPA4T", "AAAAAAAAAA")
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [MORE]


def test_an_addition_that_nobody_sent_is_found() -> None:
    story = with_addition()
    story.drop("model", lambda one: one.get("what") == "addition")
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [MORE]


def test_an_addition_that_the_chat_refused_need_not_arrive_and_must_not() -> None:
    story = with_addition()
    refusal = f"Заявка {TITLE} уже закрыта, дополнить её нельзя."
    story.saw(24.5, 14, refusal)
    no = {"what": "addition", "chat": CHAT, "marker": MORE, "of": ONE, "message": 14, "text": refusal}
    story.model.append({"t": 24.6, "e": "told_no", **no})
    assert len(story.finds("every_addition_arrives_once")) == 1
    story.drop("smtp", lambda one: one["message_id"] == "<a1@bot>")
    assert story.finds("every_addition_arrives_once") == []
    story.drop("bot", lambda one: one.get("text") == refusal)  # the model says so, the chat does not
    assert len(story.finds("every_addition_arrives_once")) == 1
    asked = next(one["t"] for one in story.model if one.get("what") == "addition" and one["e"] == "asked")
    story.saw(asked - 1.5, 14, refusal)  # answered before a busy rig had noted that it was asked for
    assert len(story.finds("every_addition_arrives_once")) == 1
    story.model.insert(0, {"t": asked - 2.5, "e": "planned", "chat": CHAT, "marker": MORE})
    assert story.finds("every_addition_arrives_once") == []


def test_not_solved_may_go_as_an_addition_where_the_work_was_taken_up_again_and_nowhere_else() -> None:
    story = good_day()
    story.asked(45, "not_solved", MORE, of=ONE)
    story.accepted(46, follow_up_text(MORE), message_id="<a1@bot>", subject=FOLLOW_UP_SUBJECT)
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [MORE]
    story.said(44, "reopen")
    assert story.finds("every_addition_arrives_once") == []


def test_an_addition_to_what_never_got_a_number_may_wait() -> None:
    story = with_addition()
    story.drop("smtp", lambda one: one["message_id"] == "<a1@bot>")
    story.itsm.clear()
    assert story.finds("every_addition_arrives_once") == []


def test_a_withdrawal_that_does_not_go_out_is_found_unless_the_request_was_ended() -> None:
    story = good_day()
    story.asked(25, "withdraw", of=ONE)
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [ONE]
    story.said(26, "withdrawn", "desk0000002")  # whoever answers a letter has had it
    assert len(story.finds("every_addition_arrives_once")) == 1
    story.said(9, "reject", "desk0000002")  # the first that was heard of it, and the wish still waited for a number
    assert story.finds("every_addition_arrives_once") == []


def test_a_withdrawal_that_nobody_asked_for_is_found() -> None:
    story = good_day()
    text = f"Сотруднику больше не нужна помощь.\n\nЗаявка: {TITLE}\nМетку imb:7KQ2MXPA4T"
    story.accepted(25, text, message_id="<w@bot>", subject="Отзыв заявки № IM-CL-1042 [imb:7KQ2MXPA4T]")
    assert [one.about for one in story.finds("every_addition_arrives_once")] == [ONE]
    story.asked(24, "withdraw", of=ONE)
    assert story.finds("every_addition_arrives_once") == []


def test_a_file_that_stands_in_no_letter_is_found() -> None:
    story = good_day()
    story.model[1]["files"] = [FILE]
    assert [one.about for one in story.finds("files_arrive")] == [ONE]


def test_a_file_may_come_in_the_request_or_behind_it_or_be_named_as_left_out() -> None:
    for way in ("with it", "behind it", "left out"):
        story = good_day()
        story.model[1]["files"] = [FILE]
        if way == "with it":
            story.smtp[0]["files"] = [FILE]
        elif way == "behind it":
            subject = f"Файлы к заявке № IM-CL-1042: {TITLE} [imb:7KQ2MXPA4T]"
            story.accepted(9, "Файлы к заявке", message_id="<f@bot>", subject=subject, files=[FILE])
        else:
            story.smtp[0]["text"] = request_text(ONE, extra="Не вложено: photo-1.png, не удалось получить.")
            assert [one.about for one in story.finds("files_arrive")] == [ONE], "nothing was in its way"
            story.proxy += [{"t": 3, "e": "freeze", "leg": "telegram"}, {"t": 8, "e": "heal", "leg": "*"}]
            no = {"t": 3.5, "e": "refused", "ordered": True, "method": "getFile", "status": 500, "chat": None}
            story.bot.append(no)
            assert [one.about for one in story.finds("files_arrive")] == [ONE], "what passes in a moment is waited for"
            story.bot[-1] = {**no, "status": 400}
        assert story.finds("files_arrive") == [], way


def test_files_that_follow_in_two_letters_are_found() -> None:
    story = good_day()
    subject = f"Файлы к заявке № IM-CL-1042: {TITLE} [imb:7KQ2MXPA4T]"
    for t, message_id in ((11, "<f1@bot>"), (12, "<f1@bot>"), (13, "<f2@bot>")):
        story.accepted(t, "Файлы к заявке", message_id=message_id, subject=subject, files=[FILE])
    assert len(story.finds("one_message_id")) == 1
    story.smtp.pop()
    assert story.finds("one_message_id") == []


def test_an_addition_that_overtakes_another_is_found_unless_that_brings_files() -> None:
    for files, found in (([], 1), ([FILE], 0)):
        story = good_day()
        story.asked(25, "addition", MORE, of=ONE, files=files)
        story.asked(26, "addition", LAST, of=ONE, files=[])
        for t, marker in ((28, LAST), (29, MORE)):
            story.accepted(
                t, follow_up_text(marker), message_id=f"<{marker}@bot>", subject=FOLLOW_UP_SUBJECT, files=files
            )
        assert len(story.finds("every_addition_arrives_once")) == found


def test_a_file_in_the_letter_of_another_request_is_no_help() -> None:
    story = good_day()
    story.model[1]["files"] = [FILE]
    story.asked(3, "request", TWO, chat=OTHER, lines=[])
    story.accepted(6, request_text(TWO, OTHER), message_id="<r2@bot>", subject="Иное [imb:AAAAAAAAAA]", files=[FILE])
    assert [one.about for one in story.finds("files_arrive")] == [ONE]


def test_the_command_says_what_it_found(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    import csv
    import json

    story = good_day()
    for name, events in (
        ("botapi", story.bot), ("smtp", story.smtp), ("itsm", story.itsm), ("model", story.model), ("nanny", [])
    ):  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    with (tmp_path / "report.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["title", "stars", "words"])
        rows.writeheader()
        rows.writerows(story.report or [])
    assert main([str(tmp_path)]) == 0
    letters = (tmp_path / "smtp.jsonl").read_text()
    (tmp_path / "smtp.jsonl").write_text(
        letters.replace("мигает", "молчит").replace("\\u043c\\u0438\\u0433", "\\u043c")
    )
    assert main([str(tmp_path)]) == 1
    assert f"every_request_arrives {ONE}" in capsys.readouterr().out
    (tmp_path / "smtp.jsonl").write_text("")
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2


def test_a_file_that_follows_a_number_which_never_came_is_excused_and_no_other() -> None:
    story = good_day()
    story.model[1]["files"] = [FILE]
    assert [one.about for one in story.finds("files_arrive")] == [ONE]
    for one in story.smtp:
        one["t"] += 600
    assert [one.about for one in story.finds("files_arrive")] == [ONE]  # it had its number
    story.itsm.clear()
    assert story.finds("files_arrive") == []


def test_a_request_that_was_kept_waiting_is_found_unless_the_mail_server_was_away() -> None:
    story = good_day()
    for one in story.smtp:
        one["t"] += 900
    assert [one.about for one in story.finds("letters_leave_in_time")] == [ONE]
    story.smtp += [{"t": 20, "e": "fault", "verb": "answer"}, {"t": 800, "e": "fault", "verb": "clear"}]
    assert story.finds("letters_leave_in_time") == []
