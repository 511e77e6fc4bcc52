"""How a letter was understood: which anchor decided, what stopped another, where each value came from; what a profile can say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.mail import Reading, read, understand, words
from imbot.backends.profiles import Profile, parse_profile
from imbot.backends.sentences import REACH, around
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status

TZ = ZoneInfo("Europe/Moscow")
SOURCE = """
name = "ours"
[number]
patterns = [
    { pattern = '^([0-9]+)$', where = "header:X-Ticket" },
    '\\[(?P<tag>[a-z.]+ #(?P<n>[0-9]+))\\]',
    { pattern = 'ticket ([0-9]+)', where = "body" },
]
where = ["subject"]
shown = "T-{n:05}"
subject = ["[{tag}]", "[desk {number}]"]

[[status]]
status = "resolved"
where = "header:X-State"
any = ['^done$']

[[status]]
status = "none"
where = "subject"
any = ['for staff']

[[status]]
status = "closed"
where = "any"
any = ['closed']
unless = ['not closed']
near = "sentence"

[[status]]
status = "waiting"
where = "together"
any = ['(?s)question.*please answer']

[[field]]
name = "solution"
pattern = 'Solution:'
statuses = ["closed", "resolved"]

[[field]]
name = "comment"
pattern = 'Note:'
statuses = ["none"]

[[field]]
name = "author"
where = "header:X-Author"
pattern = '^([A-Z][a-z]+)'

[[field]]
name = "watermark"
pattern = '(Mark:[0-9]+)'
"""
OURS = parse_profile(SOURCE)


def mail(text: str = "", subject: str = "", **headers: str) -> InboundMail:
    found = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return replace(InboundMail(sha256="0", size=0), text=text, subject=subject, headers=found)


def reading(text: str = "", subject: str = "", profile: Profile = OURS, **headers: str) -> Reading:
    return understand(profile, mail(text, subject, **headers), tz=TZ)


def status(text: str = "", subject: str = "", **headers: Any) -> Status | None:
    report = reading(text, subject, **headers).report
    return report.status if report else None


def test_it_is_told_which_anchor_decided_and_by_which_words() -> None:
    found = reading("Hello.\nTicket 7 is closed.", "News").anchor
    assert found is not None
    assert (found.index, found.status, found.place, found.pattern, found.words) == (
        3,
        "closed",
        "body",
        "closed",
        "closed",
    )
    header = reading("closed", "closed", X_State="done").anchor
    assert header is not None
    assert (header.index, header.status, header.place) == (1, "resolved", "header:X-State")
    assert reading("nothing").anchor is None


def test_it_is_told_what_stopped_an_anchor() -> None:
    found = reading("It is not closed.").stopped
    assert [(each.index, each.status, each.words, each.unless) for each in found] == [
        (3, "closed", "closed", "not closed")
    ]


def test_it_is_told_where_a_value_came_from() -> None:
    found = reading("closed\nSolution: new toner", X_Author="Tom Mender").lifted
    assert [(each.index, each.name, each.place, each.words, each.value) for each in found] == [
        (1, "solution", "body", "Solution:", "new toner"),
        (3, "author", "header:X-Author", "Tom", "Tom"),
    ]


def test_reading_is_the_report_of_understanding() -> None:
    for text in ("closed", "Note: x", "nothing", "ticket 7"):
        assert read(OURS, mail(text), tz=TZ) == understand(OURS, mail(text), tz=TZ).report


def test_headers_count_before_the_subject_and_the_subject_before_the_text() -> None:
    assert status("closed", "closed", X_State="done") is Status.RESOLVED
    assert status("closed", "for staff") is None
    assert status("closed", "News") is Status.CLOSED
    assert status("closed", "closed", X_State="done it is") is Status.CLOSED


def test_a_negation_counts_within_its_sentence_only() -> None:
    assert status("It is closed. It was not closed before.") is Status.CLOSED
    assert status("It was not closed before. It is closed.") is Status.CLOSED
    assert status("It is not\nclosed.") is Status.CLOSED  # the words of `unless` are one line in this profile
    assert status("It is not closed") is None
    assert status("It is not closed\nIt is closed") is Status.CLOSED


@pytest.mark.parametrize(
    ("near", "text", "expected"),
    [
        ("text", "not closed\n\nclosed", None),
        ("line", "not closed\nclosed", Status.CLOSED),
        ("line", "was not closed. Now closed", None),
        ("sentence", "was not closed. Now closed", Status.CLOSED),
    ],
)
def test_how_far_a_negation_reaches_is_said(near: str, text: str, expected: Status | None) -> None:
    profile = parse_profile(SOURCE.replace('near = "sentence"', f'near = "{near}"'))
    report = understand(profile, mail(text), tz=TZ).report
    assert (report.status if report else None) is expected


def test_a_sentence_ends_at_a_stop_or_a_line_that_begins_anew() -> None:
    def sentence(text: str, word: str) -> str:
        start = text.index(word)
        return around(text, start, start + len(word), "sentence").strip()

    assert sentence("One. Two words here. Three", "words") == "Two words here"
    assert sentence("Ваша заявка ещё\nне была выполнена\nСпасибо", "выполнена") == "Ваша заявка ещё\nне была выполнена"
    assert sentence("Статус: да\nЗаявка выполнена", "выполнена") == "Заявка выполнена"
    assert sentence("Версия 1.2 стоит.", "стоит") == "Версия 1.2 стоит"
    assert len(around("x" * 5000, 2500, 2501, "sentence")) == 2 * REACH + 1
    assert around("a\nb b\nc", 2, 3, "line") == "b b"


def test_subject_and_text_can_be_one() -> None:
    assert status("please answer", "A question about ticket 7") is Status.WAITING
    assert status("please answer", "News") is None


def test_a_letter_that_nobody_is_to_be_told_of_says_so() -> None:
    silent, told = reading("x", "for staff").report, reading("Note: x").report
    assert silent is not None
    assert told is not None
    assert (silent.status, silent.silent) == (None, True)
    assert (told.status, told.silent) == (None, False)


def test_a_value_may_be_lifted_only_where_there_is_no_status() -> None:
    assert [each.name for each in reading("Note: x").lifted] == ["comment"]
    assert reading("closed\nNote: x").lifted == ()


def test_the_last_of_several_watermarks_counts_and_none_that_is_quoted() -> None:
    found = reading("closed\nMark:1\nMark:22\n\n> Mark:3").report
    assert found is not None
    assert found.fields["watermark"] == "Mark:22"
    assert reading("Mark:1").report is None  # alone it says nothing


# Numbers


def test_each_pattern_of_a_number_has_its_places() -> None:
    assert words(OURS, mail("ticket 7", "[desk #8]")).numbers == ("T-00008", "T-00007")
    assert words(OURS, mail("[desk #8]", "ticket 7")).numbers == ()


def test_beside_a_header_what_is_mentioned_is_no_number_of_the_letter() -> None:
    found = words(OURS, mail("ticket 7", "[desk #8] [desk #42]", X_Ticket="42"))
    assert (found.numbers, found.in_subject, found.tag) == (("T-00042",), ("T-00042",), "desk #42")
    assert words(OURS, mail("", "", X_Ticket="42")).tag == ""


def test_the_tag_is_kept_as_it_was_written() -> None:
    assert words(OURS, mail("", "[Help.Example #8]")).tag == "Help.Example #8"
    assert OURS.subject_number("T-00008", "Help.Example #8") == "[Help.Example #8]"
    assert OURS.subject_number("T-00008") == "[desk T-00008]"
    assert OURS.subject_number("", "Help.Example #8") == ""


def test_zeros_in_front_are_part_of_a_number_where_the_profile_says_so() -> None:
    assert OURS.show_number("8") == OURS.show_number("00008") == "T-00008"
    assert replace(OURS, number_shown="{n}").show_number("im-8") == "IM-8"
