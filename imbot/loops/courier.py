"""Carries parcels: claim -> errand -> settle. What each kind needs of the world stands in `loops.errands`.

    open -> claimed (attempt counted, lease) -> settled | again later | lane suspended

What the courier would do next anyway may be claimed with the transaction that puts it (`outbox.put(take=True)`); it is given
that behind the commit.

Woken by every commit that touched a lane. A target that is down as a whole gets one probe at a time, and its parcels lose no
attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from imbot.domain.errors import DeliveryError, DirectoryUnavailable
from imbot.domain.parcels import MOST_A_CHAT, SEND_LIMIT, Parcel, next_try
from imbot.failpoints import hit
from imbot.loops.hands import HANDS, Hands
from imbot.loops.pulse import Clock, Looked, Pulse
from imbot.loops.settling import Unsettled, until_noted
from imbot.services import delivery
from imbot.services.env import Env
from imbot.store import outbox
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.touched import OUTBOX

log = structlog.get_logger(__name__)

Errand = Callable[[Parcel], Awaitable[None]]

_BY = {"telegram": "parcels"}  # others talk to it as well, in other ways
_SILENT = ("smtp", "directory")  # no pace of ours and no size makes these slow
_ONE_FIRST = frozenset({"smtp"})  # given one parcel at a time until it has taken one: who shuts down is not stormed
_IDLE = 5.0  # seconds between looks when nothing is due: our own commits wake us, those of the command line do not
# Seconds from being woken to looking: what becomes ready together is claimed together. Longer while so many are under way.
_GATHER, _GATHER_BUSY, _MANY = 0.003, 0.01, 8
_NET = 1.0
_LONGEST_PROBE = timedelta(seconds=60)
_BETWEEN_PROBES = timedelta(seconds=2)
# Between two tries at a mail server that answers and takes nothing for now: one that shuts down, or greylists, is not stormed.
_EASE = timedelta(seconds=1.2)


@dataclass(slots=True)
class Breaker:
    """A target that is down: `probe_at` is when one parcel may try it; `failed_at` when the last one did."""

    failures: int
    probe_at: datetime
    failed_at: datetime


class Courier:
    """`errand(parcel)` sends and settles, or raises DeliveryError."""

    def __init__(self, db: Db, errand: Errand, env: Env, pulse: Pulse, clock: Clock) -> None:
        self._db, self._errand, self._env, self._pulse, self._clock = db, errand, env, pulse, clock
        self._wake = asyncio.Event()
        self._free = asyncio.Event()  # hands have come free for what waits
        self._hands = Hands()
        self._looked = Looked(clock())
        self._running: dict[int, tuple[str, asyncio.Task[None]]] = {}
        self._carried: set[tuple[int, int]] = set()  # (id, attempt) of those that may be held by their lease still
        self._single: frozenset[str] = frozenset()  # targets that may have one, which is being claimed
        self._breakers: dict[str, Breaker] = {}
        self._open = False  # between the start's clearing of leases and the end
        self._pressing: frozenset[str] = frozenset()  # targets of what was urgent at the last look
        self._short = False  # something was due and found no hand: whoever is done makes room for it
        self._eased: dict[str, datetime] = {}  # target -> when one more may try it
        self._proven: set[str] = set()  # targets that worked the last time
        self._jitter = random.Random()  # noqa: S311 (spreads retries; no secret)
        db.on_commit(self._wake.set, OUTBOX)
        db.on_taken(self.offer)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; parcels under way are given 8 seconds to settle, their leases cover the rest."""
        await self._db.run(outbox.clear_leases)
        hit("leases_cleared")
        self._open = True
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        try:
            while not stop.is_set():
                self._wake.clear()
                self._free.clear()
                try:
                    wait = await self._claim()
                except StoreUnavailable as error:
                    self._pulse.wrong("store", str(error))
                    log.error("store_unavailable", error=str(error))
                    wait = 2.0
                await self._sleep(wait)
        finally:
            self._open = False
            stopping.cancel()
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=8)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def probe(self) -> None:
        """Try every far end that was down, now: what waits for it waits for its next probe otherwise."""
        for breaker in self._breakers.values():
            breaker.probe_at = self._clock()
        self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        """Until something wakes us, and a moment longer, unless it is that hands are free."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
                async with asyncio.timeout(_GATHER if len(self._running) < _MANY else _GATHER_BUSY):
                    await self._free.wait()

    def offer(self, parcels: Iterable[Parcel]) -> None:
        """Just claimed as they were put, and committed: they go at once, without a look into the data base. What there is no hand
        for is found by the look that follows, or by the next start's."""
        if not self._open:
            return
        wanted = self._wanted(self._clock())
        for parcel in parcels:
            if self._has(parcel):
                continue
            if wanted.get(parcel.target, 0) > 0 and parcel.target not in self._single:
                wanted[parcel.target] -= 1
                self._start(parcel)
            else:
                self._wake.set()

    def works_elsewhere(self, target: str) -> None:
        """Somebody else has just used this far end and got what they wanted: its next probe need not wait for its moment."""
        breaker, now = self._breakers.get(target), self._clock()
        if breaker is not None and breaker.probe_at > now and now - breaker.failed_at >= _BETWEEN_PROBES:
            breaker.probe_at = now
            self._wake.set()

    async def _claim(self) -> float:
        """Hand out what may go now, each target as many as it has hands; a target that is down gets one probe. Returns the
        seconds until there may be more."""
        now = self._clock()
        if self._looked.later_than(now):
            for breaker in self._breakers.values():
                breaker.probe_at = breaker.failed_at = now
            self._eased.clear()
            await self._db.run(outbox.clock_went_back, now, self._looked.at)
        elif self._looked.has_settled():
            await self._db.run(outbox.clock_was_put_back, now)
        self._looked.at = now
        ended = set(self._carried)
        due, urgent, taken = await self._db.read(outbox.look, list(self._running))
        self._carried -= ended - {(parcel.id, parcel.attempt) for parcel in taken}  # settled: nothing will ask for them
        pressing = {target for target, at in urgent.items() if at <= now}
        wanted = self._wanted(now, pressing)  # something may have been offered meanwhile
        for parcel in taken:
            if not self._has(parcel):
                await self._take(parcel, wanted, now)
        ready = {target for target, at in due.items() if at <= now}
        busy = self._busy()
        wanted = {t: n for t, n in wanted.items() if t in pressing or self._hands.are_to_fill(t, busy[t])}
        short = not ready <= wanted.keys()
        self._pressing = frozenset(pressing)
        if ready.isdisjoint(wanted):
            self._short = short
            return self._until_next(now, due)
        self._short, ended = True, set(self._carried)  # of what ends meanwhile both are to be known
        self._single = frozenset(target for target, n in wanted.items() if n == 1)
        try:
            claimed = await self._db.run(delivery.claim, now, wanted, list(self._running))
        finally:
            self._single = frozenset()
        counts = Counter(parcel.target for parcel in claimed)
        crowded = not ready.isdisjoint(wanted.keys() & MOST_A_CHAT.keys())  # more of a chat may wait for its next hand
        self._short = short or crowded or not claimed or any(n >= wanted[target] for target, n in counts.items())
        for parcel in claimed:
            begun = parcel.id in self._running or (parcel.id, parcel.attempt) in self._carried - ended
            if not begun:  # else it was committed together with this claim, and offered
                self._start(parcel)
        return self._until_next(now, due)

    async def _take(self, parcel: Parcel, wanted: dict[str, int], now: datetime) -> None:
        """One that was claimed with the transaction that put it; where there is no hand for it, it waits its turn."""
        if wanted.get(parcel.target, 0) < 1:
            # The turn that claimed it may be about to offer it: what was given back must not be carried as well.
            self._carried.add((parcel.id, parcel.attempt))
            try:
                await self._db.run(outbox.uncount, parcel, now, parcel.last_error)
            except BaseException:
                self._carried.discard((parcel.id, parcel.attempt))  # it was not given back: the next look finds it
                raise
            return
        wanted[parcel.target] -= 1
        if not wanted[parcel.target]:
            del wanted[parcel.target]
        self._start(parcel)

    def _has(self, parcel: Parcel) -> bool:
        """Whether it is under way, or its errand ended with it unsettled: then its lease holds it."""
        return parcel.id in self._running or (parcel.id, parcel.attempt) in self._carried

    def _start(self, parcel: Parcel) -> None:
        hit("parcel_claimed")
        task = asyncio.create_task(self._carry(parcel))
        self._running[parcel.id] = (parcel.target, task)
        task.add_done_callback(partial(self._done, parcel))

    def _wanted(self, now: datetime, pressing: Collection[str] = ()) -> dict[str, int]:
        """How many parcels each target may be given. One that may have none, for want of a hand or a probe, is left out."""
        busy = self._busy()
        wanted = {target: self._hands.free(target, busy[target], target in pressing) for target in HANDS}
        for target, breaker in self._breakers.items():
            wanted[target] = int(now >= breaker.probe_at and not busy[target])
        for target in _ONE_FIRST - self._proven:
            wanted[target] = min(wanted[target], int(not busy[target]))
        for target, moment in self._eased.items():
            wanted[target] = min(wanted[target], int(now >= moment and not busy[target]))
        return {target: n for target, n in wanted.items() if n > 0}

    def _busy(self) -> Counter[str]:
        return Counter(target for target, _ in self._running.values())

    def _done(self, parcel: Parcel, _: asyncio.Task[None]) -> None:
        self._running.pop(parcel.id, None)
        self._carried.add((parcel.id, parcel.attempt))
        target = parcel.target
        if self._short and (target in self._pressing or self._hands.are_to_fill(target, self._busy()[target])):
            self._wake.set()
            self._free.set()

    async def _carry(self, parcel: Parcel) -> None:
        try:
            watched = self._pulse.asking(parcel.target) if parcel.target in _SILENT else nullcontext()
            with watched:
                async with asyncio.timeout(SEND_LIMIT.total_seconds()):
                    await self._errand(parcel)
            hit("parcel_settled")
            self._hands.took(parcel.target)
            self._works(parcel.target)
        except Unsettled as error:  # it is done: only the note of it waits
            await until_noted(error.settle, self._pulse)
            self._works(parcel.target)
        except (DeliveryError, DirectoryUnavailable, TimeoutError) as error:
            await self._failed(parcel, _as_delivery_error(error))
        except (
            StoreUnavailable
        ) as error:  # nothing was done: as if it had not been claimed, without waiting for the lease
            log.error("store_unavailable", parcel=parcel.id, error=str(error))
            self._pulse.wrong("store", str(error))
            back = partial(self._db.run, outbox.uncount, parcel, self._clock(), str(error))
            await until_noted(back, self._pulse)
        except Exception as error:  # the item border: it is tried again, and an admin can see it in the outbox
            log.exception("parcel_failed", parcel=parcel.id, kind=parcel.kind)
            await self._failed(parcel, DeliveryError(f"internal error: {error!r}", kind="internal"))

    async def _failed(self, parcel: Parcel, error: DeliveryError) -> None:
        now, probes = self._clock(), 0
        if error.kind in ("down", "throttled"):
            self._proven.discard(parcel.target)
        if error.kind == "down":
            breaker = self._breakers.setdefault(parcel.target, Breaker(0, now, now))
            if not breaker.failures or abs(now - breaker.failed_at) >= _BETWEEN_PROBES:
                breaker.failures += 1  # all that were under way when it went down are one
            breaker.failed_at = now
            probes = breaker.failures
            wait = next_try(breaker.failures, now, jitter=self._jitter.random()) - now
            breaker.probe_at = now + max(min(wait, _LONGEST_PROBE), timedelta(seconds=error.retry_after or 0))
            self._pulse.wrong(parcel.target, str(error), _BY.get(parcel.target, ""))
        elif error.kind == "throttled" and parcel.target == "smtp":  # it answers, and takes nothing: not now, says 421
            self._eased[parcel.target] = now + _EASE
            self._pulse.wrong(parcel.target, str(error), _BY.get(parcel.target, ""))
        elif parcel.target in self._breakers and error.kind != "internal":
            self._works(parcel.target)
        log.warning("not_delivered", parcel=parcel.id, kind=parcel.kind, error=str(error), cause=error.kind)
        jitter = self._jitter.random()
        note = partial(self._db.run, delivery.failed, parcel, error, now, self._env, jitter, probes)
        await until_noted(note, self._pulse)
        hit("failure_noted")

    def _works(self, target: str) -> None:
        self._eased.pop(target, None)
        self._proven.add(target)
        if self._breakers.pop(target, None) is not None:
            log.info("target_recovered", target=target)
        self._pulse.ok(target, _BY.get(target, ""))

    def _until_next(self, now: datetime, due: Mapping[str, datetime]) -> float:
        probes = (breaker.probe_at for breaker in self._breakers.values())
        moments = [*due.values(), *probes, *self._eased.values()]
        waits = [(moment - now).total_seconds() for moment in moments if moment > now]
        # What is due and was not claimed waits for a hand or a probe: both wake us, and the net is a second.
        return min([*waits, _NET if any(moment <= now for moment in moments) else _IDLE])


def _as_delivery_error(error: DeliveryError | DirectoryUnavailable | TimeoutError) -> DeliveryError:
    if isinstance(error, DeliveryError):
        return error
    return DeliveryError(str(error) or "no answer in time", kind="down")
