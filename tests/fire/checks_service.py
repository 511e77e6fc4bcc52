"""Checks of the service: ratings are kept, every input is answered, nobody gives up, and after a kill it serves again soon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from tests.fire import texts
from tests.fire.excuses import Event
from tests.fire.facts import Finding, Journals
from tests.fire.sight import is_retired

_STRETCH, _LEAST = 100, 50  # kills
_RARE = ("a withdrawal", "a complaint", "words that it is not solved", "a sign-in")
_AT_ONCE = 0.02  # seconds between two photos of an album
_DOUBLE_TAP = 1.0  # seconds between the two


def every_rating_kept(journals: Journals) -> list[Finding]:
    """10: the last stars that a person gave stand in the report, with the words that they gave for it, and no others do."""
    refused = [asked for asked, _ in journals.refusals]
    stars = {one["of"]: one for one in journals.wishes("rating") if not any(one is each for each in refused)}
    journals.counted["ratings"] += len(stars)
    if journals.report is None:
        return [Finding("every_rating_kept", "", "there is no report.csv")] if stars else []
    rows = {texts.first_marker(row["title"]): row for row in journals.report}
    found = [
        Finding(
            "every_rating_kept",
            marker,
            f"the report has {row['stars']} stars and {row.get('words')!r}; nobody gave any",
        )
        for marker, row in rows.items()
        if (row.get("stars") or row.get("words")) and marker not in stars
    ]
    for marker, one in stars.items():
        kept = rows.get(marker, {}).get("stars")
        wanted = "" if one["stars"] is None else str(one["stars"])
        if kept != wanted:
            words = f"{wanted or 'no'} stars at {one['t']:.2f}, the report says {kept!r}"
            found.append(Finding("every_rating_kept", marker, words))
    complaints = {
        one["of"]: one["marker"] for one in journals.wishes("complaint") if not any(one is each for each in refused)
    }
    for of, marker in complaints.items():
        if marker not in rows.get(of, {}).get("words", ""):
            found.append(Finding("every_rating_kept", of, f"the words {marker} of its rating are not in the report"))
    return found


def every_input_answered(journals: Journals) -> list[Finding]:
    """11: behind the last thing that a chat sent something was shown there, and no walker gave up. A second tap of the same
    button and an edit may change nothing, and are answered by what was shown for what was edited or tapped first."""
    shown = answers(journals)
    found = []
    for chat, last in _last_inputs(journals).items():
        journals.counted["chats"] += 1
        if not any(t >= last["t"] for t in shown[chat]):
            words = f"{last['kind']} {last.get('text') or last.get('value')!r} at {last['t']:.2f}; nothing was shown behind it"
            found.append(Finding("every_input_answered", str(chat), words))
    for one in journals.model:
        if one["e"] == "gave_up":
            newest = one.get("newest")
            found.append(
                Finding("every_input_answered", str(one["chat"]), f"gave up {one['doing']} at {one['t']:.2f}: {newest}")
            )
    return found


def answers(journals: Journals, passes_by: Callable[[str], bool] = lambda text: False) -> dict[int, list[float]]:
    """By chat: when something was shown or edited, or what stands there was to be shown again. That an older screen loses its
    buttons is none, nor is a text that `passes_by`."""
    found: dict[int, list[float]] = defaultdict(list)
    before: dict[tuple[int, int], tuple[str, bool]] = {}
    for event in journals.bot:
        if event["e"] == "saw":
            place = (int(event["chat"]), int(event["message"]))
            now = (str(event["text"]), bool(event.get("buttons")))
            says = place not in before or not is_retired(*before[place], *now)
            if says and not passes_by(now[0]):
                found[place[0]].append(event["t"])
            before[place] = now
        elif event["e"] == "refused" and "not modified" in str(event.get("why", "")) and event.get("chat"):
            found[int(event["chat"])].append(event["t"])
    return found


def _last_inputs(journals: Journals) -> dict[int, Event]:
    shut = {int(one["chat"]): float(one["t"]) for one in journals.bot if one["e"] == "blocked"}
    last: dict[int, Event] = {}
    for event in journals.bot:
        if event["e"] != "sent" or event["kind"] == "edit" or event["t"] <= shut.get(int(event["chat"]), 0.0):
            continue
        chat = int(event["chat"])
        before = last.get(chat)
        tapped = before is not None and event["kind"] == before["kind"] == "press"
        if tapped and before is not None and (event["on"], event["value"]) == (before["on"], before["value"]):
            continue  # the answer to the first tap counts
        last[chat] = event
    return last


def serving_soon(journals: Journals) -> list[Finding]:
    """12: after each kill that was followed by a start, the next poll arrives soon, unless the way to Telegram was cut or it
    was killed again before."""
    polls = sorted(one["t"] for one in journals.bot if one["e"] == "polled")
    starts = sorted(one["t"] for one in journals.nanny if one["e"] == "started")
    found = []
    for number, kill in enumerate(journals.kills):
        following = journals.kills[number + 1] if number + 1 < len(journals.kills) else float("inf")
        poll = next((t for t in polls if t > kill), float("inf"))
        start = next((t for t in starts if t > kill), None)
        if start is None or following < poll:
            journals.excused["killed again before it served"] += start is not None
            continue
        if any(a <= kill + journals.serving_seconds and b >= kill for a, b in journals.outages.get("telegram", ())):
            journals.excused["no way to Telegram after a kill"] += 1
            continue
        if any(begin <= kill <= end for begin, end in journals.bad_store):
            journals.excused["no data base after a kill"] += 1
            continue
        journals.counted["kills survived"] += 1
        if poll - kill > journals.serving_seconds:
            words = f"killed at {kill:.2f}, the next poll came {poll - kill:.2f} s later"
            found.append(Finding("serving_soon", f"kill {number + 1}", words))
    return found


def work_goes_on(journals: Journals) -> list[Finding]:
    """20: of the rig itself: in each stretch of about a hundred kills something of each kind was done, or what is said to have
    survived them was never at stake. So few kills that chance may leave something out are not judged."""
    kills, found = journals.kills, []
    if len(kills) < _LEAST:
        return []
    stretches = max(1, round(len(kills) / _STRETCH))
    ends = [kills[number * (len(kills) - 1) // stretches] for number in range(stretches + 1)]
    kinds = _work(journals)
    if len(kills) < _STRETCH:  # each of these is so rare that chance alone may leave it out
        kinds[" or ".join(_RARE)] = [t for kind in _RARE for t in kinds.pop(kind)]
    for begin, end in pairwise(ends):
        journals.counted["stretches of about a hundred kills"] += 1
        for what, times in kinds.items():
            if not any(begin <= t <= end for t in times):
                words = f"between the kills at {begin:.2f} and {end:.2f} there was not {what}"
                found.append(Finding("work_goes_on", what, words))
    return found


def _work(journals: Journals) -> dict[str, list[float]]:
    """What people, and what the ITSM, are there to do: when they did."""

    def wished(*what: str) -> list[float]:
        return [one["t"] for one in journals.wishes(*what)]

    def said(holds: Callable[[Event], bool]) -> list[float]:
        return [one["t"] for one in journals.said if holds(one)]

    sent = [one for one in journals.bot if one["e"] == "sent"]
    files = [one for one in sent if one["kind"] == "file"]
    return {
        "a request": wished("request"),
        "a request with a file": [one["t"] for one in journals.wishes("request") if one.get("files")],
        "an album": [
            two["t"] for one, two in pairwise(files) if one["chat"] == two["chat"] and two["t"] - one["t"] < _AT_ONCE
        ],
        "an edit": [one["t"] for one in sent if one["kind"] == "edit"],
        "a double tap": [
            one["t"] for one in sent if one["t"] - journals.taps.get(id(one), float("-inf")) < _DOUBLE_TAP
        ],
        "a button of a dialog that was over": [show.t for show in journals.shows if texts.OVER in show.text],
        "a press of another's button": [one["t"] for one in journals.model if one["e"] == "pried"],
        "an addition": wished("addition"),
        "a withdrawal": wished("withdraw"),
        "a complaint": wished("complaint"),
        "words that it is not solved": wished("not_solved"),
        "a rating": wished("rating"),
        "a sign-in": [show.t for show in journals.shows if texts.says_in(show.text)],
        "a registration": said(lambda one: one["action"] == "register"),
        "a late registration": said(lambda one: bool(one.get("late"))),
        "a letter of support that came twice": said(lambda one: bool(one.get("repeat"))),
        "a question": said(lambda one: one["action"] == "ask"),
        "an end of work": said(lambda one: one["action"] == "done"),
        "a report of the post": said(lambda one: bool(one.get("bounce"))),
        "a forgery": said(lambda one: bool(one.get("forged"))),
    }


def answer_times(journals: Journals) -> list[float]:
    """Seconds from each input until the next thing shown in its chat, news left out, sorted: a measure, no check."""
    waiting: dict[int, list[float]] = defaultdict(list)
    times = []
    for event in journals.bot:
        if event["e"] == "sent" and event["kind"] in ("message", "press"):
            waiting[int(event["chat"])].append(event["t"])
        elif event["e"] == "saw" and not texts.is_news(str(event["text"])):
            times += [event["t"] - since for since in waiting.pop(int(event["chat"]), ())]
    return sorted(times)
