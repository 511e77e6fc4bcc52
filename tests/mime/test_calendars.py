"""Invitations: a line for people, and the file."""

from __future__ import annotations

import pytest

from imbot.mime import bytes_to_mail
from imbot.mime.calendars import calendar_line
from tests.mime.letters import multipart

EVENT = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nDTSTART:16010101T000000\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
    "SUMMARY;LANGUAGE=ru:Замена картриджа\\, этаж 3\r\nLOCATION:каб. \r\n 315\r\nDTSTART;TZID=Europe/Moscow:20261121T100000\r\n"
    "DTEND;TZID=Europe/Moscow:20261121T113000\r\nBEGIN:VALARM\r\nSTATUS:CANCELLED\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
LINE = "Замена картриджа, этаж 3, 21.11.2026 10:00 - 11:30 (Europe/Moscow), каб. 315"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("", "", LINE),
        ("METHOD:REQUEST", "METHOD:CANCEL", f"CANCELLED: {LINE}"),
        ("DTEND;TZID=Europe/Moscow:20261121T113000", "DTEND:20261122T113000", LINE.replace("11:30", "22.11.2026 11:30")),
        ("DTEND;TZID=Europe/Moscow:20261121T113000\r\n", "", LINE.replace(" - 11:30", "")),
        ("T;TZID=Europe/Moscow:20261121T10", "T:20261121T07", LINE.replace("10:", "07:").replace(" (Europe/Moscow)", "")),
        (";TZID=Europe/Moscow:20261121T100000", ":20261121T100000Z", LINE.replace("Europe/Moscow", "UTC")),
        (";TZID=Europe/Moscow:20261121T100000", ";VALUE=DATE:20261121", "Замена картриджа, этаж 3, 21.11.2026, каб. 315"),
        (";TZID=Europe/Moscow:20261121T100000", ":soon", "Замена картриджа, этаж 3, каб. 315"),
        ("BEGIN:VEVENT", "BEGIN:VTODO", ""),
    ],
)  # fmt: skip
def test_an_event_becomes_a_line(old: str, new: str, line: str) -> None:
    assert calendar_line(EVENT.replace(old, new, 1) if old else EVENT) == line


def test_an_invitation_is_a_line_of_the_text_and_a_file() -> None:
    part = f"Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n{EVENT}"
    mail = bytes_to_mail(multipart("alternative", "Content-Type: text/plain; charset=utf-8\r\n\r\nПриходите", part))
    assert mail.text == f"Приходите\n\n{LINE}"
    assert [(one.name, one.content_type) for one in mail.attachments] == [("invitation.ics", "text/calendar")]


def test_the_same_event_in_two_parts_is_said_once() -> None:
    part = f"Content-Type: text/calendar; charset=utf-8\r\n\r\n{EVENT}"
    assert bytes_to_mail(multipart("mixed", part, part)).text == LINE
