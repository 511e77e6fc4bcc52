"""Figures from the journals: how long replies, letters and notices took, what a walk costs in calls of the Bot API, how near
its limit they came. Pure; judges nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fire import texts
from tests.fire.checks_conduct import follows_a_tap
from tests.fire.checks_service import answers
from tests.fire.facts import Journals
from tests.fire.sight import is_retired


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds, of `count` things. 0 where there are none."""

    count: int
    half: float
    p95: float
    p99: float
    worst: float

    def __str__(self) -> str:
        return f"p50 {self.half:.3f}  p95 {self.p95:.3f}  p99 {self.p99:.3f}  worst {self.worst:.3f} s  ({self.count})"


def spread(seconds: Sequence[float]) -> Spread:
    ordered = sorted(seconds)
    if not ordered:
        return Spread(0, 0.0, 0.0, 0.0, 0.0)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    return Spread(len(ordered), at(0.5), at(0.95), at(0.99), ordered[-1])


def replies(journals: Journals) -> dict[str, list[float]]:
    """Seconds from each input to the next thing shown in its chat, by kind: "words", "press", "send" (the press that files
    a request), "file". News are no answer; an edit and a second tap want none."""
    shown = {chat: sorted(times) for chat, times in answers(journals, texts.is_news).items()}
    filed: dict[int, list[float]] = defaultdict(list)
    for one in journals.wishes("request"):
        filed[int(one["chat"])].append(one["t"])
    found: dict[str, list[float]] = defaultdict(list)
    for event in journals.bot:
        if event["e"] != "sent" or event["kind"] == "edit":
            continue
        chat, t = int(event["chat"]), event["t"]
        times = shown.get(chat, [])
        place = bisect_left(times, t)
        if place == len(times) or follows_a_tap(journals, event, times):
            continue  # said by `every_input_answered`
        kind = {"message": "words", "press": "press"}.get(event["kind"], "file")
        if kind == "press" and any(0 <= noted - t < 0.5 for noted in filed[chat]):  # it is noted right behind the press
            kind = "send"
        found[kind].append(times[place] - t)
    return dict(found)


def handovers(journals: Journals) -> dict[str, float]:
    """Seconds from Send to the 250 of the mail server, by marker; those that never came are not in it."""
    found = {}
    for marker, asked in journals.requests.items():
        letters = journals.request_letters.get(marker)
        if letters:
            found[marker] = min(letter.t for letter in letters) - asked["t"]
    return found


def notices(journals: Journals) -> list[float]:
    """Seconds from the moment when the mailbox took the ITSM's registration to its notice in the chat; 0 where the chat had it
    before the one who delivered had noted that it was taken."""
    begun: dict[str, float] = {}
    for one in journals.saying:
        begun.setdefault(one["message_id"], one["t"])
    found = []
    for marker in journals.requests:
        said = next((one for one in journals.heard(marker) if one["action"] == "register"), None)
        if said is None:
            continue
        told = [show.t for show in journals.notices.get(marker, ()) if show.t >= begun[said["message_id"]]]
        if told:
            found.append(max(0.0, min(told) - said["t"]))
    return found


def sent_receipts(journals: Journals) -> list[float]:
    """Seconds from the 250 of the mail server to the receipt that says so, or says more."""
    found = []
    for marker, letters in journals.request_letters.items():
        taken = min(letter.t for letter in letters)
        shown = [show.t for show in journals.receipts.get(marker, ()) if show.t > taken]
        if shown:
            found.append(min(shown) - taken)
    return found


_PACED = ("screen", "buttons taken away", "receipt", "notice", "unchanged", "refused by a limit")


def calls(journals: Journals) -> Counter[str]:
    """Calls of the Bot API by what they were for."""
    found: Counter[str] = Counter()
    before: dict[tuple[int, int], tuple[str, bool]] = {}
    for one in journals.bot:
        if one["e"] == "saw":
            text, place = str(one["text"]), (int(one["chat"]), int(one["message"]))
            now = (text, bool(one.get("buttons")))
            retired = place in before and is_retired(*before[place], *now)
            before[place] = now
            kind = "notice" if texts.is_notice(text) else "receipt" if texts.is_receipt(text) else "screen"
            found["buttons taken away" if retired else kind] += 1
        elif one["e"] == "answered":
            found["press acknowledged"] += 1
        elif one["e"] == "polled":
            found["poll"] += 1
        elif one["e"] == "refused" and one.get("status") == 429:
            found["refused by a limit"] += 1
        elif one["e"] == "refused" and "not modified" in str(one.get("why", "")):
            found["unchanged"] += 1
    return found


def paced(counted: Mapping[str, int]) -> int:
    """Those that Telegram's limit of 30 a second counts."""
    return sum(counted.get(name, 0) for name in _PACED)


def busiest(moments: Sequence[float], window: float) -> int:
    """The most of them within any `window` seconds. `moments` are in order."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def shown_at(journals: Journals) -> list[float]:
    """When something was shown or edited by a call that the limit counts."""
    return [one["t"] for one in journals.bot if one["e"] == "saw"]


def best_rate(moments: Sequence[float], window: float = 10.0) -> float:
    """The best mean rate a second that lasted for `window` seconds, or for as long as there was something."""
    if len(moments) < 2:
        return 0.0
    lasted = min(window, max(moments[-1] - moments[0], 0.001))
    return busiest(moments, lasted) / lasted
