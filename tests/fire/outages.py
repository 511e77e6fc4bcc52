"""When a far end could not be reached, by the faults that were ordered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]
LEGS = ("telegram", "smtp", "imap", "ldap")


def keeps_back(one: Event) -> bool:
    """Whether this order to the sink may keep its word about a letter that it has: silence before the letter does not."""
    return one["e"] == "fault" and not (one["verb"] == "hang" and one.get("stage") != "data")


_BREAKS = ("fault", "freeze", "slow", "refuse", "corrupt", "hang")
_HEALS = ("healed", "heal", "thaw", "clear")
_MOMENTS = ("cut", "corrupted")


def outages(events: Iterable[Event]) -> dict[str, list[tuple[float, float]]]:
    """Leg -> (from, to) by the faults that were ordered: those that last until they are healed, and those of a moment. A leg
    that is "*" or not named is every one."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    begun: dict[str, float] = {}
    for one in sorted(events, key=lambda event: float(event["t"])):
        leg, t = str(one.get("leg") or "*"), float(one["t"])
        legs = LEGS if leg == "*" else (leg,)
        if one["e"] in _BREAKS:
            for each in legs:
                begun.setdefault(each, t)
        elif one["e"] in _HEALS:
            for each in legs:
                if each in begun:
                    found[each].append((begun.pop(each), t))
        elif one["e"] in _MOMENTS:
            for each in legs:
                found[each].append((t, t))
    for leg, since in begun.items():
        found[leg].append((since, float("inf")))
    return found
