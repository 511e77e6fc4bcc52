"""Bad weather on order: faults that a test asks for, and the limits of Telegram (30/s in all, 1/s a chat)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imbot.demo.botapi_checks import ApiError


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` calls of `method` ("*": of any). `mode`: error (the JSON of Telegram), html (a
    gateway's page), drop (the connection breaks). `after`: the call is carried out first, then its answer is lost. `chat`:
    only calls about this chat."""

    method: str
    times: int
    status: int = 500
    description: str = ""
    parameters: dict[str, Any] | None = None
    mode: str = "error"
    after: bool = False
    delay: float = 0.0
    chat: str = ""


class Faults:
    """The faults ordered, in the order in which they were."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        self._ordered.append(fault)

    def clear(self) -> None:
        self._ordered.clear()

    def take(self, method: str, chat: str = "") -> Fault | None:
        """The fault that befalls this call, counted. `chat`: the one that the call is about."""
        for fault in self._ordered:
            if fault.method in ("*", method) and fault.chat in ("", chat) and fault.times > 0:
                fault.times -= 1
                return fault
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """Messages a second: `overall` within any second, and on average in one chat, `burst` of which may come at once.
    `penalty`: the fewest seconds for which a chat, or everything, is refused once it was."""

    overall: int = 30
    chat: float = 1.0
    burst: int = 10
    penalty: int = 1


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class Throttle:
    """A sliding second for everything, a token bucket for each chat. `clock` is monotonic seconds; `refused` counts the
    calls that were."""

    limits: Limits
    clock: Callable[[], float]
    refused: int = 0
    _passed: deque[float] = field(default_factory=deque)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _held: dict[str, float] = field(default_factory=dict)

    def check(self, chat_id: str) -> None:
        """Count one message to this chat, or raise 429 with `retry_after`. Until that has passed every further call is
        refused as well, however few came since; such a call does not make it longer."""
        now = self.clock()
        held = max(self._held.get("", now), self._held.get(chat_id, now))
        if held > now:
            raise self._refusal(held - now)
        bucket = self._bucket(chat_id, now)
        for name, wait in (("", self._wait_for_all(now)), (chat_id, (1 - bucket.level) / self.limits.chat)):
            if wait > 0:
                self._held[name] = now + max(self.limits.penalty, math.ceil(wait))
                raise self._refusal(self._held[name] - now)
        bucket.level -= 1
        self._passed.append(now)

    def _refusal(self, wait: float) -> ApiError:
        self.refused += 1
        seconds = max(1, math.ceil(wait))
        return ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})

    def _wait_for_all(self, now: float) -> float:
        while self._passed and self._passed[0] <= now - 1.0:
            self._passed.popleft()
        return self._passed[0] + 1.0 - now if len(self._passed) >= self.limits.overall else 0.0

    def _bucket(self, chat_id: str, now: float) -> _Bucket:
        size = float(self.limits.burst)
        bucket = self._buckets.setdefault(chat_id, _Bucket(size, now))
        bucket.level = min(size, bucket.level + (now - bucket.at) * self.limits.chat)
        bucket.at = now
        return bucket
