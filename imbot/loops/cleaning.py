"""One clean-up from end to end: rounds of what is due, files off the disk, rows after them. Run nightly and by command."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path

import structlog

from imbot.config_sections import Retention
from imbot.failpoints import hit
from imbot.services import upkeep
from imbot.store.db import Db

log = structlog.get_logger(__name__)

_ROUNDS = 1000


async def clean_up(db: Db, retention: Retention, files: Path, letters: Path, now: datetime) -> dict[str, int]:
    """Remove all that has outlived its time; says how many of what. May be cut anywhere and run again."""
    done: Counter[str] = Counter()
    for _ in range(_ROUNDS):
        gone = await db.read(upkeep.due, retention, now)
        stuck = await asyncio.to_thread(upkeep.remove, gone.paths, (files, letters))
        hit("clean_up_half")
        for path, problem in stuck.items():
            log.warning("not_deleted", file=path, error=problem)
        done.update(await db.run(upkeep.forget, gone.without(stuck), retention, now))
        hit("clean_up_noted")
        if stuck or not gone.full:
            break
    lying = await asyncio.to_thread(upkeep.lying_for_days, files, now)
    strays = await db.read(upkeep.strays, lying)
    done["strays"] = await asyncio.to_thread(upkeep.remove_strays, strays, files, now)
    return dict(done)
