"""Guards the outbox after a backup was put back: nothing is sent until an admin has said from where to go on.

A mark is kept twice, in the data base and in a file beside it, and changed at each start and each day. A data base that
bears another mark than the file is an older copy: its open parcels may long have been sent. The data base keeps the mark
before the last as well, since a crash may fall between the commit and the file.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, exists, func, select, text

from imbot.durable import write_whole
from imbot.store.errors import StoreUnavailable
from imbot.store.facts import fact, set_fact
from imbot.store.schema import facts, parcels

_NOW, _BEFORE, HELD = "epoch", "epoch_before", "outbox_held"
held_mark = exists().where(facts.c.name == HELD, facts.c.value == "1")  # `held`, within a statement


def read_mark(path: Path) -> str:
    """The mark in the file, "" where there is none."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"cannot read {path}: {error}") from error


def write_mark(path: Path, value: str) -> None:
    """Durable when it returns, and never half written."""
    try:
        write_whole(path, f"{value}\n".encode("ascii"))
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error


def begin(c: Connection, mark: str, fresh: str, now: datetime) -> bool:
    """Compares the file's `mark` with ours. True: go on, and then write `fresh` to the file. False: the outbox is held.

    A data base in which nothing was ever put has nothing to guard: one that is new, or whose first start was cut off before its
    mark had reached the file.
    """
    if held(c):
        return False
    known = {fact(c, _NOW), fact(c, _BEFORE)} - {""}
    begun = bool(known) and (mark != "" or fact(c, _BEFORE) != "")
    untouched = not begun and c.execute(select(parcels.c.id).limit(1)).first() is None
    if mark not in known and not untouched:
        set_fact(c, HELD, "1", now)
        return False
    _change(c, fresh, mark, now)
    return True


def confirm_epoch(c: Connection, fresh: str, now: datetime) -> int:
    """An admin says: go on with what is here. Then write `fresh` to the file. Returns how many parcels are open."""
    set_fact(c, HELD, "", now)
    _change(c, fresh, "", now)
    return c.execute(select(func.count()).select_from(parcels).where(text("settled_at IS NULL"))).scalar_one()


def held(c: Connection) -> bool:
    """Whether the outbox waits for an admin."""
    return fact(c, HELD) == "1"


def epoch(c: Connection) -> str:
    """The mark that the data base bears, "" before the first start."""
    return fact(c, _NOW)


def _change(c: Connection, fresh: str, before: str, now: datetime) -> None:
    set_fact(c, _BEFORE, before, now)
    set_fact(c, _NOW, fresh, now)
