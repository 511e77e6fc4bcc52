"""A letter that the server does not hand out holds up no other, is noted once, and is asked for again."""

from __future__ import annotations

from imbot.services import withholding
from imbot.store import inbox, outbox
from imbot.store.inbox import NewRaw
from imbot.store.withheld import ask_at_once, is_withheld, withheld
from tests.services.conftest import NOW, Office

THERE = "replies imap://bot@mail.test/INBOX"


def given_up(office: Office, *, lost: bool = False, account: str = "replies") -> int:
    """Asked for until it is given up; returns how often."""
    for asked in range(1, 20):
        withholding.failed(office.c, account, "7:4", 4711, office.now, lost=lost)
        tried, without = withholding.before_try(office.c, "replies", account, office.now)
        if without:
            assert (tried, without) == (set(), {"7:4"})
            return asked
        assert tried == {"7:4"}
    raise AssertionError("tried for ever")


def alerts(office: Office) -> int:
    return sum(one.parcel.lane == "admins" for one in outbox.open_parcels(office.c, 100))


def test_it_is_asked_for_three_times_and_then_noted_and_told_once(office: Office) -> None:
    assert given_up(office) == withholding.TRIES
    (row,) = inbox.quarantined(office.c, NOW, 10)
    assert (row.mailbox, row.size, row.outcome) == ("replies", 4711, "quarantined")
    assert "does not hand it out (UID 4, 4711 bytes)" in row.reason
    assert is_withheld(row.sha256)
    assert alerts(office) == 1
    assert withholding.before_try(office.c, "replies", "replies", NOW) == (set(), {"7:4"})
    assert (len(inbox.quarantined(office.c, NOW, 10)), alerts(office)) == (1, 1)
    assert not inbox.unread(office.c, 10)
    assert not inbox.to_mark(office.c, "replies")  # a mark could move what nobody has read


def test_a_try_is_counted_before_it_is_made(office: Office) -> None:
    withholding.failed(office.c, "replies", "7:4", 1, NOW, lost=False)
    for _ in range(withholding.TRIES - 1):  # each of these dies before it can say how it went
        assert withholding.before_try(office.c, "replies", "replies", NOW) == ({"7:4"}, set())
    assert withholding.before_try(office.c, "replies", "replies", NOW) == (set(), {"7:4"})


def test_a_connection_that_ends_gets_more_tries_since_it_may_be_the_networks_fault(office: Office) -> None:
    assert given_up(office, lost=True) == withholding.LOST_TRIES


def test_a_mailbox_that_fails_before_a_letter_is_asked_for_costs_it_no_try(office: Office) -> None:
    withholding.failed(office.c, "replies", "7:4", 1, NOW, lost=True)
    for _ in range(withholding.LOST_TRIES * 2):
        assert withholding.before_try(office.c, "replies", "replies", NOW) == ({"7:4"}, set())
        withholding.not_asked(office.c, "replies", {"7:4"}, NOW)
    (one,) = withheld(office.c, "replies")
    assert (one.tries, one.mail) == (1, 0)


def test_one_that_connections_ended_at_is_asked_for_again_soon(office: Office) -> None:
    given_up(office, lost=True)
    (note,) = inbox.quarantined(office.c, NOW, 10)
    assert note.reason.endswith("asked for again every quarter of an hour")
    assert withholding.due(office.c, "replies", office.now) is None
    assert withholding.due(office.c, "replies", office.now + withholding.AGAIN_LOST) is not None


def test_what_comes_meanwhile_is_forgotten(office: Office) -> None:
    withholding.failed(office.c, "replies", "7:4", 1, NOW, lost=False)
    withholding.handed_out(office.c, "replies", {"7:4"})
    assert not withheld(office.c, "replies")
    assert not inbox.quarantined(office.c, NOW, 10)


def test_it_is_asked_for_again_every_few_hours_and_taken_when_it_comes(office: Office) -> None:
    given_up(office)
    (note,) = inbox.quarantined(office.c, NOW, 10)
    assert withholding.due(office.c, "replies", NOW) is None
    office.now += withholding.AGAIN
    one = withholding.due(office.c, "replies", office.now)
    assert one is not None
    withholding.ask_again(office.c, "replies", one, office.now)
    assert withholding.due(office.c, "replies", office.now) is None
    assert ask_at_once(office.c, note.sha256, office.now)  # an admin says so
    assert withholding.due(office.c, "replies", office.now) is not None
    raw = NewRaw("7", "4", b"here it is", "", 10, "ab")
    id = withholding.taken(office.c, "replies", "replies", one, raw, office.now)
    assert [letter.id for letter in inbox.unread(office.c, 10)] == [id]
    row = inbox.get_mail(office.c, note.id)
    assert row is not None
    assert (row.outcome, row.reason) == ("ignored", f"the mail server has handed it out since: letter {id}")
    assert withheld(office.c, "replies") == []
    assert not ask_at_once(office.c, note.sha256, office.now)


def test_one_that_has_gone_from_the_server_keeps_its_note(office: Office) -> None:
    given_up(office, account=THERE)
    assert withheld(office.c, "replies") == []  # another server's
    (one,) = withheld(office.c, THERE)
    (row,) = inbox.quarantined(office.c, NOW, 10)
    assert row.reason.endswith(", imap://bot@mail.test/INBOX")
    withholding.gone(office.c, THERE, one, NOW)
    (row,) = inbox.quarantined(office.c, NOW, 10)
    assert row.reason.endswith("it is not there any more")
    assert withheld(office.c, THERE) == []


def test_a_letter_without_a_number_is_called_by_its_uidl(office: Office) -> None:
    for _ in range(withholding.TRIES):
        withholding.failed(office.c, "replies", "abc:content:5", -1, NOW, lost=False)
        withholding.before_try(office.c, "replies", "replies", NOW)
    (row,) = inbox.quarantined(office.c, NOW, 10)
    assert "(UIDL abc:content:5)" in row.reason
