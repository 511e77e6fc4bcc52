"""The pace of one channel: how many messages a second in all and in one chat, dialog before the rest. `Meter` decides
from figures alone; `Pacer` lets callers wait for it. A refusal by the far end (429) is laid on top of the plan.

The limit in all is a sliding window, which never exceeds 30 in any second, however the far end counts. It counts what arrives: a
message that took longer than others, as the first ones of a start do, whose connections are being opened, arrived later than it
went by no more than that. What is not dialog is spread evenly over the second, so that an answer to a press does not wait for a
burst to pass, unless Telegram itself takes seconds for each message."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, nsmallest
from itertools import count

from imbot.domain.errors import DeliveryError

WINDOW = 1.02  # seconds: a little more than one, for the jitter of the way
_ALIKE = 5.0  # seconds in which refusals in two chats mean that all are refused
_ON_ITS_WAY = 5.0  # seconds for which a message without an answer may arrive at any moment
_LATE = 1.0  # seconds beyond which it may have come to its chat much later than it went
_TRIPS = 64  # answers from which on it is known how long the way takes at least
_DRIFT = 1 / 512  # of the difference: so slowly a longer way is believed to be the shortest
_FEW = 256  # chats, up to which nobody looks for those whose figures are of no use any more


@dataclass(slots=True)
class _ChatPace:
    """`level`: what was left of the burst at the moment `at`, when the last message went or was refused (if any was: `sent`).
    `late`: messages since then that arrived later than they went, or may do so."""

    level: float
    at: float
    sent: bool = False
    held_until: float = 0.0
    late: int = 0


@dataclass(slots=True)
class Way:
    """A message that `went`; until `gone` it counts in the limit in all."""

    went: float
    gone: float


class Meter:
    """All times are seconds of one clock. `burst`: dialog messages that one chat may get at once after a pause. `started`: when
    this program began; what went to a chat before is not known, so its burst fills from then on."""

    def __init__(self, *, overall: int = 30, burst: int = 10, started: float = float("-inf")) -> None:
        self._overall = overall
        self._window: deque[Way] = deque()
        self._trip, self._trips = float("inf"), 0  # the shortest way there and back, and how many were followed
        self._spacing = WINDOW / overall
        self._burst = float(burst)
        self._started = started
        self._chats: dict[str, _ChatPace] = {}
        self._many = _FEW  # of them, and some are looked for that can be forgotten
        self._even = float("-inf")  # the moment that the last message but dialog was planned for
        self._held_until = 0.0
        self._refused: tuple[str, float] = ("", float("-inf"))

    def ready_at(self, chat: str, *, dialog: bool, now: float) -> float:
        """The earliest moment for a message to this chat; not later than `now` means at once."""
        return max(now, self.any_ready_at(dialog=dialog), self.chat_ready_at(chat, dialog=dialog))

    def any_ready_at(self, *, dialog: bool) -> float:
        """The same, for a chat that has not been written to yet."""
        at = self._held_until
        over = len(self._window) - self._overall
        if over >= 0:
            at = max(at, nsmallest(over + 1, (way.gone for way in self._window))[-1])
        return at if dialog else max(at, self._even + self._spacing)

    def chat_ready_at(self, chat: str, *, dialog: bool) -> float:
        """What the chat's own pace allows. It moves on with each message to the chat and each refusal, and never back."""
        pace = self._chats.get(chat)
        if pace is None:
            return float("-inf")
        # Dialog may use the chat's burst up, as it answers what a person did; the rest keeps to one a second.
        wait = max(0.0, 1.0 - pace.level) if dialog else max(1.0, 1.0 - pace.level)
        return max(pace.held_until, pace.at + wait * WINDOW if pace.sent else float("-inf"))

    def take(self, chat: str, now: float) -> Way:
        """One message goes to this chat now, and arrives at once unless its way is followed. What goes a little late, as timers
        do, makes the next one no later."""
        pace = self._chats.setdefault(chat, self._unknown(now))
        pace.level = min(self._burst - pace.late, pace.level + (now - pace.at) / WINDOW) - 1
        pace.at, pace.sent, pace.late = now, True, 0
        while self._window and self._window[0].gone <= now:
            self._window.popleft()
        way = Way(now, now + WINDOW)
        self._window.append(way)
        planned = self._even + self._spacing
        self._even = planned if now - self._spacing < planned < now else now
        if len(self._chats) > self._many:
            self._forget(now)
        return way

    def answered(self, way: Way, now: float, *, well: bool = True) -> None:
        """The far end has answered, or the wait for it ended: it can have arrived no later than now, less the way back. Until a
        good many answers tell how long the ways take at least, that counts for nothing; what was not done `well`, a refusal
        above all, may be quicker than any, and tells nothing."""
        took = now - way.went
        if well:
            self._trips += 1
            self._trip = min(took, self._trip + (took - self._trip) * _DRIFT if self._trips > 1 else took)
        shortest = self._trip if self._trips >= _TRIPS else 0.0
        way.gone = way.went + max(0.0, took - shortest) + WINDOW

    def hold(self, chat: str, seconds: float, now: float) -> None:
        """The far end refused for so long. Two chats refused soon after one another: it means the whole bot. Whoever refuses has
        counted more than we have (what was on its way for long arrived in one piece): by then there is room for one message,
        whatever burst was left by our count."""
        pace = self._chats.setdefault(chat, self._unknown(now))
        pace.held_until = max(pace.held_until, now + seconds)
        pace.level = min(pace.level + (now - pace.at) / WINDOW, 1 - seconds / WINDOW)
        pace.at, pace.sent = now, True
        other, at = self._refused
        if other not in ("", chat) and now - at <= _ALIKE:
            self._held_until = max(self._held_until, now + seconds)
        self._refused = (chat, now)

    def arrives_late(self, chat: str) -> None:
        """What went to this chat was answered late, or not at all. The far end counts it when it arrives: then its chat has less
        than the whole burst, however long ago it went."""
        pace = self._chats.get(chat)
        if pace is not None:
            pace.late += 1

    def _unknown(self, now: float) -> _ChatPace:
        return _ChatPace(min(self._burst, 1 + (now - self._started) / WINDOW), now)

    def _forget(self, now: float) -> None:
        """A chat that has its whole burst back is one that was never written to. At the limit in all some hundred have not; as
        many again may come before the next look, so that it costs a message little."""
        self._chats = {
            chat: pace
            for chat, pace in self._chats.items()
            if pace.level + (now - pace.at) / WINDOW < self._burst or pace.held_until > now or pace.late
        }
        self._many = max(_FEW, 2 * len(self._chats))


@dataclass(slots=True)
class _Waiter:
    number: int
    granted: asyncio.Future[Way]


class _Queue:
    """Who waits in one class, first come first served within a chat. A chat stands in one of two heaps: `asleep` until its own
    pace allows its first waiter to go, then `awake`, by who came first. So a turn costs the same however many wait."""

    def __init__(self) -> None:
        self._chats: dict[str, deque[_Waiter]] = {}
        self._asleep: list[tuple[float, int, str]] = []
        self._awake: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._chats)

    def add(self, chat: str, waiter: _Waiter, ready_at: float) -> None:
        if chat in self._chats:
            self._chats[chat].append(waiter)
        else:
            self._chats[chat] = deque([waiter])
            heappush(self._asleep, (ready_at, waiter.number, chat))

    def wake(self, now: float) -> None:
        while self._asleep and self._asleep[0][0] <= now:
            _, number, chat = heappop(self._asleep)
            heappush(self._awake, (number, chat))

    def first(self) -> tuple[str, _Waiter] | None:
        """The first of an awake chat; those who gave up meanwhile are forgotten."""
        while self._awake:
            chat = self._awake[0][1]
            line = self._chats[chat]
            while line and line[0].granted.done():
                line.popleft()
            if line:
                return chat, line[0]
            heappop(self._awake)
            del self._chats[chat]
        return None

    def served(self, ready_at: float) -> None:
        """The first one went; its chat may be written to again from then on."""
        _, chat = heappop(self._awake)
        line = self._chats[chat]
        line.popleft()
        if line:
            heappush(self._asleep, (ready_at, line[0].number, chat))
        else:
            del self._chats[chat]

    def put_off(self, ready_at: float) -> None:
        """The first one's chat was written to, or refused, meanwhile."""
        number, chat = heappop(self._awake)
        heappush(self._asleep, (ready_at, number, chat))

    def wakes_at(self) -> float:
        return self._asleep[0][0] if self._asleep else float("inf")

    def waiting(self) -> Iterator[tuple[str, _Waiter]]:
        return ((chat, waiter) for chat, line in self._chats.items() for waiter in line if not waiter.granted.done())


class Pacer:
    """`clock` is monotonic seconds. A caller that would have to wait longer than `patience` is refused instead."""

    def __init__(
        self, meter: Meter | None = None, *, patience: float = 20.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = meter or Meter()
        self._patience = patience
        self._clock = clock
        self._queues: dict[bool, _Queue] = {True: _Queue(), False: _Queue()}
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, chat: str, *, dialog: bool = True) -> Way:
        """Wait for the turn to send one message to this chat; `arrived` or `down` hears what came of it. Order within a chat and
        class is kept. Raises DeliveryError (`throttled`, with `retry_after`) where the turn is further away than `patience`."""
        now = self._clock()
        at = self._meter.ready_at(chat, dialog=dialog, now=now)
        if at <= now and not any(self._queues.values()):
            return self._goes(chat, now)
        if at - now > self._patience:
            raise _too_long(at - now)
        waiter = _Waiter(next(self._numbers), asyncio.get_running_loop().create_future())
        self._queues[dialog].add(chat, waiter, self._meter.chat_ready_at(chat, dialog=dialog))
        self.pump()
        return await waiter.granted

    def _goes(self, chat: str, now: float) -> Way:
        way = self._meter.take(chat, now)
        way.gone = max(way.gone, now + _ON_ITS_WAY)
        return way

    def arrived(self, chat: str, way: Way, *, well: bool = True) -> None:
        """What went to this chat was taken, or not `well`: refused, or given up."""
        now = self._clock()
        self._meter.answered(way, now, well=well)
        if now - way.went > _LATE:
            self._meter.arrives_late(chat)
        if any(self._queues.values()):
            self.pump()

    def hold(self, chat: str, seconds: float) -> None:
        """The far end answered 429 for this chat. Whoever would have to wait too long now is refused."""
        now = self._clock()
        self._meter.hold(chat, seconds, now)
        for dialog, queue in self._queues.items():
            earliest = self._meter.any_ready_at(dialog=dialog)
            for waiting, waiter in queue.waiting():
                at = max(earliest, self._meter.chat_ready_at(waiting, dialog=dialog))
                if at - now > self._patience:
                    waiter.granted.set_exception(_too_long(at - now))
        self.pump()

    def down(self, chat: str, way: Way, error: DeliveryError) -> None:
        """What went to this chat got no answer: the far end is down. What is not dialog and stands in line need not find that out
        one by one."""
        self._meter.answered(way, self._clock(), well=False)
        self._meter.arrives_late(chat)
        for _, waiter in self._queues[False].waiting():
            waiter.granted.set_exception(DeliveryError(str(error), kind="down", code=error.code))
        self.pump()

    def pump(self) -> None:
        """Grant every turn that has come, dialog first, and set the timer for the next one."""
        now = self._clock()
        self._set_timer(min(self._serve(dialog, now) for dialog in (True, False)) - now)

    def _serve(self, dialog: bool, now: float) -> float:
        """Returns when to look again."""
        queue, meter = self._queues[dialog], self._meter
        queue.wake(now)
        while (found := queue.first()) is not None:
            at = meter.any_ready_at(dialog=dialog)
            if at > now:
                return min(at, queue.wakes_at())
            chat, waiter = found
            at = meter.chat_ready_at(chat, dialog=dialog)
            if at > now:
                queue.put_off(at)
                continue
            waiter.granted.set_result(self._goes(chat, now))
            queue.served(meter.chat_ready_at(chat, dialog=dialog))
        return queue.wakes_at()

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
