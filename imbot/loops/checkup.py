"""How each leg is, for an admin who asks; on request after trying what can be tried at once. Tells nobody by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from imbot.loops.pulse import Leg, Pulse

_PATIENCE = 20.0  # seconds that a mailbox is given to answer; shorter than the lease of the parcel that asks
_HIDDEN = "timer "  # jobs of ours, not legs that we lean on
_TRIED = ("smtp", "directory")


class Checkup:
    """`pokes` make the loops try at once: look into the mailbox, probe a far end that was down."""

    def __init__(self, pulse: Pulse, pokes: Sequence[Callable[[], None]], patience: float = _PATIENCE) -> None:
        self._pulse, self._pokes, self._patience = pulse, pokes, patience

    async def look(self, check: bool) -> list[dict[str, Any]]:
        """Every leg that was ever heard of. With `check` a mailbox is given its time to answer, and another far end that is
        wrong a shorter one: only what waits for it can tell."""
        if check:
            words = [self._word_of(name, leg) for name, leg in self._pulse.legs.items()]
            waits = [asyncio.ensure_future(word) for word in words]
            await asyncio.sleep(0)  # each listens before anybody is poked
            for poke in self._pokes:
                poke()
            await asyncio.gather(*waits)
        legs = sorted((name, leg) for name, leg in self._pulse.legs.items() if not name.startswith(_HIDDEN))
        return [
            {"leg": name, "ok": leg.since is None, "since": _iso(leg), "error": leg.error, "ok_at": _ok(leg)}
            for name, leg in legs
        ]

    async def _word_of(self, name: str, leg: Leg) -> None:
        mailbox = name.partition(":")[0] == "mailbox"
        if mailbox or (leg.since is not None and name in _TRIED):
            leg.heard.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leg.heard.wait(), self._patience if mailbox else self._patience / 4)


def _iso(leg: Leg) -> str | None:
    return leg.since.isoformat() if leg.since else None


def _ok(leg: Leg) -> str | None:
    return leg.ok_at.isoformat() if leg.ok_at else None
