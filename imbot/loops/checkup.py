"""How each leg is, for an admin who asks; on request after trying what can be tried at once. Tells nobody by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from imbot.loops.pulse import Leg, Pulse

_PATIENCE = 20.0  # seconds that a mailbox is given to answer; shorter than the lease of the parcel that asks
_HIDDEN = "timer "  # jobs of ours, not legs that we lean on


class Checkup:
    """`pokes` make the loops try at once: look into the mailbox, probe a far end that was down."""

    def __init__(self, pulse: Pulse, pokes: Sequence[Callable[[], None]], patience: float = _PATIENCE) -> None:
        self._pulse, self._pokes, self._patience = pulse, pokes, patience

    async def look(self, check: bool) -> list[dict[str, Any]]:
        """Every leg that was ever heard of. With `check` the mailboxes are waited for until they have said a word, or patience
        ends; of other far ends only what waits for them can tell."""
        if check:
            asked = [leg for name, leg in self._pulse.legs.items() if name.partition(":")[0] == "mailbox"]
            for leg in asked:
                leg.heard.clear()
            for poke in self._pokes:
                poke()
            waits = [asyncio.ensure_future(leg.heard.wait()) for leg in asked]
            if waits:
                await asyncio.wait(waits, timeout=self._patience)
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        legs = sorted((name, leg) for name, leg in self._pulse.legs.items() if not name.startswith(_HIDDEN))
        return [
            {"leg": name, "ok": leg.since is None, "since": _iso(leg), "error": leg.error, "ok_at": _ok(leg)}
            for name, leg in legs
        ]


def _iso(leg: Leg) -> str | None:
    return leg.since.isoformat() if leg.since else None


def _ok(leg: Leg) -> str | None:
    return leg.ok_at.isoformat() if leg.ok_at else None
