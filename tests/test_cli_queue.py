"""`imbot outbox ...` and `imbot ticket ...` against a small company: looking into what waits, and deciding about it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from imbot.domain.parcels import Kind, NewParcel
from imbot.store import epoch, ledger, outbox
from imbot.store.db import once
from imbot.store.schema import parcels
from tests.company import NOW, Company


def test_the_outbox_is_listed_retried_and_dropped(company: Company) -> None:
    (row,) = company("outbox", "list", "--json").rows
    assert (row["kind"], row["lane"], row["outcome"]) == ("letter", "ticket:t2", "")
    assert "ticket:t2" in company("outbox", "list").out
    assert company("outbox", "drop", str(row["id"])).code == 0
    again = company("outbox", "drop", str(row["id"]))
    assert (again.code, again.out) == (1, "")
    assert again.err == f"imbot: parcel {row['id']}, of kind letter, is done (dropped): it waits no more\n"
    assert company("outbox", "list", "--settled").out.count("ticket:t2") == 1
    assert company("outbox", "retry", str(row["id"])).code == 0


def test_a_parcel_that_is_done_or_was_never_there_is_said_to_be(company: Company) -> None:
    def settle(c: Any, key: str, kind: Kind, body: dict[str, str], outcome: str) -> int:
        outbox.put(c, NewParcel(f"lane:{key}", "directory", key, kind, body), NOW)
        (parcel,) = (one.parcel for one in outbox.open_parcels(c, 9) if one.parcel.key == key)
        c.execute(
            update(parcels).where(parcels.c.id == parcel.id).values(settled_at=NOW, outcome=outcome, payload=body)
        )
        return parcel.id

    asked = once(company.url, settle, "lookup:1", Kind.LOOKUP, {"address": "anna@company.ru"}, "found")
    sent = once(company.url, settle, "code:1", Kind.CODE, {}, "accepted: 250 ok")
    answer = company("outbox", "retry", str(asked))
    assert answer.code == 1
    assert answer.err == f"imbot: parcel {asked}, of kind lookup, is done (found): --again does it a second time\n"
    assert company("outbox", "retry", str(asked), "--again").code == 0
    for option in ((), ("--again",)):
        answer = company("outbox", "retry", str(sent), *option)
        assert answer.err == (
            f"imbot: parcel {sent}, of kind code, is done (accepted: 250 ok); its content is gone, "
            "so there is nothing to send again\n"
        )
    drop, retry = company("outbox", "drop", "99999"), company("outbox", "retry", "99999")
    assert (drop.code, retry.code) == (1, 1)
    assert drop.err == "imbot: there is no parcel 99999 that waits: see `imbot outbox list`\n"
    assert retry.err == "imbot: there is no parcel 99999: see `imbot outbox list`, with --settled what is done\n"


def test_a_held_outbox_waits_for_an_admin(company: Company) -> None:
    assert "nothing is held" in company("outbox", "confirm").err
    once(company.url, epoch.begin, "a mark of another life", "fresh", NOW)
    assert "HELD" in company("outbox", "list").out
    assert company("outbox", "confirm").out == "going on with 1 open parcels\n"
    assert "HELD" not in company("outbox", "list").out


@pytest.mark.parametrize("what", ["t1", "im-cl-1042", "imb:7kq2mxpa4t", "7KQ2MXPA4T"])
def test_a_ticket_is_found_by_id_number_and_token(company: Company, what: str) -> None:
    (row,) = company("ticket", "show", what, "--json").rows
    assert (row["id"], row["numbers"], row["stars"], row["requester"]) == ("t1", ["IM-CL-1042"], 2, "anna@company.ru")
    assert "registered  number=IM-CL-1042" in company("ticket", "show", what).out


def test_a_ticket_that_is_not_there_is_said_so(company: Company) -> None:
    said = company("ticket", "show", "IM-CL-1").err
    assert said.startswith("imbot: there is no ticket 'IM-CL-1': `imbot report` lists")
    assert "`imbot user show WHO`" in said


def test_moments_in_a_tickets_history_are_on_the_companys_clock(company: Company) -> None:
    values = {"promised": "2026-12-02T23:16:45+00:00", "until": "2026-12-02T14:16:45.123+05:00", "text": "2026-12-02T"}
    once(company.url, ledger.log, "t1", NOW, "status", values)
    said = company("ticket", "show", "t1").out
    assert "promised=2026-12-03 02:16, until=2026-12-02 12:16, text=2026-12-02T\n" in said
    assert company("ticket", "show", "t1", "--json").rows[0]["ledger"][-1]["values"] == values


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_a_number_larger_than_any_is_no_parcel(company: Company, command: str) -> None:
    answer = company("outbox", command, str(10**22))
    assert (answer.code, answer.err) == (1, f"imbot: there is no parcel {10**22}: see `imbot outbox list`\n")
    answer = company("outbox", command, "9" * 5000)
    assert answer.code == 1
    assert answer.err.startswith("imbot: there is no parcel 999")
    assert len(answer.err) < 120


@pytest.mark.parametrize("given", ["abc", "1.5", "١", "1_0"])
def test_what_is_no_number_is_told_where_they_stand(company: Company, given: str) -> None:
    answer = company("outbox", "drop", given)
    assert answer.code == 1
    assert answer.err == f"imbot: {given!r} is no number: the first column of `imbot outbox list` has them\n"
