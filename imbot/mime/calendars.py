"""What an invitation (text/calendar, RFC 5545) says in one line. The file itself goes on as a file."""

from __future__ import annotations

import re

_LONGEST = 200_000
_FIELD = re.compile(r"^(SUMMARY|LOCATION|DTSTART|DTEND|STATUS)((?:;[^:\n]{0,200})?):(.*)$", re.M)
_CANCELLED = re.compile(r"^METHOD:CANCEL\s*$", re.M)
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?$")
_ZONE = re.compile(r"TZID=\"?([^;:\"]{1,60})")


def calendar_line(text: str) -> str:
    """`Summary, 21.11.2026 10:00 - 11:00 (Europe/Moscow), place`; "" where there is no event in it."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text[:_LONGEST]).replace("\r\n", "\n")
    head, begun, event = unfolded.partition("BEGIN:VEVENT")
    if not begun:
        return ""
    fields: dict[str, tuple[str, str]] = {}
    for name, parameters, value in _FIELD.findall(event.split("END:VEVENT", 1)[0].split("BEGIN:VALARM", 1)[0]):
        fields.setdefault(name, (parameters, value.strip()))
    pieces = [_plain(fields, "SUMMARY"), _when(fields), _plain(fields, "LOCATION")]
    line = ", ".join(piece for piece in pieces if piece)
    cancelled = _CANCELLED.search(head) or fields.get("STATUS", ("", ""))[1] == "CANCELLED"
    return f"CANCELLED: {line}" if cancelled and line else line


def _plain(fields: dict[str, tuple[str, str]], name: str) -> str:
    value = re.sub(r"\\[nN]", " ", fields.get(name, ("", ""))[1])
    return " ".join(re.sub(r"\\([,;\\])", r"\1", value).split())[:300]


def _when(fields: dict[str, tuple[str, str]]) -> str:
    start, end = (_MOMENT.match(fields.get(name, ("", ""))[1]) for name in ("DTSTART", "DTEND"))
    if start is None:
        return ""
    day = f"{start[3]}.{start[2]}.{start[1]}"
    if start[4] is None:
        return day
    until = ""
    if end is not None and end[4] is not None:
        other = f"{end[3]}.{end[2]}.{end[1]}"
        until = f" - {'' if other == day else other + ' '}{end[4]}:{end[5]}"
    zone = _ZONE.search(fields["DTSTART"][0])
    named = " (UTC)" if start[6] else f" ({zone[1]})" if zone else ""
    return f"{day} {start[4]}:{start[5]}{until}{named}"
