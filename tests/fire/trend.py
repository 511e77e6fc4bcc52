"""Whether something grows: the median of all slopes between samples of one life (Theil and Sen), which single outliers do not
move; and a curve that can be read in a terminal. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Point:
    """`t` seconds, on the same clock within one `life`."""

    life: int
    t: float
    value: float


def settled(points: Sequence[Point], warm_up: float) -> list[Point]:
    """Without the first `warm_up` seconds of each life."""
    begun: dict[int, float] = {}
    for one in points:
        begun[one.life] = min(one.t, begun.get(one.life, one.t))
    return [one for one in points if one.t - begun[one.life] >= warm_up]


def slope(points: Sequence[Point]) -> float | None:
    """Units a second; None where no life has two samples. A life counts by the pairs that it has."""
    lives: dict[int, list[Point]] = defaultdict(list)
    for one in points:
        lives[one.life].append(one)
    slopes = [
        (after.value - before.value) / (after.t - before.t)
        for life in lives.values()
        for before, after in combinations(sorted(life, key=lambda one: one.t), 2)
        if after.t > before.t
    ]
    return median(slopes) if slopes else None


def longest(points: Sequence[Point]) -> float:
    """Seconds from the first to the last sample of the life that lasted longest."""
    lives: dict[int, list[float]] = defaultdict(list)
    for one in points:
        lives[one.life].append(one.t)
    return max((max(times) - min(times) for times in lives.values()), default=0.0)


def chart(values: Sequence[float], *, width: int = 72, height: int = 4) -> list[str]:
    """The values from left to right, means where there are more than columns; the scale runs from the least to the most."""
    if not values:
        return []
    columns = min(width, len(values))
    bounds = [round(number * len(values) / columns) for number in range(columns + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
    low, high = min(means), max(means)
    steps = [round((one - low) / (high - low) * (height * 8 - 1)) + 1 if high > low else 1 for one in means]
    return [
        "".join(_BLOCKS[max(0, min(8, step - 8 * row))] for step in steps).rstrip() for row in reversed(range(height))
    ]
