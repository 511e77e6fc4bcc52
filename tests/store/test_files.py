from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from imbot.domain.people import Person
from imbot.store import files, sessions
from imbot.store.files import FileRow
from tests.store.conftest import ANNA, EVE, NOW, file_ticket

LATER = NOW + timedelta(hours=1)


def a_file(id: str = "f1", ticket_id: str = "draft", **changes: object) -> FileRow:
    values: dict[str, object] = {"chat_key": ANNA.key, "vendor_id": f"v{id}", "unique_id": f"u{id}", "name": "фото.jpg"}
    values |= {"size": 100, "content_type": "image/jpeg", "kind": "photo", "caption": "", "message_id": id, "album": ""}
    return FileRow(id=id, ticket_id=ticket_id, **({"fate": "wanted", "created_at": NOW} | values | changes))  # type: ignore[arg-type]


def fates(c: Connection, ticket_id: str = "draft") -> dict[str, str]:
    return {row.id: row.fate for row in files.of_ticket(c, ticket_id)}


def test_a_file_comes_back_as_it_was_and_in_order(c: Connection) -> None:
    second, first = a_file("f2", created_at=LATER, size=None), a_file("f9")
    assert files.add(c, second)
    assert files.add(c, first)
    assert files.of_ticket(c, "draft") == [first, second]
    assert files.get(c, "f2") == second
    assert files.get(c, "none") is None


def test_the_same_file_twice_is_one(c: Connection) -> None:
    assert files.add(c, a_file())
    assert not files.add(c, a_file("f2", unique_id="uf1"))
    assert files.add(c, a_file("f3", "another", unique_id="uf1"))


def test_a_download_settles_a_files_fate(c: Connection) -> None:
    for id in ("a", "b", "c"):
        files.add(c, a_file(id))
    assert files.stored(c, "a", "/var/a", 120, "sha", "image/png")
    assert files.refuse(c, "b", "too large")
    assert files.fail(c, "c", "gone")
    assert fates(c) == {"a": "stored", "b": "refused", "c": "failed"}
    row = files.get(c, "a")
    assert row is not None
    assert (row.path, row.size, row.sha256, row.content_type) == ("/var/a", 120, "sha", "image/png")


def test_a_late_word_does_not_undo_a_fate(c: Connection) -> None:
    for id in ("a", "b", "c"):
        files.add(c, a_file(id))
    files.stored(c, "a", "/var/a", 1, "s", "t")
    files.refuse(c, "b", "type")
    files.fail(c, "c", "time-out")
    assert not files.stored(c, "b", "/var/b", 1, "s", "t")
    assert not files.fail(c, "a", "late")
    assert not files.stored(c, "none", "/var/x", 1, "s", "t")
    assert files.stored(c, "c", "/var/c", 1, "s", "t")  # a second try that succeeded
    assert files.refuse(c, "a", "552 the far end will not have it")
    assert fates(c) == {"a": "refused", "b": "refused", "c": "stored"}


def test_files_are_assigned_to_letters(c: Connection) -> None:
    for id in ("a", "b", "c"):
        files.add(c, a_file(id))
    files.assign(c, ["a", "c"], "<m@bot>")
    assert [row.id for row in files.of_letter(c, "<m@bot>")] == ["a", "c"]


def test_an_additions_files_join_the_ticket_once(c: Connection) -> None:
    files.add(c, a_file("a", "ticket"))
    files.add(c, a_file("b", "addition"))
    files.add(c, a_file("c", "addition", unique_id="ua"))
    assert files.move(c, "addition", "ticket") == 1
    assert list(fates(c, "ticket")) == ["a", "b"]
    assert list(fates(c, "addition")) == ["c"]


def test_dropping_says_what_was_dropped(c: Connection) -> None:
    for id in ("a", "b"):
        files.add(c, a_file(id))
    assert files.drop(c, "draft", "ua") == [a_file("a")]
    assert files.drop(c, "draft", "ua") == []
    assert files.drop_all(c, "draft") == [a_file("b")]
    assert fates(c) == {}


def test_a_caption_can_be_changed(c: Connection) -> None:
    files.add(c, a_file())
    assert files.caption(c, "draft", "f1", "вот экран")
    assert not files.caption(c, "draft", "f2", "x")
    assert files.of_ticket(c, "draft") == [replace(a_file(), caption="вот экран")]


def test_the_days_bytes_are_those_of_files_kept_or_wanted(c: Connection) -> None:
    files.add(c, a_file("a", size=10))
    files.add(c, a_file("b", size=None))
    files.add(c, a_file("c", size=1000, fate="refused"))
    files.add(c, a_file("d", size=5, created_at=NOW - timedelta(2)))
    files.add(c, a_file("e", size=7, chat_key=EVE.key))
    since = NOW - timedelta(1)
    assert files.bytes_today(c, [ANNA.key], since) == 10
    assert files.bytes_today(c, [ANNA.key, EVE.key], since) == 17
    assert files.bytes_today(c, [], since) == 0


def test_old_bytes_are_pruned_and_the_rows_stay(c: Connection) -> None:
    for id in ("a", "b", "c"):
        files.add(c, a_file(id))
    files.stored(c, "a", "/var/a", 1, "s", "t")
    files.stored(c, "b", "/var/b", 1, "s", "t")
    files.refuse(c, "b", "late")
    assert [row.id for row in files.to_prune(c, LATER)] == ["a", "b"]
    assert files.to_prune(c, NOW) == []
    assert len(files.to_prune(c, LATER, 1)) == 1
    files.pruned(c, ["a", "b"])
    assert files.to_prune(c, LATER) == []
    assert fates(c) == {"a": "pruned", "b": "refused", "c": "wanted"}


def test_orphans_are_files_of_drafts_that_were_left(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    files.add(c, a_file("of-ticket", "tick1"))
    files.add(c, a_file("of-letter", "gone", letter_id="<m@bot>"))
    files.add(c, a_file("left"))
    files.add(c, a_file("alive", "draft2", chat_key=EVE.key))
    sessions.save(c, ANNA.key, {}, NOW)
    sessions.save(c, EVE.key, {}, LATER)
    assert [row.id for row in files.orphans(c, LATER)] == ["left"]
    assert files.forget(c, ["left", "none"]) == 1
