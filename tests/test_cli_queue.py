"""`imbot outbox ...` and `imbot ticket ...` against a small company: looking into what waits, and deciding about it."""

from __future__ import annotations

import pytest

from imbot.store import epoch
from imbot.store.db import once
from tests.company import NOW, Company


def test_the_outbox_is_listed_retried_and_dropped(company: Company) -> None:
    (row,) = company("outbox", "list", "--json").rows
    assert (row["kind"], row["lane"], row["outcome"]) == ("letter", "ticket:t2", "")
    assert "ticket:t2" in company("outbox", "list").out
    assert company("outbox", "drop", str(row["id"])).code == 0
    assert company("outbox", "drop", str(row["id"])).code == 1
    assert company("outbox", "list", "--settled").out.count("ticket:t2") == 1
    assert company("outbox", "retry", str(row["id"])).code == 0
    assert company("outbox", "retry", "999").code == 1


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
    assert "there is no ticket" in company("ticket", "show", "IM-CL-1").err


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_a_number_larger_than_any_is_no_parcel(company: Company, command: str) -> None:
    answer = company("outbox", command, str(10**22))
    assert (answer.code, answer.err) == (1, f"imbot: there is no parcel {10**22}\n")
    answer = company("outbox", command, "9" * 5000)
    assert answer.code == 1
    assert answer.err.startswith("imbot: there is no parcel 999")
    assert len(answer.err) < 120


@pytest.mark.parametrize("given", ["abc", "1.5", "١", "1_0"])
def test_what_is_no_number_is_told_where_they_stand(company: Company, given: str) -> None:
    answer = company("outbox", "drop", given)
    assert answer.code == 1
    assert answer.err == f"imbot: {given!r} is no number: the first column of `imbot outbox list` has them\n"
