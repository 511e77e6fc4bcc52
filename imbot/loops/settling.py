"""Noting in the data base what has been done in the world, while the data base is away: what a far end has taken must not be
done again because it could not be noted at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from imbot.loops.pulse import Pulse
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable

log = structlog.get_logger(__name__)

_WAIT = 2.0  # seconds


class Unsettled(StoreUnavailable):
    """The far end has done its part, and the data base did not take the note. `settle` tries that again, and nothing else."""

    def __init__(self, why: str, settle: Callable[[], Awaitable[object]]) -> None:
        super().__init__(why)
        self.settle = settle


async def noted(db: Db, fn: Callable[..., Any], *args: Any) -> None:
    """`db.run(fn, ...)` behind what cannot be undone. Raises Unsettled where the data base is away."""
    try:
        await db.run(fn, *args)
    except StoreUnavailable as error:
        raise Unsettled(str(error), partial(db.run, fn, *args)) from error


async def until_noted(settle: Callable[[], Awaitable[object]], pulse: Pulse) -> None:
    """Tries until the data base takes it. Whoever cannot wait for ever cancels it."""
    while True:
        try:
            await settle()
        except StoreUnavailable as error:
            pulse.wrong("store", str(error))
            log.error("store_unavailable", error=str(error))
            await asyncio.sleep(_WAIT)
        else:
            return
