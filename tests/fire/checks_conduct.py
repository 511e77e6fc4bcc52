"""Checks of how imbot behaves while it works: what was taken is answered, nothing is written twice into one letter, what must
wait waits, the limits of a far end are kept, one that is down is not stormed, and what lets somebody in does so once."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import accumulate

from tests.fire import texts
from tests.fire.checks_service import answers
from tests.fire.excuses import WINDOW, Event
from tests.fire.facts import Finding, Journals

_ALIVE = 5.0  # seconds of serving in which an update that was taken must have shown something
_DOUBLE = 3.5  # seconds between the two of a double tap; imbot says three, and the way takes its time
_WINDOW, _MOST = 10.0, 12  # tries at a far end that is down: one a second, and a little for where a window begins
_AGAIN = 4  # of those may be one letter's: a person sends again what was refused
_STARTING = 3.0  # seconds from a life's first poll on
_REFUSED, _FEW = 0.0005, 5  # of all messages, and in any case: what the jitter of the way may cost


def every_input_taken(journals: Journals) -> list[Finding]:
    """14: an update that imbot confirmed, so that it never comes again, was carried out: something was shown in its chat
    while imbot served, or the person went on before that could be told."""
    shown = {chat: sorted(times) for chat, times in answers(journals, texts.is_notice).items()}
    confirmed = sorted(
        (one["t"], int(one["offset"])) for one in journals.bot if one["e"] == "polled" and one.get("offset")
    )
    offsets = list(accumulate((offset for _, offset in confirmed), max))
    serving = times_of_service(journals)
    found = []
    for event, following in inputs(journals):
        place = bisect_left(offsets, int(event["update"]) + 1)
        if place == len(offsets):
            continue
        begin, end = max(confirmed[place][0], event["t"]), following["t"] if following else float("inf")
        times = shown.get(int(event["chat"]), [])
        journals.counted["inputs looked at"] += 1
        answered = _next(times, event["t"])
        if (answered is not None and answered <= end) or follows_a_tap(journals, event, times):
            continue
        alive = sum(max(0.0, min(end, to) - max(begin, since)) for since, to in serving)
        if alive >= _ALIVE and not was_hidden(journals, str(event["chat"]), event["t"], end):
            words = f"{event['kind']} {event.get('text') or event.get('value')!r} at {event['t']:.2f}"
            words += f" was confirmed at {begin:.2f}, imbot served for {alive:.1f} s, and nothing was shown"
            found.append(Finding("every_input_taken", str(event["chat"]), words))
    return found


def inputs(journals: Journals) -> Iterator[tuple[Event, Event | None]]:
    """Messages and presses that want an answer, each with the next thing that its chat did."""
    for row in sent_by_chat(journals).values():
        for event, following in zip(row, [*row[1:], None], strict=True):
            if event["kind"] != "edit" and event.get("update") is not None:
                yield event, following


def sent_by_chat(journals: Journals) -> dict[int, list[Event]]:
    """By chat: what it sent."""
    rows: dict[int, list[Event]] = defaultdict(list)
    for event in journals.bot:
        if event["e"] == "sent":
            rows[int(event["chat"])].append(event)
    return rows


def follows_a_tap(journals: Journals, event: Event, shown: Sequence[float]) -> bool:
    """Whether it is the second tap of a double tap, which may change nothing: of the same button (that of Send, below whichever
    review of one draft) before the answer to the first, or so soon behind it that nobody can have read it."""
    if event["kind"] != "press":
        return False
    first = journals.taps.get(id(event))
    if first is None:
        return False
    answered = _next(shown, first)
    read = first if answered is None or answered > event["t"] else answered
    return bool(event["t"] - read < _DOUBLE)


def _next(times: Sequence[float], t: float) -> float | None:
    place = bisect_left(times, t)
    return times[place] if place < len(times) else None


def times_of_service(journals: Journals) -> list[tuple[float, float]]:
    """(from, to) of each life without the times in which it slept or stood still, or nothing could be shown to anybody."""
    serving = _lives(journals)
    for since, to in (*journals.mute, *journals.asleep, *journals.stalled):
        cut = [((begin, min(end, since)), (max(begin, to), end)) for begin, end in serving]
        serving = [(begin, end) for pieces in cut for begin, end in pieces if begin < end]
    return serving


def _lives(journals: Journals) -> list[tuple[float, float]]:
    """(from, to) of each life, from its first poll."""
    polls = [one["t"] for one in journals.bot if one["e"] == "polled"]
    lives = []
    marks = sorted((one["t"], one["e"]) for one in journals.nanny if one["e"] in ("started", "killed", "ended"))
    for n, (t, what) in enumerate(marks):
        if what == "started":
            place = bisect_left(polls, t)
            end = marks[n + 1][0] if n + 1 < len(marks) else float("inf")
            if place < len(polls):
                lives.append((polls[place], end))
    return lives


def was_hidden(journals: Journals, chat: str, begin: float, end: float) -> bool:
    """Whether an answer may have been kept from the chat: the way was cut, or Telegram refused on order, or had asked for
    patience in this chat, or the person had shut the bot out."""
    cut = any(since <= end and to >= begin for since, to in journals.outages.get("telegram", ()))
    refused = any(_holds(one, chat, begin, end) for one in journals.ordered)
    return cut or refused or _shut_out(journals, chat, begin, end)


def _shut_out(journals: Journals, chat: str, begin: float, end: float) -> bool:
    marks = [one for one in journals.bot if one["e"] in ("blocked", "unblocked") and str(one["chat"]) == chat]
    before = [one["e"] for one in marks if one["t"] <= begin][-1:]
    return before == ["blocked"] or any(begin <= one["t"] <= end and one["e"] == "blocked" for one in marks)


def _holds(one: Event, chat: str, begin: float, end: float) -> bool:
    return str(one.get("chat")) == chat and one["t"] <= end and one["t"] + float(one.get("retry_after") or 0) >= begin


def words_stand_once(journals: Journals) -> list[Finding]:
    """15: what a person wrote once stands once in the letter: an update that was carried out twice would write it again. Who
    saw nothing of it and wrote it again finds it there as often as they wrote."""
    found = []
    typed = Counter(
        (int(one["chat"]), str(one.get("text") or "").strip()) for one in journals.bot if one["e"] == "sent"
    )
    for marker, asked in journals.requests.items():
        for letter in journals.request_letters.get(marker, [])[:1]:
            lines = [line.strip() for line in letter.own_words.splitlines()]
            for line in asked.get("lines", ()):
                times = lines.count(str(line).strip())
                if times > max(1, typed[int(asked["chat"]), str(line).strip()]) and asked["lines"].count(line) == 1:
                    found.append(
                        Finding("words_stand_once", marker, f"{line!r} stands {times} times: {letter.text[:400]!r}")
                    )
    return found


def follow_ups_wait(journals: Journals) -> list[Finding]:
    """16: without a number the ITSM would open a call of its own for an addition: it goes when there is one."""
    found = []
    for letter in journals.letters:
        if letter.kind in ("request", ""):
            continue
        marker = journals.marker_of_token.get(letter.token, "")
        journals.counted["letters behind the first"] += 1
        numbered = [one["t"] for one in journals.says_of.get(marker, ()) if one["number"]]
        if not any(t <= letter.t for t in numbered):
            words = (
                f"a letter of the kind {letter.kind} at {letter.t:.2f}, before {marker or letter.token} had a number"
            )
            found.append(Finding("follow_ups_wait", marker or letter.message_id, words))
    return found


def limits_kept(journals: Journals) -> list[Finding]:
    """17: Telegram's limits are met by pace, not by refusals. A few are the jitter of the way; a life that has just begun knows
    nothing of what the one before it had sent within the last second; and what was kept on the way arrives in one piece."""
    refused = [
        one for one in journals.bot if one["e"] == "refused" and one.get("status") == 429 and not one.get("ordered")
    ]
    begun = [since for since, _ in _lives(journals)]
    killed = sorted(journals.kills)
    early = [one for one in refused if _is_early(one["t"], begun, killed)]
    journals.excused["refused by a limit, just started"] += len(early)
    ends = [end for _, end in journals.outages.get("telegram", ())]
    kept = [one for one in refused if one not in early and any(end <= one["t"] <= end + WINDOW for end in ends)]
    journals.excused["refused by a limit, kept on the way"] += len(kept)
    journals.counted["refused by Telegram's limits"] += len(refused)
    shown = len(journals.shows)
    count = len(refused) - len(early) - len(kept)
    if count <= max(_FEW, _REFUSED * shown):
        return []
    return [Finding("limits_kept", "telegram", f"{count} refusals for {shown} messages")]


def _is_early(t: float, begun: Sequence[float], killed: Sequence[float]) -> bool:
    """Whether `t` lies between a kill and the first seconds of the life that follows it."""
    kill = bisect_left(killed, t)
    following = bisect_left(begun, killed[kill - 1]) if kill else len(begun)
    return following < len(begun) and t <= begun[following] + _STARTING


def no_storm(journals: Journals) -> list[Finding]:
    """18: a mail server that takes nothing for now is tried once a second at the most. One that refuses letters for good is
    given each of them, and none again and again."""
    found = list(_once_more(journals.smtp))
    for begin, end in _refusing(journals.smtp):
        tries = [one["t"] for one in journals.smtp if one["e"] == "refused" and begin <= one["t"] <= end]
        journals.counted["tries at a mail server that is down"] += len(tries)
        for n, t in enumerate(tries):
            many = bisect_left(tries, t + _WINDOW) - n
            if many > _MOST:
                found.append(Finding("no_storm", "smtp", f"{many} tries in {_WINDOW:g} s from {t:.2f} on"))
                break
    return found


def _once_more(smtp: Sequence[Event]) -> Iterator[Finding]:
    refused: dict[str, list[float]] = defaultdict(list)
    for one in smtp:
        if one["e"] == "refused" and one.get("message_id"):
            refused[one["message_id"]].append(one["t"])
    for message_id, times in refused.items():
        many = max(bisect_left(times, t + _WINDOW) - n for n, t in enumerate(times))
        if many > _AGAIN:
            yield Finding("no_storm", message_id, f"given {many} times in {_WINDOW:g} s to a server that refuses it")


def _refusing(smtp: Sequence[Event]) -> Iterator[tuple[float, float]]:
    """(from, to) in which it put off everything on order."""
    begun: float | None = None
    for one in smtp:
        if one["e"] != "fault":
            continue
        if one["verb"] == "answer" and str(one.get("text")).startswith("4") and begun is None:
            begun = one["t"]
        elif one["verb"] == "clear" and begun is not None:
            yield begun, one["t"]
            begun = None
    if begun is not None:
        yield begun, float("inf")


def codes_work_once(journals: Journals) -> list[Finding]:
    """19: the letter of a sign-in lets in once, by its code or by the link beside it, and only the chat that asked for it:
    whoever sends one of them again, signed out or in another chat, stays outside."""
    letter_of: dict[str, str] = {}
    to: dict[str, str] = {}
    for one in journals.smtp:
        keys = texts.keys_in(str(one["subject"]), str(one["text"])) if one["e"] == "accepted" else None
        letter_of.update({key: one["message_id"] for key in keys or () if key})
        if keys:
            to[one["message_id"]] = str(one["rcpt"][0]).lower()
    used: dict[str, list[str]] = defaultdict(list)
    found = []
    for chat, t, key in _entered(journals, letter_of):
        letter = letter_of[key]
        used[letter].append(f"in chat {chat} at {t:.2f}")
        if not any(
            one["t"] <= t and to[letter] in str(one.get("text")).lower() for one in sent_by_chat(journals)[chat]
        ):
            words = f"the code of {to[letter]} let chat {chat} in at {t:.2f}, which had not asked for it"
            found.append(Finding("codes_work_once", letter, words))
    journals.counted["sign-ins by a code or a link"] += sum(map(len, used.values()))
    return found + [
        Finding("codes_work_once", letter, f"its code or link let somebody in {', again '.join(times)}")
        for letter, times in used.items()
        if len(times) > 1
    ]


def _entered(journals: Journals, keys: Container[str]) -> Iterator[tuple[int, float, str]]:
    """(chat, when, by which of `keys`): it was the last thing that the chat sent before it was told that it is in."""
    tried: dict[int, str] = {}
    stands: dict[tuple[int, int], str] = {}
    for one in journals.bot:
        if one["e"] == "sent":
            key = str(one.get("text") or "").removeprefix("/start").strip()
            tried[int(one["chat"])] = key if key in keys else ""
        elif one["e"] == "saw":
            place, text = (int(one["chat"]), int(one["message"])), str(one.get("text") or "")
            if texts.says_in(text) and stands.get(place) != text and (key := tried.pop(place[0], "")):
                yield place[0], one["t"], key
            stands[place] = text
