"""`imbot cleanup`: the nightly clean-up, now, or only what it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imbot.cli_base import database, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings


# What outlives its time, in an admin's words.
WORDS = {
    "photos": "files of requests, sent by people or by support (the requests stay)",
    "drafts": "files of drafts that were never sent",
    "letters": "letters from the helpdesk as they came (what was read in them stays)",
    "codes": "sign-in codes, invitations, and what counts against their limits",
    "sessions": "dialogs that nobody went on with",
    "parcels": "messages and letters of the outbox that are done, their words",
    "updates": "messages of chats that were not understood",
    "texts": "whole texts of what support wrote",
    "pictures": "marks by which pictures that come with every letter are known",
    "history": "lines of history of requests that have ended (the requests stay)",
    "strays": "files on the disk that belong to nothing",
}


def said(counts: Mapping[str, int]) -> list[str]:
    """How many of what, as lines."""
    return [f"{counts[kind]:>5}  {words}" for kind, words in WORDS.items() if counts.get(kind)]


class _OnlyAsked(Exception):
    """Carries the counts out of a transaction that must not be committed."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts


async def clean(settings: Settings) -> dict[str, int]:
    """Remove it; says how many of what."""
    from imbot.loops.cleaning import clean_up
    from imbot.store.db import Db

    folder = settings.general.data_dir
    db = await Db.open(database(settings))
    try:
        return await clean_up(db, settings.retention, folder / "files", folder / "letters", now())
    finally:
        await db.close()


def would_clean(settings: Settings) -> dict[str, int]:
    """What would go, counted by doing it, round by round, in a transaction that is rolled back. Touches no file."""
    from imbot.services import upkeep
    from imbot.store.db import once

    def try_out(c: Connection) -> None:
        at = now()
        strays = upkeep.strays(c, upkeep.lying_for_days(settings.general.data_dir / "files", at))
        done: Counter[str] = Counter()
        full = True
        while full:
            gone = upkeep.due(c, settings.retention, at)
            done.update(upkeep.forget(c, gone, settings.retention, at))
            full = gone.full
        raise _OnlyAsked(dict(done) | {"strays": len(strays)})

    try:
        once(database(settings), try_out)
    except _OnlyAsked as answer:
        return answer.counts
    return {}
