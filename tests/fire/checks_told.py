"""Checks of what persons were told: every status, once, in order, true, and nobody another's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from tests.fire import texts
from tests.fire.expected import HELD, Course, Telling, course
from tests.fire.facts import ADMIN, EMPLOYEE, ITSM, Finding, Journals, Show

ACTIONS = {
    "registered": ("register",),
    "in_progress": ("start", "reopen"),
    "waiting": ("ask",),
    "resolved": ("done",),
    "closed": ("close",),
    "rejected": ("reject",),
    "withdrawn": ("withdrawn",),
}
_SHOWN_AGAIN = 10.0  # seconds in which a death has an answer shown once more, though its person has gone on
_ENDS = frozenset({"close", "reject", "withdrawn"})


def no_claim_without_fact(journals: Journals) -> list[Finding]:
    """5: whatever stands in a chat about a request was true before it stood there."""
    found = []
    for show in journals.shows:
        marker = journals.whose(show.text)
        if texts.is_notice(show.text) or texts.is_receipt(show.text):
            journals.counted["claims looked at"] += 1
            journals.counted["news by letter"] += bool(show.letter)
            found += [Finding("no_claim_without_fact", marker, f"{why}, shown at {show.t:.2f}: {show.text[:300]!r}")
                      for why in _untrue(journals, marker, show)]  # fmt: skip
        found += _unsaid(journals, show)
        found += _untrue_refusal(journals, show)
    return found


def _untrue(journals: Journals, marker: str, show: Show) -> Iterator[str]:
    taken = [letter for letter in journals.request_letters.get(marker, ()) if letter.t <= show.t]
    heard = [one for one in journals.says_of.get(marker, ()) if one["t"] <= show.t]
    if texts.says_sent(show.text) and not taken:
        yield "«отправлена», but no letter was taken"
    if texts.says_returned(show.text) and not any(one.get("bounce") for one in heard):
        yield "«не дошло», but no report of the post says so"
    was, now = texts.status_in(show.text)
    for status in filter(None, (was, now)):
        if not any(one["action"] in ACTIONS[status] for one in heard):
            yield f"it claims the status {status}, which no believed letter says"
    numbers = {one["number"] for one in heard if not one.get("bounce")}
    for number in texts.NUMBER.findall(show.text.split("\n\n")[0]):
        if number not in numbers:
            yield f"{number} was not given to it"
    claimed = texts.photos_attached(show.text) if texts.is_receipt(show.text) else 0
    if claimed > sum(letter.files for letter in journals.letters_of.get(marker, ()) if letter.t <= show.t):
        yield f"{claimed} photos are claimed to be with letters that bear fewer"


def _rated_on_another_day(journals: Journals, show: Show) -> bool:
    """Whether the person rated while imbot's clock was a day off: the day in which stars may be changed was another one then."""
    rated = [
        one["t"]
        for one in journals.bot
        if one["e"] == "sent" and one["chat"] == show.chat and str(one.get("value")).startswith("rate:")
    ]
    return any(begin <= t <= end and t <= show.t for begin, end in journals.bad_clock for t in rated)


def _untrue_refusal(journals: Journals, show: Show) -> Iterator[Finding]:
    """That something cannot be done is a claim as well: of a request that has ended, or is not done, by what the ITSM said."""
    refused, marker = texts.refused_in(show.text), texts.first_marker(show.text)
    if not refused:
        return
    journals.counted["refusals looked at"] += 1
    heard = [one for one in journals.says_of.get(marker, ()) if one["t"] <= show.t and not one.get("bounce")]
    said = {one["action"] for one in heard}
    statuses = [status for _, status in course(heard).statuses]
    again = any(one["of"] == marker and one["t"] <= show.t for one in journals.wishes("not_solved"))
    true = {
        "add": bool(said & _ENDS),
        "withdraw": bool(said & {*_ENDS, "done"}),
        "reopen": bool(said & {*_ENDS, "reopen"}) or again,
        "rate": "resolved" not in statuses
        or statuses[-1] not in ("resolved", "closed")
        or "reopen" in said
        or _rated_on_another_day(journals, show),
        "rate_asked_for": again,
        "find": bool(refused == "find" and _pried(journals, show)),
    }
    if not true[refused]:
        words = f"it is refused at {show.t:.2f}, and the ITSM had said {sorted(said)}: {show.text[:300]!r}"
        yield Finding("no_claim_without_fact", marker or str(show.chat), words)


def _pried(journals: Journals, show: Show) -> bool:
    """Whether it answers a press of another's button: the last one when these words first stood there, or a moment before."""
    since = next(one.t for one in journals.versions[show.chat, show.message] if one.text == show.text)
    presses = [one for one in journals.presses_of_requests.get(show.chat, ()) if one["t"] <= since]
    asked = presses[-1:] + [one for one in presses if one["t"] > since - _SHOWN_AGAIN]
    return any((show.chat, str(one["value"])) in journals.pried for one in asked)


def _unsaid(journals: Journals, show: Show) -> Iterator[Finding]:
    """Words of support that nobody had said by then."""
    said = journals.words_said
    for words in texts.desk_markers(show.whole):
        if words not in said or said[words]["t"] > show.t:
            yield Finding(
                "no_claim_without_fact", words, f"support had not said it at {show.t:.2f}: {show.text[:300]!r}"
            )


def every_status_told(journals: Journals) -> list[Finding]:
    """6: each loud change and all words in a message of their own, each file, that the request came back, and the last status
    on the receipt."""
    found = []
    for marker, asked in journals.requests.items():
        way = course(journals.heard(marker))
        chat = int(asked["chat"])
        for telling in way.tellings:
            journals.counted["tellings"] += 1
            told = _showings(journals, marker, telling) or _told_overtaken(journals, marker, telling)
            if not told and not _hushed(journals, marker, way):
                words = (
                    f"{telling.action} ({telling.words or telling.status}) of {telling.said:.2f} was not told to {chat}"
                )
                found.append(Finding("every_status_told", marker, words))
            for name in telling.files:
                if not journals.file_shows.get((chat, name)) and not _had_no_room(journals, marker, telling, name):
                    found.append(
                        Finding("every_status_told", marker, f"the file {name} of {telling.action} did not come")
                    )
        found += _return_untold(journals, marker)
        found += _last_receipt(journals, marker, way)
    return found


def _return_untold(journals: Journals, marker: str) -> Iterator[Finding]:
    """Nobody but the person can send it again. Once the ITSM has answered, it did arrive, and nothing need be said."""
    report = journals.came_back.get(marker)
    journals.counted["requests that came back"] += report is not None
    if report and not any(texts.says_returned(show.text) for show in journals.notices.get(marker, ())):
        yield Finding(
            "every_status_told", marker, f"that it came back, as the post said at {report['t']:.2f}, was not told"
        )


def _had_no_room(journals: Journals, marker: str, telling: Telling, name: str) -> bool:
    """Whether the person was told that this file could not be taken, and the disk was full or could not be written to when it
    was to be kept."""
    told = [show.t for show in _showings(journals, marker, telling) if f"Не передали {name}" in show.text]
    excused = any(begin <= t and telling.said <= end for begin, end in journals.bad_disk for t in told[:1])
    journals.excused["a file of support not passed on, the disk was full"] += excused
    return excused


def _last_receipt(journals: Journals, marker: str, way: Course) -> Iterator[Finding]:
    shows = journals.receipts.get(marker, [])
    if not shows:
        if journals.request_letters.get(marker):
            yield Finding("every_status_told", marker, "it has no receipt")
        return
    last, (since, status) = shows[-1], way.statuses[-1]
    shown = texts.status_in(last.text)[1] or "new"
    if shown != status:
        words = (
            f"its receipt ends with {shown}, the ITSM said {status} at {since:.2f}: {last.text[:200]!r} at {last.t:.2f}"
        )
        yield Finding("every_status_told", marker, words)


def _showings(journals: Journals, marker: str, telling: Telling) -> list[Show]:
    """The messages of their own that tell it."""
    return [show for show in journals.notices.get(marker, ()) if _tells(show, telling)]


def _told_overtaken(journals: Journals, marker: str, telling: Telling) -> bool:
    """Of a letter that a later one has overtaken only the words are news."""
    words = replace(telling, status="")
    return journals.overtaken(marker, telling.said) and (not telling.words or bool(_showings(journals, marker, words)))


def _tells(show: Show, telling: Telling) -> bool:
    if telling.words and telling.words not in texts.words_of_support(show.text):
        return False
    return not telling.status or texts.status_in(show.text)[1] == telling.status


def _hushed(journals: Journals, marker: str, way: Course) -> bool:
    """Too much in ten minutes is not told each by each, and the person is told that: no excuse where there was not so much."""
    said = any("Остальные здесь не показываем" in one.text or "меняется слишком часто" in one.text
               for one in journals.notices.get(marker, ()))  # fmt: skip
    # What had to wait may be read all at once: so it counts how much there was, and not when.
    spoke = sum(bool(telling.words or telling.files) for telling in way.tellings)
    hushed = way.held or (said and max(spoke, len(way.statuses) - 1) > HELD)
    journals.excused["held back, too much at once"] += hushed
    return hushed


def no_unexcused_double_notice(journals: Journals) -> list[Finding]:
    """7: a message of its own comes once; a second one needs a kill or a cut within the window behind the one before."""
    found: list[Finding] = []
    files = journals.file_shows
    for marker, asked in journals.requests.items():
        way = course(journals.heard(marker))
        for telling in way.tellings:
            same = sum(_same(one, telling) for one in way.tellings)
            found += _doubles(
                journals, marker, telling.words or telling.status, _showings(journals, marker, telling), same
            )
            for name in telling.files:
                found += _doubles(journals, marker, name, files.get((int(asked["chat"]), name), []), 1)
        receipts = [show for show in journals.receipts.get(marker, ()) if _is_new_receipt(journals, show)]
        found += _doubles(journals, marker, "the receipt", receipts, 1)
    alike: dict[tuple[int, str], list[Show]] = defaultdict(list)
    for shows in journals.notices.values():
        for show in shows:
            if not texts.desk_markers(show.text) and not texts.status_in(show.text)[1]:  # which are looked at above
                alike[show.chat, show.text].append(show)
    for (_, text), shows in alike.items():
        found += _doubles(journals, journals.whose(text), "the same words", shows, 1)
    return list(dict.fromkeys(found))


def _same(one: Telling, other: Telling) -> bool:
    """Two changes to one status without words cannot be told apart: two messages are right then."""
    return one.words == other.words and one.status == other.status


def _is_new_receipt(journals: Journals, show: Show) -> bool:
    """The first showing of a receipt in a message: the message may have been the review before."""
    earlier = journals.receipts[journals.whose(show.text)]
    return next(one for one in earlier if one.message == show.message) is show


def _doubles(journals: Journals, marker: str, what: str, shows: Sequence[Show], allowed: int) -> Iterator[Finding]:
    if len(shows) <= allowed:
        return
    for before, after in pairwise(shows):
        leg = "smtp" if before.letter else "telegram"
        why = journals.excuse(before.t, after.t, leg, lost=before.letter or f"{before.chat}:{before.message}")
        if why:
            journals.excused[f"told twice: {why}"] += 1
        elif allowed > 1:
            allowed -= 1
        else:
            words = f"{what}: message {before.message} at {before.t:.2f}, {after.message} at {after.t:.2f}: {after.text[:200]!r}"
            yield Finding("no_unexcused_double_notice", marker, words)


def in_order(journals: Journals) -> list[Finding]:
    """8: what the ITSM said is told in its order, in the chat and by letter each; a receipt never goes back."""
    found = []
    for marker in journals.requests:
        way = course(journals.heard(marker))
        lasts: dict[bool, tuple[float, str]] = {}
        for telling in way.tellings:
            shows = _showings(journals, marker, telling)
            if not shows or any(_same(one, telling) and one is not telling for one in way.tellings):
                continue
            what, by_letter = telling.words or telling.status, bool(shows[0].letter)
            last = lasts.get(by_letter, (float("-inf"), ""))
            if shows[0].t < last[0] and not journals.overtaken(marker, telling.said):
                words = f"{what} was told at {shows[0].t:.2f}, before {last[1]} at {last[0]:.2f}"
                found.append(Finding("in_order", marker, words))
            lasts[by_letter] = max(last, (shows[0].t, what))
        found += _receipt_goes_back(journals, marker, [status for _, status in way.statuses])
    return found


def _receipt_goes_back(journals: Journals, marker: str, course_of: Sequence[str]) -> Iterator[Finding]:
    at = 0
    for show in journals.receipts.get(marker, ()):
        status = texts.status_in(show.text)[1] or "new"
        while at < len(course_of) and course_of[at] != status:
            at += 1
        if at == len(course_of):
            words = f"its receipt says {status} at {show.t:.2f}, behind a later status; the ITSM's course: {list(course_of)}"
            yield Finding("in_order", marker, words)
            return


def nobody_reads_anothers(journals: Journals) -> list[Finding]:
    """9: no marker of a person stands in another's chat or letter, no words of support in a chat that they were not for, no
    words of a forged letter anywhere."""
    found = []
    desk = journals.words_said
    for show in journals.shows:
        if show.chat in journals.admins and texts.is_alert(show.text):
            continue
        journals.counted["messages looked at"] += 1
        for marker in texts.markers(show.whole):
            if journals.owner.get(marker) != show.chat:
                words = f"it is {journals.owner.get(marker)}'s and stands in chat {show.chat}: {show.text[:300]!r}"
                found.append(Finding("nobody_reads_anothers", marker, words))
        for words in texts.desk_markers(show.whole):
            said = desk.get(words)
            if said is not None and said.get("forged"):
                found.append(Finding("nobody_reads_anothers", words, f"a forgery was told: {show.text[:300]!r}"))
            elif said is not None and journals.owner.get(journals.about(said)) != show.chat:
                about = f"it is about {journals.about(said)} and stands in chat {show.chat}: {show.text[:300]!r}"
                found.append(Finding("nobody_reads_anothers", words, about))
    return [*found, *_strangers_letters(journals)]


def _strangers_letters(journals: Journals) -> Iterator[Finding]:
    seen: dict[str, set[str]] = defaultdict(set)
    files = {file["sha256"]: int(one["chat"]) for one in journals.asked for file in one.get("files") or ()}
    for letter in journals.letters:
        owner = journals.owner.get(journals.marker_of_token.get(letter.token, ""))
        seen[letter.message_id] |= set(EMPLOYEE.findall(letter.text)) - {str(owner)}
        for marker in texts.markers(f"{letter.subject}\n{letter.text}"):
            if owner is not None and journals.owner.get(marker) != owner:
                words = f"a letter of {owner} bears the words of {journals.owner.get(marker)}: {letter.subject!r}"
                yield Finding("nobody_reads_anothers", marker, words)
        for sha256 in letter.hashes & files.keys():
            if owner is not None and files[sha256] != owner:
                words = f"a letter of {owner} bears a file of {files[sha256]}: {letter.subject!r}"
                yield Finding("nobody_reads_anothers", letter.message_id, words)
    for message_id, strangers in seen.items():
        if strangers:
            yield Finding("nobody_reads_anothers", message_id, f"a letter names others: {sorted(strangers)}")
    yield from _strange_recipients(journals)


def _strange_recipients(journals: Journals) -> Iterator[Finding]:
    """A letter for the ITSM goes to nobody else, and what an employee gets by letter bears no words of another."""
    for one in journals.smtp:
        if one["e"] != "accepted":
            continue
        rcpt, words = [str(each).lower() for each in one["rcpt"]], f"{one['subject']}\n{one['text']}"
        journals.counted["recipients looked at"] += len(rcpt)
        if ITSM in rcpt and len(rcpt) > 1:
            yield Finding("nobody_reads_anothers", one["message_id"], f"a letter for the ITSM went to {rcpt}")
        unknown = [each for each in rcpt if each not in (ITSM, ADMIN) and not EMPLOYEE.fullmatch(each)]
        if unknown:
            yield Finding("nobody_reads_anothers", one["message_id"], f"a letter went to {unknown}, whom nobody knows")
        for address in filter(EMPLOYEE.fullmatch, rcpt):
            others = {journals.owner.get(marker) for marker in texts.markers(words)} - {
                int(address[1:].partition("@")[0])
            }
            if others:
                yield Finding(
                    "nobody_reads_anothers", one["message_id"], f"a letter to {address} bears words of {others}"
                )
