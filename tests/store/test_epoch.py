from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import Connection

from imbot.domain.parcels import Kind, NewParcel
from imbot.store import outbox
from imbot.store.epoch import begin, confirm_epoch, epoch, held, read_mark, write_mark
from imbot.store.errors import StoreUnavailable
from tests.store.conftest import NOW


def put(c: Connection) -> None:
    outbox.put(c, NewParcel("ticket:a", "smtp", "k", Kind.LETTER), NOW)


def test_a_new_data_base_has_nothing_to_guard(c: Connection) -> None:
    assert epoch(c) == ""
    assert begin(c, "", "one", NOW)
    assert epoch(c) == "one"


def test_starts_go_on_from_mark_to_mark(c: Connection) -> None:
    assert begin(c, "", "one", NOW)
    put(c)
    assert begin(c, "one", "two", NOW)
    assert begin(c, "two", "three", NOW)
    assert not held(c)


def test_a_crash_between_the_commit_and_the_file_is_no_restored_backup(c: Connection) -> None:
    begin(c, "", "one", NOW)
    put(c)
    begin(c, "one", "two", NOW)  # "two" never reached the file
    assert begin(c, "one", "three", NOW)
    assert begin(c, "one", "four", NOW)  # nor did "three"


def test_a_first_start_that_was_cut_off_before_its_mark_reached_the_file_holds_nothing(c: Connection) -> None:
    """Nothing was put yet: the loops begin behind the file."""
    for fresh in ("one", "two"):
        assert begin(c, "", fresh, NOW)
    put(c)
    assert begin(c, "two", "three", NOW)
    assert not held(c)


@pytest.mark.parametrize("mark", ["later", ""])
def test_an_older_copy_is_held_until_an_admin_says_go_on(c: Connection, mark: str) -> None:
    begin(c, "", "one", NOW)
    put(c)
    assert not begin(c, mark, "two", NOW)
    assert held(c)
    assert not begin(c, "one", "two", NOW)  # a second start alone changes nothing
    assert outbox.claim(c, NOW, 10) == []
    assert confirm_epoch(c, "two", NOW) == 1
    assert not held(c)
    assert begin(c, "two", "three", NOW)
    assert len(outbox.claim(c, NOW, 10)) == 1


def test_an_emptied_data_base_beside_an_old_file_starts_anew(c: Connection) -> None:
    assert begin(c, "of the one before", "one", NOW)


def test_the_file_keeps_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "imbot.epoch"
    assert read_mark(path) == ""
    write_mark(path, "one")
    write_mark(path, "two")
    assert read_mark(path) == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot read"):
        read_mark(tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot write"):
        write_mark(tmp_path / "no folder" / "x", "one")
