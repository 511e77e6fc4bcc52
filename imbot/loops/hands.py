"""How many parcels each far end is given at once, and when the hands that are free are filled again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from imbot.domain.parcels import target_of_files

# At once, a target. Most that stand in Telegram's hands wait for their chat's second to pass; with its files they are fewer than
# the channel has connections, so that answers to people find one even where Telegram is slow.
# Those in SMTP's wait behind one connection, ready to go. What is heavy is bounded where it is done (`loops.errands`).
HANDS: Mapping[str, int] = {
    "smtp": 8,
    "telegram": 24,
    target_of_files("telegram"): 8,
    "directory": 4,
    "recheck": 4,
    "self": 4,
}
# A claim is a commit: a mail server that takes letter after letter is given several at once, once so many hands are free. Enough
# must be left in line meanwhile: some hands are letters that it has and that are being noted, and where the line is empty as it
# takes one, the next envelope has not gone ahead.
_SWIFT_HANDS, _AT_ONCE = 24, 8
_SWIFT, _LOOKED_AT = 0.4, 8  # seconds in which it has taken so many


class Hands:
    """`monotonic`: seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._taken: deque[float] = deque(maxlen=_LOOKED_AT)

    def took(self, target: str) -> None:
        """The far end has just taken one."""
        if target == "smtp":
            self._taken.append(self._monotonic())

    def of(self, target: str) -> int:
        return _SWIFT_HANDS if target == "smtp" and self._is_swift else HANDS[target]

    def free(self, target: str, busy: int, urgent: bool) -> int:
        """Something urgent finds one as long as there was one, however slow the far end has become."""
        spare = int(urgent and target == "smtp" and busy < _SWIFT_HANDS)
        return max(self.of(target) - busy, spare)

    def are_to_fill(self, target: str, busy: int) -> bool:
        """Whether enough of them are free to be worth a claim of what is not urgent."""
        if target == "smtp" and self._is_swift:
            return busy <= _SWIFT_HANDS - _AT_ONCE
        return busy < HANDS[target]

    @property
    def _is_swift(self) -> bool:
        return len(self._taken) == _LOOKED_AT and self._monotonic() - self._taken[0] < _SWIFT
