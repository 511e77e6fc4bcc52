"""Bad weather on order: faults that a test asks for, and the limits of Telegram (30/s in all, 1/s a chat)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imbot.demo.botapi_checks import ApiError


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` calls of `method` ("*": of any). `mode`: error (the JSON of Telegram), html (a
    gateway's page), drop (the connection breaks). `after`: the call is carried out first, then its answer is lost."""

    method: str
    times: int
    status: int = 500
    description: str = ""
    parameters: dict[str, Any] | None = None
    mode: str = "error"
    after: bool = False
    delay: float = 0.0


class Faults:
    """The faults ordered, in the order in which they were."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        self._ordered.append(fault)

    def clear(self) -> None:
        self._ordered.clear()

    def take(self, method: str) -> Fault | None:
        """The fault that befalls this call, counted."""
        for fault in self._ordered:
            if fault.method in ("*", method) and fault.times > 0:
                fault.times -= 1
                return fault
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """Messages a second: in all and in one chat; `burst` messages of one chat may come at once."""

    overall: float = 30.0
    chat: float = 1.0
    burst: int = 10


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class Throttle:
    """Token buckets. `clock` is monotonic seconds."""

    limits: Limits
    clock: Callable[[], float]
    refused: int = 0
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def check(self, chat_id: str) -> None:
        """Count one message to this chat, or raise 429 with `retry_after`."""
        now = self.clock()
        wanted = (("", self.limits.overall, self.limits.overall), (chat_id, self.limits.chat, float(self.limits.burst)))
        waits = [self._wait(name, rate, size, now) for name, rate, size in wanted]
        if max(waits) > 0:
            self.refused += 1
            seconds = max(1, math.ceil(max(waits)))
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})
        for name, _rate, _size in wanted:
            self._buckets[name].level -= 1

    def _wait(self, name: str, rate: float, size: float, now: float) -> float:
        bucket = self._buckets.setdefault(name, _Bucket(size, now))
        bucket.level = min(size, bucket.level + (now - bucket.at) * rate)
        bucket.at = now
        return 0.0 if bucket.level >= 1 else (1 - bucket.level) / rate
