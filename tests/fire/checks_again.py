"""The check of what had to be done again. People mend what was lost by doing it again, and by that they hide it: a photo of an
album that was dropped stands in the letter all the same."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from tests.fire import texts
from tests.fire.checks_conduct import sent_by_chat, times_of_service, was_hidden
from tests.fire.excuses import Event
from tests.fire.facts import Finding, Journals, Show

_ALIVE = 4.0  # seconds of serving in which what was sent must have been shown
_AT_ONCE = 0.05  # seconds between the first and the last photo of an album
_OVER = (":send", ":send_addition", ":cancel", ":anew", ":tonew")  # presses behind which nothing is sent again
_ENOUGH = 40  # characters by which words are known on a screen that cuts them


def said_once_is_enough(journals: Journals) -> list[Finding]:
    """23: words, edits and files that imbot confirmed, and that no screen had shown when they were sent again though imbot had
    served, were lost. Nobody else would know, for the second time they arrived."""
    shows: dict[int, list[Show]] = defaultdict(list)
    for show in journals.shows:
        shows[show.chat].append(show)
    confirmed = _Confirmed(journals)
    lives = times_of_service(journals)
    found: dict[tuple[int, int], Finding] = {}
    for chat, row in sent_by_chat(journals).items():
        for first, again in _again(row):
            journals.counted["sent again by people"] += 1
            begin = max(first["t"], confirmed.at(first))
            alive = sum(max(0.0, min(again["t"], to) - max(begin, since)) for since, to in lives)
            if alive < _ALIVE or was_hidden(journals, str(chat), first["t"], again["t"]):
                continue
            if not _was_shown(row, first, [one for one in shows[chat] if first["t"] <= one.t <= again["t"]]):
                words = (
                    f"{first['kind']} {first.get('text') or first.get('files')!r} at {first['t']:.2f} was confirmed, imbot served"
                    f" for {alive:.1f} s, no screen showed it, and it was sent again at {again['t']:.2f}"
                )
                found.setdefault((chat, round(first["t"])), Finding("said_once_is_enough", str(chat), words))
    return list(found.values())


class _Confirmed:
    """When imbot confirmed an update; never: an infinite time."""

    def __init__(self, journals: Journals) -> None:
        polls = sorted(
            (one["t"], int(one["offset"])) for one in journals.bot if one["e"] == "polled" and one.get("offset")
        )
        self._times, self._offsets = [t for t, _ in polls], list(accumulate((offset for _, offset in polls), max))

    def at(self, event: Event) -> float:
        place = bisect_left(self._offsets, int(event["update"]) + 1)
        return self._times[place] if place < len(self._times) else float("inf")


def _again(row: Sequence[Event]) -> Iterator[tuple[Event, Event]]:
    """What a chat sent twice for one request: (the time before, this time)."""
    last: dict[Any, Event] = {}
    about = ""
    for event in row:
        text, marker = str(event.get("text") or ""), texts.first_marker(str(event.get("text") or ""))
        if (marker and marker != about) or text == "/cancel" or str(event.get("value", "")).endswith(_OVER):
            last.clear()
        about = marker or about
        if event.get("update") is None or event["kind"] == "press" or (event["kind"] != "file" and not marker):
            continue
        key = (event["kind"], *(event.get("files") or (text,)), event["message"] if event["kind"] == "edit" else 0)
        if key in last:
            yield last[key], event
        last[key] = event


def _was_shown(row: Sequence[Event], first: Event, shows: Sequence[Show]) -> bool:
    if first["kind"] != "file":
        words = " ".join(str(first["text"]).split())[:_ENOUGH]
        return any(words in " ".join(show.text.split()) for show in shows)
    beside = [one for one in row if one["kind"] == "file" and abs(one["t"] - first["t"]) <= _AT_ONCE]
    return any(
        texts.photos_kept(show.text) >= len(beside) or any(name in show.text for name in first["files"])
        for show in shows
    )
