"""What came in is durable before anything looks at it, and no letter is passed over."""

from __future__ import annotations

from imbot.domain.letters import Fetched
from imbot.services import keeping
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
