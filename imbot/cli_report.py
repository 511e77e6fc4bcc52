"""`imbot report`: tickets as CSV that a spreadsheet opens without running anything that a person typed."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from imbot.cli_base import in_store, now
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from imbot.config import Settings
    from imbot.store.views import ReportRow

HEADING = (
    *("number", "title", "category", "subcategory", "location", "requester", "address", "status"),
    *("filed", "taken by the mail server", "registered", "resolved", "closed", "hours to registration"),
    *("hours to resolution", "stars", "words"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_report(settings: Settings, target: str, since: str, until: str, bom: bool) -> int:
    """Write the report to a file (0600) or standard output; returns how many tickets it has."""
    from imbot.services.upkeep import report

    zone = settings.general.zone
    last = _day(until) or now().astimezone(zone).date()
    first = _day(since) or last - timedelta(days=30)
    if first > last:
        raise ImbotError(f"--since {first} lies after --until {last}")
    begin, end = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    rows = in_store(settings, report, begin, end)
    data = (("\ufeff" if bom else "") + table(rows, zone)).encode("utf-8")
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return len(rows)
    path = Path(target)
    try:
        path.touch(mode=0o600)
        path.write_bytes(data)
    except OSError as error:
        raise ImbotError(f"{path} cannot be written: {error.strerror}") from error
    return len(rows)


def table(rows: Sequence[ReportRow], zone: ZoneInfo) -> str:
    """The CSV text (RFC 4180), moments on the company's clock."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADING)
    for row in rows:
        cells = (
            *(row.number, row.title, row.category, row.subcategory, row.location, row.person, row.address, row.status),
            *(_clock(one, zone) for one in (row.created_at, row.accepted_at, row.registered_at, row.resolved_at)),
            *(_clock(row.closed_at, zone), _hours(row.created_at, row.registered_at)),
            *(_hours(row.created_at, row.resolved_at), "" if row.stars is None else str(row.stars), row.words),
        )
        writer.writerow([safe(cell) for cell in cells])
    return out.getvalue()


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: such a beginning gets an apostrophe."""
    cell = cell.replace("\0", "")
    return f"'{cell}" if cell.lstrip(" \ufeff\u00a0").startswith(_FORMULA) or cell.startswith(_FORMULA) else cell


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else ""


def _hours(begin: datetime, end: datetime | None) -> str:
    return f"{(end - begin).total_seconds() / 3600:.1f}" if end and end >= begin else ""


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ImbotError(f"{text!r} is not a day such as 2026-11-21") from None
    if not 1970 <= day.year < 3000:  # there are no tickets, and at the ends of the calendar no days beside a day
        raise ImbotError(f"{text} is too far away: give a day from 1970-01-01 to 2999-12-31")
    return day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
