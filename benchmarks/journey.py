"""What a benchmark is: who runs against whom, on what, and which ratios between them must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from typing import Any

Place = Mapping[str, Any]  # plain JSON: what a process needs to know of the prepared input
Figures = dict[str, float]


class Missing(Exception):
    """A peer that is not installed: said in the table, no failure."""


class Wrong(Exception):
    """A run that did not do what it should have: its time means nothing."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`one` and `other` are "contestant.figure"; `other` may be a number. Taken within each round; the median counts, or, with
    `worst`, the worst round: for what must never happen, which a median would hide in two rounds of five."""

    name: str
    one: str
    other: str | float
    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None
    worst: bool = False

    @property
    def gated(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    def worst_of(self, values: Sequence[float]) -> float | None:
        """The one that uses most of its gate; None where there is no gate to say which way is worse."""
        return max(values, key=self._used) if self.gated else None

    def _used(self, value: float) -> float:
        """The share of the gate that `value` uses: up to 1 it holds. Where nothing at all is allowed, the value itself."""
        most = value / (self.at_most or 1.0) if self.at_most is not None else -inf
        least = -inf if self.at_least is None else self.at_least / value if value else inf
        return max(most, least)

    def holds(self, value: float) -> bool:
        high_enough = self.at_least is None or value >= self.at_least
        return high_enough and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Journey:
    """`contestants`: each is called in a process of its own with the place that `prepare(scale)` gives, and returns its
    figures once it has checked its own work. `scale` 1.0 is the full size."""

    name: str
    title: str
    prepare: Callable[[float], AbstractContextManager[Place]]
    contestants: Mapping[str, Callable[[Place], Figures]]
    ratios: tuple[Ratio, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)  # of the figures, for the table


def check(fact: bool, words: str) -> None:
    if not fact:
        raise Wrong(words)
