"""The checks of conduct find what is wrong, and nothing where all is well."""

from __future__ import annotations

from tests.fire.checker import CHECKS
from tests.fire.story import (
    CHAT,
    FOLLOW_UP_SUBJECT,
    MORE,
    NAMED,
    ONE,
    OTHER,
    Story,
    follow_up_text,
    good_day,
    request_text,
)


def alive(story: Story, begin: float, end: float) -> None:
    story.nanny += [
        {"t": begin, "e": "started", "pid": 1, "failpoint": ""},
        {"t": end, "e": "killed", "pid": 1, "failpoint": "random"},
    ]


def polled(story: Story, t: float, offset: int | None) -> None:
    story.bot.append({"t": t, "e": "polled", "offset": offset})


def an_input(*, served: float, shown: bool = False, confirmed: bool = True) -> Story:
    story = Story()
    alive(story, 0, 11 + served)
    polled(story, 1, None)
    story.sent(10, update=7, message=1, text="принтер")
    polled(story, 11, 8 if confirmed else 7)
    if shown:
        story.saw(12, 2, "Проверьте заявку")
    return story


def test_all_named_checks_pass_a_good_day() -> None:
    story = good_day()
    for name in (
        "every_input_taken",
        "words_stand_once",
        "follow_ups_wait",
        "limits_kept",
        "no_storm",
        "codes_work_once",
    ):
        assert name in CHECKS
        assert story.finds(name) == []


def test_an_update_that_was_confirmed_and_never_carried_out_is_found() -> None:
    assert len(an_input(served=20).finds("every_input_taken")) == 1
    assert an_input(served=20, shown=True).finds("every_input_taken") == []
    assert an_input(served=20, confirmed=False).finds("every_input_taken") == []


def test_an_update_is_given_time_while_imbot_serves() -> None:
    story = an_input(served=3)
    assert story.finds("every_input_taken") == []
    alive(story, 20, 24)
    polled(story, 21, 8)
    assert len(story.finds("every_input_taken")) == 1


def test_who_goes_on_at_once_or_cannot_be_reached_is_not_waited_for() -> None:
    story = an_input(served=20)
    story.sent(13, update=8, message=3, text="алло")
    story.saw(14, 4, "Проверьте заявку")
    assert story.finds("every_input_taken") == []
    story = an_input(served=20)
    story.proxy += [{"t": 10, "e": "freeze", "leg": "telegram"}, {"t": 40, "e": "heal", "leg": "telegram"}]
    assert story.finds("every_input_taken") == []


def test_who_shuts_the_bot_out_is_shown_nothing() -> None:
    story = an_input(served=20)
    story.bot.append({"t": 12.5, "e": "blocked", "chat": CHAT})
    assert story.finds("every_input_taken") == []
    story.bot.append({"t": 1, "e": "blocked", "chat": OTHER})
    story.bot.pop(-2)
    assert len(story.finds("every_input_taken")) == 1


def test_a_second_tap_may_change_nothing() -> None:
    story = an_input(served=2, shown=True)
    for t, update in ((12.5, 8), (15, 9)):
        story.sent(t, "press", update=update, on=2, value="send")
    story.saw(14, 2, "Заявка сохранена", edit=True)  # nobody has read that when the second comes
    alive(story, 14, 60)
    polled(story, 16, 10)
    assert story.finds("every_input_taken") == []
    story.sent(22, "press", update=10, on=2, value="send")
    polled(story, 23, 11)
    assert len(story.finds("every_input_taken")) == 1


def test_the_second_of_two_taps_that_were_both_lost_is_found() -> None:
    story = an_input(served=2, shown=True)
    story.sent(12.5, "press", update=8, on=2, value="t:x")
    story.sent(20, "press", update=9, on=2, value="t:x")
    alive(story, 18, 60)
    polled(story, 21, 10)
    assert [one.words.split(" was ")[0] for one in story.finds("every_input_taken")] == ["press 't:x' at 20.00"]


def test_send_of_one_draft_below_another_of_its_reviews_is_a_second_tap() -> None:
    story = an_input(served=2, shown=True)
    story.sent(12.5, "press", update=8, on=2, value="k3:send")
    story.saw(13, 2, "Заявка сохранена", edit=True)
    story.sent(15, "press", update=9, on=3, value="k3:send")
    alive(story, 14, 60)
    polled(story, 22, 10)
    assert story.finds("every_input_taken") == []
    story.sent(23, "press", update=10, on=4, value="k4:send")
    polled(story, 24, 11)
    assert len(story.finds("every_input_taken")) == 1


def test_news_of_a_request_answer_nothing() -> None:
    story = an_input(served=20)
    story.saw(14, 4, f"Заявка {NAMED} принята. Поддержка обещает к 18:00.")
    assert len(story.finds("every_input_taken")) == 1


def test_a_refusal_on_order_excuses_the_chat_that_it_was_given_to() -> None:
    for chat, found in ((CHAT, 0), (OTHER, 1)):
        story = an_input(served=20)
        refused = {"method": "sendMessage", "chat": chat, "status": 502, "why": "", "ordered": True}
        story.bot.append({"t": 12, "e": "refused", **refused})
        assert len(story.finds("every_input_taken")) == found


def test_while_nothing_can_be_shown_to_anybody_nobody_is_waited_for() -> None:
    refused = {"e": "refused", "method": "sendMessage", "chat": OTHER, "status": 500, "why": "", "ordered": True}
    for times, found in ((range(13, 30), 0), (range(13, 20), 1), ((13, 14), 1)):
        story = an_input(served=20)
        story.bot += [{"t": t, **refused} for t in times]
        story.bot.append({"t": times[-1] + 1, "e": "saw", "chat": OTHER, "message": 1, "text": "", "buttons": []})
        assert len(story.finds("every_input_taken")) == found


def test_who_wrote_to_a_machine_that_sleeps_is_not_waited_for() -> None:
    for name, found in (("asleep", 0), ("stopped", 1)):
        story = an_input(served=9)
        story.nanny += [{"t": t, "e": e, "names": [name]} for t, e in ((13, "trial_asked"), (21, "trial_ended"))]
        assert len(story.finds("every_input_taken")) == found


def test_who_wrote_while_the_machine_stood_still_is_not_waited_for() -> None:
    for since, found in ((14.0, 0), (19.5, 1)):
        story = an_input(served=9)
        story.nanny.append({"t": 20, "e": "stalled", "since": since})
        assert len(story.finds("every_input_taken")) == found


def test_words_that_stand_twice_in_a_letter_are_found() -> None:
    story = Story()
    story.asked(3, "request", ONE, lines=[f"{ONE} мигает красным"], files=[])
    story.accepted(4, request_text(ONE, extra=f"{ONE} мигает красным"))
    assert [one.about for one in story.finds("words_stand_once")] == [ONE]
    for t in (1, 2):  # the person wrote it twice
        story.sent(t, text=f"{ONE} мигает красным")
    assert story.finds("words_stand_once") == []


def test_an_addition_before_the_number_is_found() -> None:
    story = good_day()
    story.accepted(15, follow_up_text(MORE), message_id="<a1@bot>", subject=FOLLOW_UP_SUBJECT)
    assert story.finds("follow_ups_wait") == []
    story.accepted(6, follow_up_text(MORE), message_id="<a2@bot>", subject=FOLLOW_UP_SUBJECT)
    assert [one.about for one in story.finds("follow_ups_wait")] == [ONE]


def test_many_refusals_of_telegram_are_found_and_ordered_ones_are_not() -> None:
    story = good_day()
    refusal = {"e": "refused", "method": "sendMessage", "chat": CHAT, "status": 429, "why": "Too Many Requests"}
    story.bot += [{"t": 50 + n, **refusal, "ordered": True} for n in range(20)]
    assert story.finds("limits_kept") == []
    story.bot += [{"t": 50 + n, **refusal} for n in range(5)]
    assert story.finds("limits_kept") == []
    story.bot += [{"t": 60, **refusal}]
    assert len(story.finds("limits_kept")) == 1


def test_refusals_of_what_was_kept_on_the_way_are_excused_as_it_arrives() -> None:
    refusal = {"e": "refused", "method": "sendMessage", "chat": CHAT, "status": 429, "why": "Too Many Requests"}
    for t, found in ((50, 0), (52, 1)):
        story = good_day()
        story.proxy += [{"t": 40, "e": "freeze", "leg": "telegram"}, {"t": 49.9, "e": "heal", "leg": "telegram"}]
        story.bot += [{"t": t + n / 100, **refusal} for n in range(20)]
        assert len(story.finds("limits_kept")) == found


def test_refusals_are_excused_only_right_behind_a_kill() -> None:
    refusal = {"e": "refused", "method": "sendMessage", "chat": CHAT, "status": 429, "why": "Too Many Requests"}
    for first_poll, found in ((48.0, 0), (46.5, 1)):
        story = good_day()
        story.bot += [{"t": 50 + n / 100, **refusal} for n in range(20)]
        alive(story, 0, 45)
        alive(story, 45.1, 90)
        for t in (1.0, first_poll):
            polled(story, t, None)
        assert len(story.finds("limits_kept")) == found


def test_a_storm_on_a_mail_server_that_is_down_is_found() -> None:
    story = Story()
    story.smtp = [{"t": 10, "e": "fault", "verb": "answer", "stage": "mail", "text": "421 later"}]
    story.smtp += [{"t": 11 + n, "e": "refused", "code": 421, "stage": "mail"} for n in range(30)]
    assert story.finds("no_storm") == []
    story.smtp += [{"t": 20 + n / 4, "e": "refused", "code": 421, "stage": "mail"} for n in range(8)]
    assert len(story.finds("no_storm")) == 1


def let_in(
    story: Story, t: float, words: str, *, chat: int = CHAT, shown: str = "Анна, здравствуйте. Вход выполнен."
) -> None:
    story.sent(t, chat=chat, text=words)
    story.saw(t + 1, int(t), shown, chat=chat)


def a_code(story: Story, t: float, code: str, link: str) -> None:
    text = f"Код для входа в чат поддержки: {code}\n\nПришлите его в чат или нажмите ссылку:\nhttps://t.me/bot?start={link}\n"
    story.accepted(
        t, text, message_id=f"<{link}@bot>", subject=f"Код для входа: {code}", rcpt=[f"u{CHAT}@example.test"]
    )


def asks_for_a_code(story: Story, t: float, chat: int = CHAT) -> None:
    story.sent(t, chat=chat, text=f"U{CHAT}@example.test")


def test_a_code_or_the_link_beside_it_that_lets_in_a_second_time_is_found() -> None:
    for again, chat in (("ABCD2345", CHAT), ("/start firstlink", CHAT), ("ABCD2345", OTHER)):
        story = good_day()
        for each in (CHAT, OTHER):
            asks_for_a_code(story, 99, each)
        a_code(story, 100, "ABCD-2345", "firstlink")
        let_in(story, 101, "ABCD2345")
        story.saw(103, 101, "Анна, здравствуйте. Вход выполнен.")  # shown once more, it is the same
        story.sent(104, text="/me")
        assert story.finds("codes_work_once") == []
        let_in(story, 110, again, chat=chat)
        assert [one.about for one in story.finds("codes_work_once")] == ["<firstlink@bot>"], again


def test_an_old_code_that_is_refused_and_a_fresh_one_that_is_not_are_well() -> None:
    story = good_day()
    asks_for_a_code(story, 99)
    a_code(story, 100, "ABCD-2345", "firstlink")
    let_in(story, 101, "ABCD2345")
    let_in(story, 110, "ABCD2345", shown="Код больше не действует. Пришлите рабочий адрес, и придёт новый.")
    let_in(story, 112, "/start firstlink", shown="Ссылка больше не действует. Пришлите рабочий адрес.")
    a_code(story, 120, "EFGH-6723", "secondlink")
    let_in(story, 121, "EFGH6723")
    assert story.finds("codes_work_once") == []


def test_a_code_that_lets_in_a_chat_that_did_not_ask_for_it_is_found() -> None:
    story = good_day()
    asks_for_a_code(story, 99)
    a_code(story, 100, "ABCD-2345", "firstlink")
    let_in(story, 101, "ABCD2345", chat=OTHER)
    assert [one.about for one in story.finds("codes_work_once")] == ["<firstlink@bot>"]


def test_letters_refused_for_good_are_no_storm_but_one_of_them_again_and_again_is() -> None:
    story = Story()
    story.smtp = [{"t": 10, "e": "fault", "verb": "answer", "stage": "data", "text": "552 too big"}]
    for n in range(30):
        story.smtp.append({"t": 11 + n / 4, "e": "refused", "code": 552, "stage": "data", "message_id": f"<{n}>"})
    assert story.finds("no_storm") == []
    for n in range(5):
        story.smtp.append({"t": 30 + n, "e": "refused", "code": 552, "stage": "data", "message_id": "<x>"})
    assert [one.about for one in story.finds("no_storm")] == ["<x>"]
