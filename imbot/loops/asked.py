"""The directory as the loops ask it: each answer is heard by the pulse, and one that failed is left alone for a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from imbot.domain.errors import DirectoryUnavailable
from imbot.domain.people import Absence, Entry
from imbot.loops.pulse import Pulse

_LEG = "directory"
_PAUSE = 2.0  # seconds: whatever asks, and however many do, a directory that is down is not stormed


class Directory(Protocol):
    @property
    def can_recheck(self) -> bool: ...
    async def look_up(self, address: str) -> Entry | Absence: ...


class Asked:
    """Stands before the `directory`."""

    def __init__(self, directory: Directory, pulse: Pulse) -> None:
        self._directory, self._pulse = directory, pulse
        self._failed_at, self._why = float("-inf"), ""
        self._waiting = False

    @property
    def can_recheck(self) -> bool:
        return self._directory.can_recheck

    async def look_up(self, address: str) -> Entry | Absence:
        """Raises DirectoryUnavailable. Behind a failure one question waits for its moment, and others fail as the last one."""
        left = self._failed_at + _PAUSE - time.monotonic()
        if left > 0:
            if self._waiting:
                raise DirectoryUnavailable(self._why)
            self._waiting = True
            try:
                await asyncio.sleep(left)
            finally:
                self._waiting = False
        try:
            answer = await self._directory.look_up(address)
        except DirectoryUnavailable as error:
            self._failed_at, self._why = time.monotonic(), str(error)
            self._pulse.wrong(_LEG, str(error))
            raise
        self._pulse.ok(_LEG)
        return answer
