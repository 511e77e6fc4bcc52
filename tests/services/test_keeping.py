"""What came in is durable before anything looks at it, and no letter is passed over."""

from __future__ import annotations

from datetime import timedelta

from imbot.domain.letters import Fetched
from imbot.services import keeping
from imbot.services.keeping import Source
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox
from imbot.store.inbox import NewRaw
from tests.services.conftest import NOW, Office


def a_window(uid: int, truncated: bool = False) -> list[tuple[Fetched, NewRaw]]:
    fetched = Fetched(f"1:{uid}", f"1:{uid}", b"x", 900, truncated, uid, 1)
    return [(fetched, NewRaw("1", str(uid), b"x", "", 1, f"{uid:064x}"))]


def test_the_cursor_moves_with_the_letters_that_it_stands_for(office: Office) -> None:
    keeping.keep(office.c, "replies", a_window(1), "1:1", "", NOW)
    assert inbox.cursor(office.c, "replies") == "1:1"
    keeping.keep(office.c, "replies", [], "1:5", "1:1", NOW)  # nothing new below it
    assert inbox.cursor(office.c, "replies") == "1:5"


def test_a_cursor_that_was_moved_meanwhile_stays_and_the_letters_are_kept_all_the_same(office: Office) -> None:
    """Somebody set the mailbox back to read it anew while a window was on its way."""
    inbox.set_cursor(office.c, "replies", "1:9")
    inbox.set_cursor(office.c, "replies", "1:3")
    keeping.keep(office.c, "replies", a_window(10), "1:10", "1:9", NOW)
    assert inbox.cursor(office.c, "replies") == "1:3"
    assert len(inbox.unread(office.c, 10)) == 1


def test_a_letter_of_which_only_the_headers_were_fetched_is_set_aside_at_once(office: Office) -> None:
    keeping.keep(office.c, "replies", a_window(1, truncated=True), "1:1", "", NOW)
    assert inbox.unread(office.c, 10) == []
    (row,) = inbox.quarantined(office.c, NOW, 10)
    assert "too large (900 bytes)" in row.reason


def test_a_letter_without_a_body_that_comes_again_is_told_once(office: Office) -> None:
    keeping.keep(office.c, "replies", a_window(1, truncated=True), "1:1", "", NOW)
    (row,) = inbox.quarantined(office.c, NOW, 10)
    keeping.keep(office.c, "replies", a_window(1, truncated=True), "1:1", "1:0", NOW + timedelta(hours=1), anew=True)
    assert inbox.quarantined(office.c, NOW, 10) == [row]


HERE, THERE = "imap://bot@old.test/INBOX", "imap://bot@new.test/INBOX"


def test_each_server_user_and_folder_has_a_cursor_of_its_own(office: Office) -> None:
    assert keeping.source(office.c, "replies", HERE) == Source("replies", "")
    keeping.keep(office.c, "replies", a_window(1), "1:1", "", NOW, account="replies", place=HERE)
    assert keeping.source(office.c, "replies", HERE) == Source("replies", "1:1")
    other = keeping.source(office.c, "replies", THERE)
    assert other == Source(f"replies {THERE}", "", former="1:1")
    both = a_window(1) + a_window(2)
    keeping.keep(office.c, "replies", both, "1:2", "", NOW, account=other.account, place=THERE)
    assert len(inbox.unread(office.c, 10)) == 2  # the first was known by its bytes
    assert keeping.source(office.c, "replies", THERE).cursor == "1:2"
    assert keeping.source(office.c, "replies", HERE).cursor == "1:1"  # for whoever moves back


def test_places_of_one_server_are_not_marked_on_another(office: Office) -> None:
    """UIDVALIDITY and UID may be alike on both, and the letters there others."""
    keeping.keep(office.c, "replies", a_window(1), "1:1", "", NOW, account="replies", place=HERE)
    (kept,) = inbox.unread(office.c, 10)
    inbox.settle_mail(office.c, kept.id, "applied", now=NOW)
    assert inbox.to_mark(office.c, keeping.source(office.c, "replies", THERE).account) == []
    assert len(inbox.to_mark(office.c, "replies")) == 1


def test_a_data_base_that_does_not_know_its_server_goes_on_with_the_one_it_finds(office: Office) -> None:
    keeping.keep(office.c, "replies", a_window(1), "1:1", "", NOW)  # as before servers were noted
    assert keeping.source(office.c, "replies", HERE) == Source("replies", "1:1")
    keeping.keep(office.c, "replies", a_window(2), "1:2::7", "1:1", NOW, account="replies", place=HERE)
    assert keeping.source(office.c, "replies", THERE).former == "1:2::7"


def test_a_few_new_letters_are_counted_as_they_are_kept(office: Office) -> None:
    ours = ("replies", ())
    first = keeping.keep(office.c, "replies", a_window(1) + a_window(2), "1:2", "", NOW, reads=ours)
    assert [letter.attempts for letter in first] == [0, 0]  # as they are read for the first time
    assert [letter.attempts for letter in inbox.unread(office.c, 10)] == [1, 1]
    behind = keeping.keep(office.c, "replies", a_window(3), "1:3", "1:2", NOW, reads=ours)
    assert behind == []  # others came before it
    for letter in inbox.unread(office.c, 10):
        inbox.settle_mail(office.c, letter.id, "applied", now=NOW)
    assert keeping.keep(office.c, "replies", a_window(3), "1:3", "1:3", NOW, reads=ours) == []  # known: nothing to read
    too_large = a_window(4, truncated=True)
    assert keeping.keep(office.c, "replies", too_large, "1:4", "1:3", NOW, reads=ours) == []


def test_many_new_letters_are_counted_when_they_are_read(office: Office) -> None:
    many = [one for number in range(1, 7) for one in a_window(number)]
    assert keeping.keep(office.c, "replies", many, "1:6", "", NOW, reads=("replies", ())) == []
    assert {letter.attempts for letter in inbox.unread(office.c, 10)} == {0}


def test_letters_of_a_mailbox_that_somebody_else_reads_are_not_counted(office: Office) -> None:
    keeping.keep(office.c, "hr", a_window(1), "1:1", "", NOW)
    (mine,) = keeping.keep(office.c, "replies", a_window(2), "1:2", "", NOW, reads=("", ["hr"]))
    assert mine.mailbox == "replies"
