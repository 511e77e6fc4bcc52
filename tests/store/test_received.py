from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from imbot.domain.people import Person
from imbot.store import files, inbox, received
from imbot.store.received import ReceivedFile
from tests.store.conftest import NOW, file_ticket
from tests.store.test_files import a_file

LATER = NOW + timedelta(days=1)


def a_received(id: str, mail_id: int, ticket_id: str = "tick1", **changes: Any) -> ReceivedFile:
    values: dict[str, Any] = {
        "place": 0,
        "name": "акт.pdf",
        "size": 100,
        "content_type": "application/pdf",
        "sha256": "s",
    }
    values |= {"fate": "kept", "created_at": NOW, "path": id}
    return ReceivedFile(id, ticket_id, mail_id, **(values | changes))


def a_letter(c: Connection, uid: int = 1) -> int:
    return inbox.keep_raw(c, "INBOX", "7", uid, raw=b"x", size=1, sha256=str(uid), now=NOW)


def test_files_of_a_letter_come_in_its_order_and_once(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    mail = a_letter(c)
    second, first = a_received("b", mail, place=1), a_received("a", mail, place=0)
    assert [received.add(c, one) for one in (second, first, second)] == [True, True, False]
    assert received.of_mail(c, mail) == [first, second]
    assert received.get(c, "b") == second
    assert received.get(c, "x") is None


def test_what_was_sent_or_refused_is_settled_for_good(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    received.add(c, a_received("a", a_letter(c)))
    assert received.settle(c, "a", "sent")
    assert not received.settle(c, "a", "refused", "too_large")
    assert received.get(c, "a") == a_received("a", 1, fate="sent")


def test_held_pictures_are_given_out_once(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    mail = a_letter(c)
    received.add(c, a_received("a", mail, fate="held"))
    received.add(c, a_received("b", mail, fate="held", path=""))  # its bytes are gone
    assert [row.id for row in received.wanted(c, mail)] == ["a"]
    assert received.wanted(c, mail) == []


def test_a_picture_is_known_from_its_second_letter_on_to_this_backend_only(c: Connection) -> None:
    assert [received.seen_before(c, name, "s", NOW) for name in ("itsm", "itsm", "other", "itsm")] == [
        False,
        True,
        False,
        True,
    ]
    assert received.prune_pictures(c, NOW) == 0
    assert received.prune_pictures(c, LATER) == 2
    assert not received.seen_before(c, "itsm", "s", LATER)


def test_a_forgotten_text_still_says_that_it_was_there(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    mail = a_letter(c)
    assert received.text_of(c, mail) is None
    received.keep_text(c, mail, "tick1", "слова", NOW)
    assert received.prune_texts(c, NOW) == 0
    assert received.text_of(c, mail) == ("tick1", "слова", NOW)
    assert received.prune_texts(c, LATER) == 1
    assert received.text_of(c, mail) == ("tick1", "", NOW)
    assert received.prune_texts(c, LATER) == 0


def test_old_files_are_pruned_and_their_fate_says_so_but_a_refusal_stays_one(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    mail = a_letter(c)
    for id, fate in (("a", "sent"), ("b", "refused")):
        received.add(c, a_received(id, mail, fate=fate))
    assert received.to_prune(c, NOW) == []
    assert received.to_prune(c, LATER) == [("a", "a"), ("b", "b")]
    received.pruned(c, ["a", "b"])
    assert received.to_prune(c, LATER) == []
    assert [row.fate for row in received.of_mail(c, mail)] == ["pruned", "refused"]


def test_bytes_count_for_the_quota_but_refused_ones_do_not(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    mail = a_letter(c)
    for id, fate in (("a", "sent"), ("b", "refused"), ("c", "kept")):
        received.add(c, a_received(id, mail, fate=fate))
    assert received.bytes_since(c, ["tick1"], NOW - timedelta(hours=1)) == 200
    assert received.bytes_since(c, ["tick1"], LATER) == 0


def test_paths_are_known_whoever_sent_the_file(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    received.add(c, a_received("a", a_letter(c)))
    files.add(c, a_file("f1", "tick1", path="sent", fate="stored"))
    many = [f"x{number}" for number in range(1200)]
    assert received.known_paths(c, ["a", *many, "sent"]) == {"a", "sent"}
