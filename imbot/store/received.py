"""What letters of the far end brought: their files, each with a fate, their whole text, and pictures seen before. The bytes
of files lie in a folder under names that say nothing; only their paths are here.

kept -> sent -> pruned; kept -> refused (the channel would not have it); held -> kept (somebody asked for it)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import files, letter_texts, received_files, seen_pictures
from imbot.store.sql import dialect, insert

_R = received_files.c


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """`fate`: kept (to be sent), held (a picture that came before: sent when asked for), sent, refused, pruned. `reason`: of
    what was refused: type, quota, too_many, disk, empty, or the channel's: too_large, unavailable. `place`: from 0."""

    id: str
    ticket_id: str
    mail_id: int
    place: int
    name: str
    size: int
    content_type: str
    sha256: str
    fate: str
    created_at: datetime
    reason: str = ""
    path: str = ""


@cache
def _add(dialect: str) -> Insert:
    return insert(dialect, received_files).on_conflict_do_nothing(index_elements=["id"])


@cache
def _put_text(dialect: str) -> Insert:
    put = insert(dialect, letter_texts)
    same = {name: put.excluded[name] for name in ("ticket_id", "text", "at")}
    return put.on_conflict_do_update(index_elements=["mail_id"], set_=same)


@cache
def _see(dialect: str) -> Insert:
    put = insert(dialect, seen_pictures).values(letters=1)
    again = {"letters": seen_pictures.c.letters + 1, "at": put.excluded.at}
    return put.on_conflict_do_update(index_elements=["backend", "sha256"], set_=again)


def add(c: Connection, file: ReceivedFile) -> bool:
    """False: this file of this letter is there already."""
    return c.execute(_add(dialect(c)), asdict(file)).rowcount > 0


def get(c: Connection, id: str) -> ReceivedFile | None:
    row = c.execute(select(received_files).where(_R.id == id)).first()
    return None if row is None else ReceivedFile(**row._mapping)


def of_mail(c: Connection, mail_id: int) -> list[ReceivedFile]:
    """In the order of the letter."""
    found = select(received_files).where(_R.mail_id == mail_id).order_by(_R.place, _R.id)
    return [ReceivedFile(**row._mapping) for row in c.execute(found)]


def settle(c: Connection, id: str, fate: str, reason: str = "") -> bool:
    """What became of it. Its bytes may still be there: they go with time."""
    found = update(received_files).where(_R.id == id, _R.fate.in_(("kept", "held")))
    return c.execute(found.values(fate=fate, reason=reason)).rowcount > 0


def wanted(c: Connection, mail_id: int) -> list[ReceivedFile]:
    """Somebody asks for the pictures that were held back: they are to be sent from now on."""
    held = [row for row in of_mail(c, mail_id) if row.fate == "held" and row.path]
    c.execute(update(received_files).where(_R.id.in_([row.id for row in held])).values(fate="kept"))
    return held


def bytes_since(c: Connection, ticket_ids: Sequence[str], since: datetime) -> int:
    """How much has come for these tickets since then, refused files aside."""
    found = select(func.coalesce(func.sum(_R.size), 0)).where(
        _R.ticket_id.in_(ticket_ids), _R.created_at > since, _R.fate != "refused"
    )
    return int(c.execute(found).scalar_one())


def seen_before(c: Connection, backend: str, sha256: str, now: datetime) -> bool:
    """Whether a letter of this backend has brought the picture before; from now on, one has."""
    put = _see(dialect(c)).returning(seen_pictures.c.letters)
    return int(c.execute(put, {"backend": backend, "sha256": sha256, "at": now}).scalar_one()) > 1


def keep_text(c: Connection, mail_id: int, ticket_id: str, text: str, now: datetime) -> None:
    """The letter's readable text as a whole, for whoever asks for more than the notice said."""
    c.execute(_put_text(dialect(c)), {"mail_id": mail_id, "ticket_id": ticket_id, "text": text, "at": now})


def text_of(c: Connection, mail_id: int) -> tuple[str, str, datetime] | None:
    """(ticket, text, when it came); the text is "" where it has outlived its time."""
    t = letter_texts.c
    row = c.execute(select(t.ticket_id, t.text, t.at).where(t.mail_id == mail_id)).first()
    return None if row is None else (row.ticket_id, row.text, row.at)


def known_paths(c: Connection, paths: Iterable[str]) -> set[str]:
    """Those that a row speaks of, of files sent or received."""
    asked = list(paths)
    found: set[str] = set()
    for start in range(0, len(asked), 500):
        some = asked[start : start + 500]
        for table in (files, received_files):
            found.update(c.execute(select(table.c.path).where(table.c.path.in_(some))).scalars())
    return found


def to_prune(c: Connection, before: datetime, limit: int = 1000) -> list[tuple[str, str]]:
    """(id, path) of files with bytes on the disk that came before then."""
    found = select(_R.id, _R.path).where(_R.path != "", _R.created_at < before).order_by(_R.created_at, _R.id)
    return [(row.id, row.path) for row in c.execute(found.limit(limit))]


def pruned(c: Connection, ids: Sequence[str]) -> None:
    """Their bytes are gone from the disk; the rows stay."""
    mine = update(received_files).where(_R.id.in_(ids))
    c.execute(mine.where(_R.fate.in_(("kept", "held", "sent"))).values(fate="pruned"))
    c.execute(mine.values(path=""))


def prune_texts(c: Connection, before: datetime) -> int:
    """Forgets whole texts that came before then; that there was one stays."""
    old = update(letter_texts).where(letter_texts.c.at < before, letter_texts.c.text != "")
    return c.execute(old.values(text="")).rowcount


def prune_pictures(c: Connection, before: datetime) -> int:
    """Forgets pictures that no letter has brought since then."""
    return c.execute(delete(seen_pictures).where(seen_pictures.c.at < before)).rowcount
