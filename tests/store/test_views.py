from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import Connection

from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Person
from imbot.store import inbox, ledger, outbox, ratings, sessions, tickets, views
from tests.store.conftest import ANNA, NOW, file_ticket

LATER = NOW + timedelta(hours=1)


def fill(c: Connection, person_id: int) -> None:
    file_ticket(c, person_id, location="Москва")
    tickets.add_number(c, "inframanager", "1042", "tick1", NOW)
    ledger.log(c, "tick1", NOW, "filed", {"by": "chat"})
    outbox.put(c, NewParcel("signin:x", "smtp", "code", Kind.CODE, {"code": "ABCD2345"}), NOW)
    mail = inbox.keep_raw(c, "INBOX", "7", 1, raw=b"x", size=1, sha256="x", now=NOW)
    inbox.settle_mail(c, mail, "quarantined", reason="not believed", sender="eve@evil.ru", now=NOW)
    inbox.keep_raw(c, "INBOX", "7", 2, raw=b"y", size=1, sha256="y", now=NOW)
    inbox.keep_update(c, "odd", "error", NOW)
    sessions.owe(c, ANNA.key, {"name": "menu"}, NOW, False, NOW)


def test_the_state_is_plain_json_without_codes(c: Connection, anna: Person) -> None:
    fill(c, anna.id)
    text = json.dumps(views.state(c))
    state = json.loads(text)
    assert set(state) == {"tickets", "ledger", "outbox", "quarantine"}
    assert state["tickets"][0]["numbers"] == ["1042"]
    assert state["tickets"][0]["created_at"] == "2026-11-21T09:00:00+00:00"
    assert state["ledger"][0]["values"] == {"by": "chat"}
    assert state["outbox"][0]["lane"] == "signin:x"
    assert [(row["sender"], row["reason"]) for row in state["quarantine"]] == [("eve@evil.ru", "not believed")]
    assert "ABCD2345" not in text


def test_the_report_has_a_row_for_each_ticket_of_its_days(c: Connection, anna: Person) -> None:
    fill(c, anna.id)
    file_ticket(c, anna.id, "tick2", created_at=LATER)
    ratings.rate(c, "tick1", 5, NOW)
    ratings.rating_words(c, "tick1", "=cmd()")
    (row,) = views.report_rows(c, NOW, LATER)
    assert (row.id, row.person, row.address, row.location) == ("tick1", anna.name, anna.address, "Москва")
    assert (row.stars, row.words, row.created_at, row.accepted_at) == (5, "=cmd()", NOW, None)
    assert [row.id for row in views.report_rows(c, NOW, LATER + timedelta(1))] == ["tick1", "tick2"]
    assert [row.stars for row in views.report_rows(c, LATER, LATER + timedelta(1))] == [None]


def test_health_counts_what_is_on_its_way(c: Connection, anna: Person) -> None:
    assert views.health(c, NOW)["late_seconds"] == 0.0
    fill(c, anna.id)
    assert views.health(c, LATER) == {
        "outbox": {"smtp": 1, "suspended": 0, "waiting": 0},
        "late_seconds": 3600.0,
        "tickets": {"new": 1},
        "unread": 1,
        "quarantine": 1,
        "bad_updates": 1,
        "owed": 1,
    }
    assert views.health(c, NOW - timedelta(1))["late_seconds"] == 0.0
