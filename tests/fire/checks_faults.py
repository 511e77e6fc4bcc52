"""What is expected of imbot under the faults of normal life, judged from what was seen of it: each finding by name. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fire import texts
from tests.fire.checks_conduct import follows_a_tap, inputs
from tests.fire.checks_service import answers
from tests.fire.facts import Finding, Journals

_SETTLING = 1.0  # seconds in which what was under way when a far end went down fails
_NEVER = frozenset({"loop_died", "update_set_aside", "letter_set_aside", "parcel_failed", "screen_not_shown"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: until a leg is red, until an input is answered, until everything has drained and every leg is green again.
    `tries` at a far end that is down, in any `window` seconds."""

    red: float = 30.0
    answer: float = 10.0
    drained: float = 300.0
    green: float = 60.0
    window: float = 10.0
    tries: int = 12


@dataclass(slots=True)
class Tried:
    """What was seen of one fault, or of some at the same time. Moments are monotonic seconds: `asked` before the first began,
    `begun` when all had, `ended` when all had ended. `red`: seconds behind `begun` after which each leg was red; `drained`:
    seconds behind `ended`, None where it did not. `still`: legs that stayed red, and why. `down`: leg -> port."""

    names: tuple[str, ...]
    asked: float
    begun: float
    ended: float = 0.0
    must: frozenset[str] = frozenset()
    answered: bool = True
    excused: frozenset[int] = frozenset()
    down: Mapping[str, int] = field(default_factory=dict)
    red: dict[str, float] = field(default_factory=dict)
    drained: float | None = None
    left: str = ""
    still: Mapping[str, str] = field(default_factory=dict)
    log: str = ""

    @property
    def name(self) -> str:
        return " + ".join(self.names)


def red_in_time(tried: Tried, limits: Limits) -> list[Finding]:
    """The health page names what is wrong."""
    found = []
    for leg in sorted(tried.must):
        after = tried.red.get(leg)
        if after is None or after > limits.red:
            words = f"{leg} was red {'never' if after is None else f'after {after:.1f} s'} in {tried.ended - tried.begun:.0f} s"
            found.append(Finding("red_in_time", tried.name, words))
    return found


def answer_times(journals: Journals, tried: Tried) -> list[tuple[float, str]]:
    """(seconds until something was shown, what was sent) of each input while the fault lasted; the slowest first. Where nobody
    could be reached meanwhile, seconds from its end on. News that happen to come are no answer, and a second tap wants none."""
    shown = {chat: sorted(times) for chat, times in answers(journals, texts.is_news).items()}
    found = []
    for event, _ in inputs(journals):
        chat = int(event["chat"])
        if not tried.asked <= event["t"] <= tried.ended or chat in tried.excused:
            continue
        times = shown.get(chat, [])
        if follows_a_tap(journals, event, times):
            continue
        place, since = bisect_right(times, event["t"]), event["t"] if tried.answered else tried.ended
        seconds = max(0.0, times[place] - since) if place < len(times) else float("inf")
        what = f"{chat}: {event['kind']} {event.get('text') or event.get('value')!r} at {event['t']:.2f}"
        found.append((seconds, what))
    return sorted(found, reverse=True)


def answered_honestly(journals: Journals, tried: Tried, limits: Limits) -> list[Finding]:
    """Where employees can be reached they see something for each thing that they send; where they cannot, once they can."""
    late = [one for one in answer_times(journals, tried) if one[0] > limits.answer]
    words = f"{len(late)} inputs waited for too long, the longest {late[0][0]:.1f} s: {late[0][1]}" if late else ""
    return [Finding("answered_honestly", tried.name, words)] if late else []


def drained_in_time(tried: Tried, limits: Limits) -> list[Finding]:
    """What had piled up is carried out after the repair."""
    if tried.drained is not None and tried.drained <= limits.drained:
        return []
    return [Finding("drained_in_time", tried.name, f"not drained after {limits.drained:g} s: {tried.left}")]


def green_again(tried: Tried) -> list[Finding]:
    """What is well again is said to be well."""
    words = "; ".join(f"{leg}: {why}" for leg, why in sorted(tried.still.items()))
    return [Finding("green_again", tried.name, f"still red after everything had drained: {words}")] if words else []


def no_storm(journals: Journals, connects: Sequence[tuple[float, int]], tried: Tried, limits: Limits) -> list[Finding]:
    """A far end that is down is tried once a second at the most: by connections, and by what it had to refuse. What a person
    does is tried once more, at once: that is no retry."""
    found = []
    for leg, port in tried.down.items():
        refused = journals.smtp if leg == "smtp" else journals.ordered if leg == "telegram" else ()
        counts = {
            "connections": _most([t for t, to in connects if to == port], tried, limits),
            "refusals": _most([one["t"] for one in refused if one["e"] == "refused"], tried, limits),
        }
        for what, (many, since) in counts.items():
            own = sum(since <= one["t"] <= since + limits.window for one in journals.bot if one["e"] == "sent")
            if many > limits.tries + (own if leg == "telegram" else 0):
                words = f"{many} {what} at {leg} in {limits.window:g} s from {since:.2f} on"
                found.append(Finding("no_storm", tried.name, words))
    return found


def _most(times: Sequence[float], tried: Tried, limits: Limits) -> tuple[int, float]:
    """The most in any window while the fault lasted, and from when on."""
    times = sorted(t for t in times if tried.begun + _SETTLING <= t <= tried.ended)
    many = ((bisect_right(times, t + limits.window) - n, t) for n, t in enumerate(times))
    return max(many, default=(0, 0.0))


def no_unhandled(tried: Tried) -> list[Finding]:
    """Whatever happens, nothing takes imbot by surprise. A start that its data base does not let succeed says so and ends."""
    lines = tried.log.splitlines()
    if any(name.startswith(("db_", "disk_")) for name in tried.names):
        lines = [line for line in lines if not line.startswith("imbot: ")]
    found = dict.fromkeys(unhandled(lines))
    return [Finding("no_unhandled", tried.name, words) for words in found]


def unhandled(lines: Iterable[str]) -> list[str]:
    """Lines of the log that no fault excuses: tracebacks, and events that say that something went wrong inside."""
    found = []
    for line in lines:
        if not line.startswith("{"):
            if line.strip() and not line.startswith("trouble:"):
                found.append(line[:300])
            continue
        entry: dict[str, Any] = json.loads(line)
        event, trace = str(entry.get("event")), str(entry.get("exception", ""))
        if trace or (event in _NEVER and entry.get("level") == "error"):
            found.append(f"{event}: {' | '.join(trace.splitlines()[-1:])}"[:400])
    return found


def judge(journals: Journals, connects: Sequence[tuple[float, int]], tried: Tried, limits: Limits) -> list[Finding]:
    """Everything that must not be, of one try."""
    return [
        *red_in_time(tried, limits),
        *answered_honestly(journals, tried, limits),
        *drained_in_time(tried, limits),
        *green_again(tried),
        *no_storm(journals, connects, tried, limits),
        *no_unhandled(tried),
    ]


def table(journals: Journals, rows: Sequence[Tried], findings: Sequence[Finding]) -> str:
    """Fault, red after s, slowest answer, drained after s, verdict; below, under which load."""
    lines = [f"{'fault':<40} {'red after, s':<28} {'answer':>7} {'drained':>8}  verdict"]
    for tried in rows:
        red = ", ".join(f"{leg} {after:.0f}" for leg, after in sorted(tried.red.items())) or "-"
        times = answer_times(journals, tried)
        slowest = f"{times[0][0]:.1f}" if times else "-"
        drained = "never" if tried.drained is None else f"{tried.drained:.0f}"
        wrong = sorted({one.check for one in findings if one.about == tried.name})
        lines.append(f"{tried.name:<40} {red:<28} {slowest:>7} {drained:>8}  {', '.join(wrong) or 'ok'}")
    seconds = sum(tried.ended - tried.asked for tried in rows)
    filed = sum(tried.asked <= one["t"] <= tried.ended for one in journals.requests.values() for tried in rows)
    lines.append(f"{filed} requests filed in {seconds:.0f} s of trouble, {filed / max(seconds, 1.0):.2f} a second")
    return "\n".join(lines)
