"""`imbot report`: a table that opens in any program and runs nothing there."""

from __future__ import annotations

import csv
import io
import stat
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imbot.cli_report import safe
from imbot.domain.tickets import Status, StatusReport, apply
from imbot.store import tickets
from imbot.store.db import once
from tests.company import NOW, Company


def test_the_report_is_a_table_that_runs_nothing(company: Company) -> None:
    path = company.folder / "report.csv"
    assert company("report", "--csv", str(path), "--bom").out == f"{path}: 2 tickets\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_bytes().decode("utf-8")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["title"] for row in rows] == ["Принтер: =HYPERLINK(1)", "Old"]
    assert (rows[0]["stars"], rows[0]["words"], rows[0]["hours to resolution"]) == ("2", "'-1+2 долго", "48.0")
    assert company("report", "--since", "2026-13-01").code == 1
    assert company("report", "--since", "2020-01-01", "--until", "2020-01-02").out.count("\n") == 1
    for option, day in (("--until", "0001-01-05"), ("--until", "9999-12-31"), ("--since", "0001-01-01")):
        assert "give a day from 1970-01-01" in company("report", option, day).err


def test_a_request_that_was_taken_up_again_is_not_resolved(company: Company) -> None:
    def happened(c: Any, status: Status, hours: int) -> None:
        ticket = tickets.get(c, "t2")
        assert ticket is not None
        change = apply(ticket, StatusReport("itsm", status, "IM-CL-2", {}, NOW + timedelta(hours=hours)), later)
        assert change is not None
        tickets.save(c, change.ticket)

    def reported() -> tuple[str, bool, str]:
        row = list(csv.DictReader(io.StringIO(company("report").out)))[1]
        return row["status"], bool(row["resolved"]), row["hours to resolution"]

    later = NOW + timedelta(days=1)
    once(company.url, happened, Status.RESOLVED, 2)
    assert reported() == ("resolved", True, "2.0")
    once(company.url, happened, Status.IN_PROGRESS, 3)
    assert reported() == ("in_progress", False, "")


@given(st.text(max_size=40))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not safe(text).lstrip(" \u00a0\ufeff").startswith(("=", "+", "-", "@", "\t", "\r"))
