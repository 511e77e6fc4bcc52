"""When something was killed, cut, refused or could not be written, and what that excuses. Pure; judges nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fire.outages import keeps_back, outages

Event = dict[str, Any]
_FULL = ("disk_full", "disk_read_only")
_SHOWING = ("send", "edit")  # methods that leave a message in a chat
_CLOCK = 0.1  # seconds by which the witness that kills and the one that takes may note one moment differently
_MUTE = 2.0  # seconds from the first refusal to the last, beyond which Telegram is taken for down
_LONG = 60.0  # seconds beyond which a file may have been waited for in vain
WINDOW = 1.0  # seconds after a far end has taken something in which our death may make us do it again


def _refuses_for_good(one: Event) -> bool:
    status, wait = int(one.get("status") or 0), float(one.get("retry_after") or 0)
    return 400 <= status < 500 and (status != 429 or wait >= _LONG)


@dataclass(frozen=True)
class Excuses:
    """By the journals of the witnesses, each in the order of its lines, and of who kills."""

    bot: Sequence[Event] = ()
    smtp: Sequence[Event] = ()
    nanny: Sequence[Event] = ()
    proxy: Sequence[Event] = ()

    @cached_property
    def kills(self) -> list[float]:
        return [one["t"] for one in self.nanny if one["e"] == "killed"]

    @cached_property
    def ordered(self) -> list[Event]:
        """What Telegram refused on order."""
        return [one for one in self.bot if one["e"] == "refused" and one.get("ordered")]

    @cached_property
    def mute(self) -> list[tuple[float, float]]:
        """(from, to) in which Telegram, on order, refused whatever it was to show, for seconds: whoever waits is not even tried
        then, but for one probe a second."""
        found: list[tuple[float, float]] = []
        first = last = 0.0
        for one in self.bot:
            if one["e"] == "refused" and one.get("ordered") and str(one.get("method")).startswith(_SHOWING):
                first, last = first or one["t"], one["t"]
            elif one["e"] == "saw":
                found += [(first, one["t"])] if last - first >= _MUTE else []
                first = last = 0.0
        return found

    @cached_property
    def outages(self) -> dict[str, list[tuple[float, float]]]:
        """Leg -> (from, to) in which the way to it was broken."""
        sink = ({**one, "leg": "smtp", "e": one["verb"]} for one in self.smtp if keeps_back(one))
        return outages([*self.nanny, *self.proxy, *sink])

    @cached_property
    def bad_disk(self) -> list[tuple[float, float]]:
        """(from, to) in which files could not be written, on order."""
        return self._under(*_FULL, "disk_full_for_files")

    @cached_property
    def bad_store(self) -> list[tuple[float, float]]:
        """(from, to) in which nothing could be noted."""
        return self._under(*_FULL, "db_locked", "db_locked_short")

    @cached_property
    def asleep(self) -> list[tuple[float, float]]:
        """(from, to) in which the machine slept."""
        return self._under("asleep")

    @cached_property
    def stalled(self) -> list[tuple[float, float]]:
        """(from, to) in which the machine stood still by itself: nobody had the processor, or everybody waited for the disk."""
        return [(one["since"], one["t"]) for one in self.nanny if one["e"] == "stalled"]

    @cached_property
    def bad_clock(self) -> list[tuple[float, float]]:
        """(from, to) in which imbot's clock was a day off."""
        return self._under("clock_ahead", "clock_behind")

    def had_trouble(self, t: float, seconds: float) -> bool:
        """Whether files could not be fetched or kept, within so many seconds of `t`: for long there was no way to Telegram, it
        refused for good or for long on order, or nothing could be written. What passes in a moment is waited for."""
        refused = [
            (one["t"], one["t"])
            for one in self.ordered
            if one.get("method") in ("getFile", "download") and _refuses_for_good(one)
        ]
        away = [(begin, end) for begin, end in self.outages.get("telegram", ()) if end - begin >= _LONG]
        broken = [*away, *self.bad_disk, *self.bad_store, *refused]
        return any(begin - seconds <= t <= end + seconds for begin, end in broken)

    def _under(self, *faults: str) -> list[tuple[float, float]]:
        """(from, to) of the trials of these."""
        found, begun = [], 0.0
        for one in self.nanny:
            if any(name in faults for name in one.get("names") or ()):
                begun = one["t"] if one["e"] == "trial_asked" else begun
                found += [(begun, one["t"])] if one["e"] == "trial_ended" else []
        return found

    def _unnoted(self, t: float) -> bool:
        """Whether imbot ended before what was done at `t` could be noted: the data base was not to be written to until then."""
        ends = [one["t"] for one in self.nanny if one["e"] in ("killed", "ended")]
        return any(
            begin - WINDOW <= t <= end and any(t <= one <= end + WINDOW for one in ends)
            for begin, end in self.bad_store
        )

    def excuse(self, t: float, again: float, leg: str, *, lost: str = "") -> str:
        """Why what a far end took at `t` may honestly have been done `again`: a kill behind it, within the window and before the
        second time, or its answer could not come, or it could not be noted until imbot ended; "" where nothing excuses it.
        `lost`: the Message-ID or the message whose answer may have been held back."""
        asked = t - (self._late.get(t, 0.0) if leg == "telegram" else 0.0)
        if any(asked - _CLOCK <= kill <= min(again, t + WINDOW) for kill in self.kills) or self._was_sent_by_the_dead(
            t, leg
        ):
            return "kill"
        if any(
            begin - WINDOW <= t <= end + WINDOW for begin, end in self.outages.get(leg, ())
        ):  # held until it was healed
            return "cut"
        if any(0 <= at - t <= WINDOW for at in self._lost_answers.get(lost, ())):
            return "answer lost"
        return "ended, and could not note it" if self._unnoted(t) else ""

    @cached_property
    def _late(self) -> dict[float, float]:
        """When Telegram showed something, on order, long after it had been asked to: by how many seconds."""
        return {one["t"]: float(one["late"]) for one in self.bot if one["e"] == "saw" and one.get("late")}

    def _was_sent_by_the_dead(self, t: float, leg: str) -> bool:
        """Whether what a far end took at `t` had been on its way when imbot was killed: no wire of a later life was there yet."""
        wires = self._wires.get(leg, [])
        kill = next((kill for kill in reversed(self.kills) if kill <= t), None)
        return bool(wires) and kill is not None and bisect_left(wires, kill) == bisect_left(wires, t)

    @cached_property
    def _wires(self) -> dict[str, list[float]]:
        """Leg -> when imbot connected."""
        found: dict[str, list[float]] = defaultdict(list)
        for one in self.proxy:
            if one["e"] == "connected":
                found[one["leg"]].append(one["t"])
        return found

    @cached_property
    def _lost_answers(self) -> dict[str, list[float]]:
        """By Message-ID, or chat and message: when a far end had done its part and its answer was not sent, on order."""
        found: dict[str, list[float]] = defaultdict(list)
        for one in self.smtp:
            if one["e"] == "dropped":
                found[one["message_id"]].append(one["t"])
        stood: dict[object, object] = {}  # chat -> the message that it was shown last
        for one in self.bot:
            if one["e"] == "saw":
                stood[one["chat"]] = one["message"]
            elif one["e"] == "refused" and "(after)" in str(one.get("why")) and one["method"].startswith(_SHOWING):
                found[f"{one['chat']}:{stood.get(one['chat'])}"].append(one["t"])
        return found
