from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.domain.notices import comment_notice, failure_notice, notices_for, silence_notice
from imbot.domain.people import Person
from imbot.domain.tickets import (
    ANSWERED,
    DONE,
    GRANTED,
    OWN_DESK,
    Change,
    Status,
    StatusReport,
    Ticket,
    apply,
    may_add,
    may_rate,
    may_reopen,
    may_see,
    may_withdraw,
    title_of,
)

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TICKET = Ticket(
    id="t1",
    person_id=1,
    chat_key="telegram:1",
    title="Принтер: мигает",
    backend="inframanager",
    token="imb:7KQ2MXPA4T",
    message_id="<a@b>",
    created_at=NOW - timedelta(hours=1),
)


def report(status: Status | None, minutes: int = 0, number: str = "", **fields: str) -> StatusReport:
    return StatusReport("inframanager", status, number, fields, NOW + timedelta(minutes=minutes))


def applied(ticket: Ticket, *reports: StatusReport) -> Ticket:
    for one in reports:
        change = apply(ticket, one, NOW + timedelta(days=1))
        ticket = change.ticket if change else ticket
    return ticket


def changed(ticket: Ticket, one: StatusReport) -> Change:
    change = apply(ticket, one, NOW + timedelta(days=1))
    assert change is not None
    return change


def test_registration_brings_number_and_promise() -> None:
    change = changed(TICKET, report(Status.REGISTERED, number="IM-CL-1042", promised="2026-11-21T18:00:00+03:00"))
    assert (change.old, change.new, change.what) == (Status.NEW, Status.REGISTERED, "status")
    assert change.ticket.number == "IM-CL-1042"
    assert change.ticket.registered_at == NOW
    assert change.ticket.promised_at == datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
    assert notices_for(change)[0].name == "registered"


def test_the_same_report_twice_changes_nothing_the_second_time() -> None:
    one = report(Status.REGISTERED, number="IM-CL-1042")
    assert apply(applied(TICKET, one), one, NOW) is None


def test_of_one_second_begun_is_older_than_done_in_whatever_order_the_letters_lie() -> None:
    begun, done = report(Status.IN_PROGRESS, 2), report(Status.RESOLVED, 2)
    assert applied(TICKET, begun, done).status is Status.RESOLVED
    assert applied(TICKET, done, begun).status is Status.RESOLVED
    assert applied(TICKET, done, report(Status.IN_PROGRESS, 3)).status is Status.IN_PROGRESS
    asked = replace(applied(TICKET, done), asked="reopen")
    assert applied(asked, begun).status is Status.IN_PROGRESS


def test_an_older_report_changes_nothing() -> None:
    ticket = applied(TICKET, report(Status.RESOLVED, 10))
    assert apply(ticket, report(Status.IN_PROGRESS, 5), NOW + timedelta(days=1)) is None


def test_a_report_from_the_future_counts_as_now() -> None:
    change = apply(TICKET, report(Status.REGISTERED, 60 * 24 * 365), NOW)
    assert change is not None
    assert change.ticket.reported_at == NOW


def test_a_late_registration_gives_the_number_but_takes_no_work_back() -> None:
    change = changed(applied(TICKET, report(Status.IN_PROGRESS)), report(Status.REGISTERED, 1, "IM-CL-7"))
    assert change.new is Status.IN_PROGRESS
    assert change.what == "number"
    assert notices_for(change)[0].name == "registered"


def test_a_request_to_take_it_back_is_asked_until_it_ends() -> None:
    asked = replace(TICKET, asked="withdraw")
    for status in (Status.REGISTERED, Status.IN_PROGRESS, Status.WAITING):
        assert applied(asked, report(status, number="1")).asked == "withdraw"
    assert applied(asked, report(Status.WITHDRAWN, number="1")).asked == ""


def test_what_is_done_once_more_after_we_asked_on_is_told_as_done_again() -> None:
    done = applied(TICKET, report(Status.RESOLVED, number="1"))
    asked = replace(done, asked="reopen", asked_until=NOW + timedelta(hours=8))
    late = NOW + timedelta(days=1)
    assert (
        apply(asked, report(Status.RESOLVED, 1), late, NOW + timedelta(minutes=1)) is None
    )  # sent before we had asked
    again = apply(asked, report(Status.RESOLVED, 5, solution="Заменили и лампу"), late, NOW + timedelta(minutes=1))
    assert again is not None
    (notice,) = notices_for(again)
    assert (notice.name, notice.values["again"], notice.values["solution"]) == ("resolved", True, "Заменили и лампу")
    assert (again.ticket.asked, again.ticket.asked_until) == ("", None)
    assert apply(again.ticket, report(Status.RESOLVED, 6), late, None) is None


def test_our_own_clock_put_back_hides_no_status() -> None:
    done = applied(TICKET, report(Status.IN_PROGRESS, 5, number="1"))
    yesterday = NOW - timedelta(days=1)
    for one in (report(Status.RESOLVED, 6), replace(report(Status.RESOLVED), at=None)):
        change = apply(done, one, yesterday)
        assert change is not None
        assert (change.new, change.ticket.reported_at) == (Status.RESOLVED, NOW + timedelta(minutes=5))
        later = apply(change.ticket, report(Status.IN_PROGRESS, 7), yesterday)
        assert later is not None
        assert later.what == "reopened"
    assert apply(done, report(Status.RESOLVED, 4), yesterday) is None, "it is older by its own word"


def test_a_report_that_both_clocks_dated_ahead_hides_none_that_is_dated_right() -> None:
    tomorrow = timedelta(days=1) // timedelta(minutes=1)
    done = apply(TICKET, report(Status.IN_PROGRESS, tomorrow, number="1"), NOW + timedelta(days=1))
    assert done is not None
    assert done.ticket.reported_at == NOW + timedelta(days=1)
    change = apply(done.ticket, report(Status.RESOLVED, 10), NOW + timedelta(minutes=10))
    assert change is not None
    assert (change.new, change.ticket.reported_at) == (Status.RESOLVED, NOW + timedelta(minutes=10))
    assert apply(change.ticket, report(Status.IN_PROGRESS, 9), NOW + timedelta(minutes=11)) is None


def test_who_has_answered_or_may_have_is_not_said_to_have_been_waited_for() -> None:
    """Who asked to drop a request may have answered before: that is not kept."""
    waiting = applied(TICKET, report(Status.WAITING, number="1", question="Какой этаж?"))
    for asked, was in (("", "waiting"), (ANSWERED, ""), ("withdraw", "")):
        change = changed(replace(waiting, asked=asked), report(Status.RESOLVED, 2))
        assert notices_for(change)[0].values["old"] == was


def test_an_end_that_was_asked_for_is_told_as_one() -> None:
    begun = applied(TICKET, report(Status.IN_PROGRESS, number="1"))
    for asked, granted in (("withdraw", True), ("reopen", False), ("", False)):
        ended = changed(replace(begun, asked=asked), report(Status.REJECTED, 2))
        assert notices_for(ended)[0].values["withdrawal_asked"] is granted
        assert ended.ticket.asked == (GRANTED if granted else ""), "it is no refusal, and said to be none for good"
        again = changed(ended.ticket, report(Status.IN_PROGRESS, 3))
        assert (again.ticket.asked, notices_for(again)[0].values["old"]) == ("", "" if granted else "rejected")
        assert apply(ended.ticket, report(Status.IN_PROGRESS, 2), NOW + timedelta(days=1)) is None


def test_a_new_promise_and_a_new_question_are_told() -> None:
    ticket = applied(TICKET, report(Status.REGISTERED, number="1"))
    promised = changed(ticket, report(Status.REGISTERED, 1, promised="2026-11-22T10:00:00+00:00"))
    assert promised.what == "promised"
    assert notices_for(promised)[0].silent
    waiting = applied(ticket, report(Status.WAITING, 1, question="Какой этаж?"))
    again = changed(waiting, report(Status.WAITING, 2, question="А кабинет?"))
    assert again.what == "question"
    assert notices_for(again)[0].values["question"] == "А кабинет?"
    assert apply(waiting, report(Status.WAITING, 3), NOW + timedelta(days=1)) is None


@pytest.mark.parametrize("junk", ["soon", "2026-11-22T10:00:00"])
def test_a_promise_that_is_no_aware_moment_is_ignored(junk: str) -> None:
    assert applied(TICKET, report(Status.REGISTERED, promised=junk)).promised_at is None


def test_done_keeps_the_solution_and_the_moment() -> None:
    ticket = applied(TICKET, report(Status.RESOLVED, 3, solution="Заменён картридж"))
    assert ticket.solution == "Заменён картридж"
    assert ticket.resolved_at == NOW + timedelta(minutes=3)
    assert not ticket.is_open
    closed = applied(ticket, report(Status.CLOSED, 4))
    assert closed.status is Status.CLOSED
    assert closed.solution == "Заменён картридж"
    assert apply(closed, report(Status.RESOLVED, 5), NOW + timedelta(days=1)) is None


def test_what_is_open_once_more_has_no_moment_at_which_it_was_resolved() -> None:
    resolved = applied(TICKET, report(Status.RESOLVED, 3, number="1"))
    for work in (Status.IN_PROGRESS, Status.WAITING):
        again = applied(resolved, report(work, 4))
        assert (again.status, again.resolved_at) == (work, None)
        assert applied(again, report(Status.CLOSED, 9)).resolved_at is None
        assert applied(again, report(Status.RESOLVED, 9)).resolved_at == NOW + timedelta(minutes=9)


def test_an_itsm_may_reopen_and_our_own_desk_may_not() -> None:
    closed = applied(TICKET, report(Status.CLOSED))
    change = changed(replace(closed, asked="reopen", asked_until=NOW), report(Status.IN_PROGRESS, 1))
    assert change.what == "reopened"
    assert change.ticket.asked == ""
    assert change.ticket.closed_at is None
    assert notices_for(change)[0].name == "reopened"
    asks = changed(closed, report(Status.WAITING, 1))
    assert asks.what == "reopened"
    assert notices_for(asks)[0].name == "question", "the question matters then, and how to answer it"
    own = replace(closed, backend=OWN_DESK)
    assert apply(own, report(Status.IN_PROGRESS, 1), NOW + timedelta(days=1)) is None


def test_a_comment_changes_no_status() -> None:
    assert apply(TICKET, report(None), NOW) is None
    notice = comment_notice(TICKET, "Зайдём после обеда", "Том")
    assert (notice.name, notice.values["comment"], notice.values["author"]) == ("comment", "Зайдём после обеда", "Том")


def test_new_from_the_far_end_means_registered() -> None:
    assert applied(TICKET, report(Status.NEW)).status is Status.REGISTERED


def test_every_status_has_a_notice() -> None:
    for status in set(Status) - {Status.NEW}:
        change = changed(TICKET, report(status))
        assert notices_for(change)[0].values["new"] == status


def test_failure_and_silence_are_told_by_name() -> None:
    assert failure_notice(TICKET, "550 no such user").values["reason"] == "550 no such user"
    assert silence_notice(TICKET).name == "reopen_silence"


@given(st.lists(st.tuples(st.sampled_from([*Status, None]), st.integers(0, 50)), max_size=12))
def test_whatever_comes_no_ticket_becomes_new_again_and_time_never_runs_back(
    steps: list[tuple[Status | None, int]],
) -> None:
    ticket = TICKET
    for status, minute in steps:
        change = apply(ticket, report(status, minute), NOW + timedelta(days=1))
        if change:
            assert change.new is not Status.NEW
            assert ticket.reported_at is None or change.ticket.reported_at >= ticket.reported_at  # type: ignore[operator]
            ticket = change.ticket


def test_only_the_requester_who_is_still_there_may_see_a_ticket() -> None:
    assert may_see(TICKET, Person(1, "anna@demo.local"))
    assert not may_see(TICKET, Person(2, "eve@demo.local"))
    assert not may_see(TICKET, Person(1, "anna@demo.local", gone=True))


def test_rating_is_for_done_work_and_changeable_for_a_day() -> None:
    resolved = replace(TICKET, status=Status.RESOLVED)
    assert may_rate(resolved, None, NOW)
    assert may_rate(resolved, NOW - timedelta(hours=23), NOW)
    assert not may_rate(resolved, NOW - timedelta(hours=25), NOW)
    assert not may_rate(TICKET, None, NOW)


def test_what_is_done_may_be_asked_for_again_once() -> None:
    done = replace(TICKET, status=Status.CLOSED)
    assert may_reopen(done)
    assert not may_reopen(replace(done, asked="reopen"))
    assert not may_reopen(TICKET)


def test_what_may_be_asked_of_a_ticket() -> None:
    assert may_add(TICKET)
    assert may_add(replace(TICKET, status=Status.RESOLVED))
    assert not may_add(replace(TICKET, status=Status.CLOSED))
    assert may_withdraw(TICKET)
    assert not may_withdraw(replace(TICKET, asked="withdraw"))
    assert not any(may_withdraw(replace(TICKET, status=status)) for status in DONE)


def test_a_title_is_one_line_of_at_most_eighty_characters() -> None:
    assert title_of("Принтер", "мигает\nкрасным") == "Принтер: мигает красным"
    assert title_of("Принтер", "Принтер мигает") == "Принтер мигает"
    assert title_of("Принтер", "Мигает") == "Принтер: мигает"
    assert title_of("Принтер", "У меня не печатает принтер") == "У меня не печатает принтер"
    assert title_of("Принтер", "Не вижу (принтера)") == "Не вижу (принтера)"
    assert title_of("Принтер", "Проблема с принтером") == "Проблема с принтером"
    assert title_of("Printer", "No printers work") == "No printers work"
    for head, words in (
        ("Почта", "почти ничего не работает"),
        ("Связь", "это связано с отпуском"),
        ("Программа", "нужен программист"),
        ("Printer", "the form printed yesterday is wrong"),
        ("Принтер", "с утра ничего не выходит, " * 4 + "дело в принтере"),
    ):
        assert title_of(head, words).startswith(f"{head}: {words[:20]}")
    assert title_of("ПК", "Опять пкм не та") == "ПК: опять пкм не та"
    assert title_of("Принтер", "МФУ мигает") == "Принтер: МФУ мигает"
    assert title_of("", "Мигает") == "Мигает"
    assert title_of("", "") == ""
    assert title_of("Принтер", "") == "Принтер"
    long = title_of("Принтер", "не печатает " * 20)
    assert len(long) <= 80
    assert long.endswith("…")
    assert len(title_of("", "ы" * 200)) == 80
