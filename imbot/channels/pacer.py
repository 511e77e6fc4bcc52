"""The pace of one channel: how many messages a second in all and in one chat, dialog before the rest. `Meter` decides
from figures alone; `Pacer` lets callers wait for it. A refusal by the far end (429) is laid on top of the plan.

The limit in all is a sliding window, which never exceeds 30 in any second, however the far end counts. What is not
dialog is spread evenly over the second, so that an answer to a press never waits for a burst to pass."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from imbot.domain.errors import DeliveryError

WINDOW = 1.02  # seconds: a little more than one, for the jitter of the way
_ALIKE = 5.0  # seconds in which refusals in two chats mean that all are refused
_FORGET = 60.0  # seconds after which a chat's figures are of no use


@dataclass(slots=True)
class _ChatPace:
    """`level`: what was left of the burst at the moment `at`, when the last message went (if any did: `sent`)."""

    level: float
    at: float
    sent: bool = False
    held_until: float = 0.0


class Meter:
    """All times are seconds of one clock. `burst`: dialog messages that one chat may get at once after a pause. `started`: when
    this program began; what went to a chat before is not known, so its burst fills from then on."""

    def __init__(self, *, overall: int = 30, burst: int = 10, started: float = float("-inf")) -> None:
        self._window: deque[float] = deque(maxlen=overall)
        self._spacing = WINDOW / overall
        self._burst = float(burst)
        self._started = started
        self._chats: dict[str, _ChatPace] = {}
        self._even = float("-inf")  # the moment that the last message but dialog was planned for
        self._held_until = 0.0
        self._refused: tuple[str, float] = ("", float("-inf"))

    def ready_at(self, chat: str, *, dialog: bool, now: float) -> float:
        """The earliest moment for a message to this chat; not later than `now` means at once."""
        at = max(now, self._held_until)
        if len(self._window) == self._window.maxlen:
            at = max(at, self._window[0] + WINDOW)
        if not dialog:
            at = max(at, self._even + self._spacing)
        pace = self._chats.get(chat)
        if pace is not None:
            # Dialog may use the chat's burst up, as it answers what a person did; the rest keeps to one a second.
            wait = max(0.0, 1.0 - pace.level) if dialog else max(1.0, 1.0 - pace.level)
            at = max(at, pace.held_until, pace.at + wait * WINDOW if pace.sent else 0.0)
        return at

    def take(self, chat: str, now: float) -> None:
        """One message goes to this chat now. What goes a little late, as timers do, makes the next one no later."""
        pace = self._chats.setdefault(chat, self._unknown(now))
        pace.level = min(self._burst, pace.level + (now - pace.at) / WINDOW) - 1
        pace.at, pace.sent = now, True
        self._window.append(now)
        planned = self._even + self._spacing
        self._even = planned if now - self._spacing < planned < now else now
        if len(self._chats) > 2000:
            self._forget(now)

    def hold(self, chat: str, seconds: float, now: float) -> None:
        """The far end refused for so long. Two chats refused soon after one another: it means the whole bot."""
        pace = self._chats.setdefault(chat, self._unknown(now))
        pace.held_until = max(pace.held_until, now + seconds)
        other, at = self._refused
        if other not in ("", chat) and now - at <= _ALIKE:
            self._held_until = max(self._held_until, now + seconds)
        self._refused = (chat, now)

    def _unknown(self, now: float) -> _ChatPace:
        return _ChatPace(min(self._burst, 1 + (now - self._started) / WINDOW), now)

    def _forget(self, now: float) -> None:
        self._chats = {
            chat: pace for chat, pace in self._chats.items() if now - pace.at < _FORGET or pace.held_until > now
        }


@dataclass(slots=True)
class _Waiter:
    chat: str
    dialog: bool
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Pacer:
    """`clock` is monotonic seconds. A caller that would have to wait longer than `patience` is refused instead."""

    def __init__(
        self, meter: Meter | None = None, *, patience: float = 20.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = meter or Meter()
        self._patience = patience
        self._clock = clock
        self._waiters: dict[bool, list[_Waiter]] = {True: [], False: []}
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self, chat: str, *, dialog: bool = True) -> AsyncIterator[None]:
        """Wait for the turn to send one message to this chat. Order within a chat and a class is kept. Raises
        DeliveryError (`throttled`, with `retry_after`) where the turn is further away than `patience`."""
        now = self._clock()
        if not any(self._waiters.values()) and self._meter.ready_at(chat, dialog=dialog, now=now) <= now:
            self._meter.take(chat, now)
        else:
            await self._wait(_Waiter(chat, dialog))
        yield

    def hold(self, chat: str, seconds: float) -> None:
        """The far end answered 429 for this chat."""
        self._meter.hold(chat, seconds, self._clock())
        self.pump()

    async def _wait(self, waiter: _Waiter) -> None:
        queue = self._waiters[waiter.dialog]
        queue.append(waiter)
        try:
            self.pump()
            await waiter.granted
        finally:
            if waiter in queue:
                queue.remove(waiter)

    def pump(self) -> None:
        """Grant every turn that has come, dialog first, and set the timer for the next one."""
        now = self._clock()
        next_at = float("inf")
        for dialog in (True, False):
            still: list[_Waiter] = []
            for waiter in self._waiters[dialog]:
                at = self._meter.ready_at(waiter.chat, dialog=dialog, now=now)
                if waiter.granted.done():
                    continue
                if at <= now:
                    self._meter.take(waiter.chat, now)
                    waiter.granted.set_result(None)
                elif at - now > self._patience:
                    waiter.granted.set_exception(_too_long(at - now))
                else:
                    still.append(waiter)
                    next_at = min(next_at, at)
            self._waiters[dialog][:] = still
        self._set_timer(next_at - now)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds != float("inf"):
            self._timer = asyncio.get_running_loop().call_later(max(0.001, seconds), self.pump)

    def close(self) -> None:
        """Forget the timer. Whoever still waits is cancelled by their own task."""
        self._set_timer(float("inf"))


def _too_long(seconds: float) -> DeliveryError:
    return DeliveryError(
        f"Telegram asked to wait for {seconds:.0f} s", kind="throttled", retry_after=seconds, code="429"
    )
