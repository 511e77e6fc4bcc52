"""Upkeep inside transactions: what has outlived its time, a person who asks to be forgotten, the rows of the report.

Files on the disk are named here, not touched. For what is due by age they go first and the rows after, so that a crash
leaves a row without a file, which the next round repairs; for a person who is erased the rows go first.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from imbot.config_sections import Retention
from imbot.durable import sync
from imbot.failpoints import hit
from imbot.store import admin, erase, files, inbox, lanes, received, sessions, signin
from imbot.store.views import ReportRow, report_rows

_AT_ONCE = 1000
_DRAFT_DAYS = 14  # a draft nobody came back to, with its files
_STRANGER_DAYS = 1  # what was written before a sign-in that never came
_STRAY_DAYS = 1  # a file that no row speaks of: by then its transaction never came
_ASIDE = ".going"
_CODE_DAYS = 2  # the longest window of the sign-in limits is a day


@dataclass(frozen=True, slots=True)
class Due:
    """What has outlived its time: (id, path) of files of tickets, of files of abandoned drafts, of raw letters, of what
    support sent. "" is no path."""

    photos: tuple[tuple[str, str], ...]
    drafts: tuple[tuple[str, str], ...]
    letters: tuple[tuple[int, str], ...]
    received: tuple[tuple[str, str], ...] = ()

    @property
    def paths(self) -> list[str]:
        return [path for _, path in (*self.photos, *self.drafts, *self.letters, *self.received) if path]

    def without(self, stuck: Container[str]) -> Due:
        """What could be deleted: a row whose file still lies there must not forget it."""
        return Due(
            tuple(one for one in self.photos if one[1] not in stuck),
            tuple(one for one in self.drafts if one[1] not in stuck),
            tuple(one for one in self.letters if one[1] not in stuck),
            tuple(one for one in self.received if one[1] not in stuck),
        )

    @property
    def full(self) -> bool:
        """Whether there may be more of a kind than one round takes."""
        return max(len(self.photos), len(self.drafts), len(self.letters), len(self.received)) >= _AT_ONCE


def due(c: Connection, retention: Retention, now: datetime) -> Due:
    """The next round of what the clean-up takes. Reads only."""
    drafts = files.orphans(c, now - timedelta(days=_DRAFT_DAYS), _AT_ONCE)
    taken = {row.id for row in drafts}
    old = files.to_prune(c, now - timedelta(days=retention.photos_days), _AT_ONCE)
    letters = inbox.raw_to_prune(c, now - timedelta(days=retention.raw_letters_days), _AT_ONCE)
    return Due(
        photos=tuple((row.id, row.path) for row in old if row.id not in taken),
        drafts=tuple((row.id, row.path) for row in drafts),
        letters=tuple(letters),
        received=tuple(received.to_prune(c, now - timedelta(days=retention.photos_days), _AT_ONCE)),
    )


def forget(c: Connection, gone: Due, retention: Retention, now: datetime) -> dict[str, int]:
    """Note that `gone` has left the disk, and forget what is old and lies in tables only. Says how many of what."""
    files.pruned(c, [id for id, _ in gone.photos])
    files.forget(c, [id for id, _ in gone.drafts])
    received.pruned(c, [id for id, _ in gone.received])
    raw_before = now - timedelta(days=retention.raw_letters_days)
    return {
        "photos": len(gone.photos) + len(gone.received),
        "drafts": len(gone.drafts),
        "letters": inbox.prune_raw(c, raw_before, [id for id, _ in gone.letters]),
        "codes": signin.prune(c, now - timedelta(days=_CODE_DAYS)),
        "sessions": sessions.prune(c, now - timedelta(days=_DRAFT_DAYS))
        + sessions.prune_strangers(c, now - timedelta(days=_STRANGER_DAYS)),
        "parcels": lanes.prune(c, raw_before),
        "updates": admin.prune_updates(c, raw_before),
        "texts": received.prune_texts(c, raw_before),
        "pictures": received.prune_pictures(c, now - timedelta(days=retention.audit_days)),
        "history": admin.prune_ledger(c, now - timedelta(days=retention.audit_days)),
    }


def remove(paths: Iterable[str], folders: Sequence[Path]) -> dict[str, str]:
    """Delete files from the disk for good, outside of any transaction. A relative path is looked for in each of `folders`; a
    missing file is no mistake. Says which stay, and why."""
    stuck, emptied = {}, set()
    for path in paths:
        try:
            for folder in folders:
                (folder / path).unlink(missing_ok=True)
                emptied.add((folder / path).parent)
                hit("file_cleaned")
        except OSError as error:
            stuck[path] = error.strerror or type(error).__name__
    for folder in emptied:  # else a power failure brings back what its row says is gone
        if folder.is_dir():
            sync(folder)
    return stuck


def lying_for_days(folder: Path, now: datetime) -> list[str]:
    """Names of what was last written more than a day ago."""
    before = (now - timedelta(days=_STRAY_DAYS)).timestamp()
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file() and entry.stat().st_mtime < before]


def remove_strays(names: Iterable[str], folder: Path, now: datetime) -> int:
    """Delete what is still old: a transaction may have taken a file since it was listed, and whoever takes one touches it
    first. It is moved aside before its age is looked at, so that a touch either counts or fails. Returns how many went."""
    before, gone = (now - timedelta(days=_STRAY_DAYS)).timestamp(), 0
    for name in names:
        path, aside = folder / name, folder / f"{name}{_ASIDE}"
        with suppress(OSError):
            path.replace(aside)
            if aside.stat().st_mtime < before:
                aside.unlink()
                gone += 1
            else:
                aside.replace(path)
    return gone


def strays(c: Connection, names: Sequence[str]) -> list[str]:
    """Of the files that lie in the folder, those that no row speaks of: what was written before a transaction that never
    came, and the halves of downloads. The caller asks about old ones only."""
    known = received.known_paths(c, names)
    return [name for name in names if name not in known]


@dataclass(frozen=True, slots=True)
class Erased:
    """`counts`: what was removed or pseudonymised, by kind. `paths`: files to remove now that it is committed."""

    counts: dict[str, int]
    paths: tuple[str, ...]


def erase_person(c: Connection, person_id: int, now: datetime, mails: Sequence[int] = ()) -> Erased:
    """Forget a person: all that says who they are or what they wrote. Numbers, times and stars of their tickets stay. `mails`:
    letters that no ticket has and that go with them."""
    paths = erase.paths_of(c, person_id, mails)
    return Erased(erase.erase(c, person_id, now, mails), tuple(paths))


def report(c: Connection, since: datetime, until: datetime) -> list[ReportRow]:
    """The tickets filed in [since, until), oldest first."""
    return report_rows(c, since, until)
