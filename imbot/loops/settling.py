"""Noting in the data base what has been done in the world, while the data base is away: what a far end has taken must not be
done again because it could not be noted at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

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


class Together:
    """`noted` of one function for many: what comes while a note is being written is written together behind it, in one turn of
    the writer. Who fails fails alone."""

    def __init__(self, db: Db, fn: Callable[..., None]) -> None:
        self._db, self._fn = db, fn
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def noted(self, *args: Any) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((args, waiter))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await waiter

    async def _write(self) -> None:
        try:
            while self._waiting:
                rows, self._waiting = self._waiting, []
                try:
                    await self._db.run(_all, self._fn, [args for args, _ in rows])
                    answers: list[Exception | None] = [None] * len(rows)
                except Exception as error:
                    answers = [await self._alone(args, error) for args, _ in rows]
                for (_, waiter), answer in zip(rows, answers, strict=True):
                    if waiter.done():  # whoever gave up does not hear of it
                        continue
                    if answer is None:
                        waiter.set_result(None)
                    else:
                        waiter.set_exception(answer)
        finally:
            self._writing = None

    async def _alone(self, args: tuple[Any, ...], error: Exception) -> Exception | None:
        """One of those that failed together: by itself, unless the data base is away from all of them."""
        if isinstance(error, StoreUnavailable):
            return Unsettled(str(error), partial(self._db.run, self._fn, *args))
        try:
            await noted(self._db, self._fn, *args)
        except Exception as own:
            return own
        return None


def _all(c: Connection, fn: Callable[..., None], rows: Sequence[tuple[Any, ...]]) -> None:
    for args in rows:
        fn(c, *args)


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
