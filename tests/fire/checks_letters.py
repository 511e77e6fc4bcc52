"""Checks of what reached the ITSM: every request and addition, once, with its files, and nothing that nobody asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tests.fire import texts
from tests.fire.facts import WINDOW, Event, Finding, Journals, Letter

_FOLLOW_UPS = ("addition", "complaint", "not_solved", "withdraw")


def every_request_arrives(journals: Journals) -> list[Finding]:
    """1: what was sent stands at the ITSM, word for word, and nothing stands there that nobody sent."""
    found = []
    for marker, asked in journals.requests.items():
        letters = journals.request_letters.get(marker, [])
        journals.counted["requests"] += 1
        if not letters:
            found.append(Finding("every_request_arrives", marker, f"sent at {asked['t']:.2f}, no letter bears it"))
            continue
        found += _wrong_words(asked, letters[0])
    for marker, letters in journals.request_letters.items():
        if marker not in journals.requests:
            words = f"a letter that nobody sent: {letters[0].subject!r} at {letters[0].t:.2f}"
            found.append(Finding("every_request_arrives", marker, words))
    return found


def _wrong_words(asked: Event, letter: Letter) -> Iterator[Finding]:
    text = " ".join(letter.text.split())
    for line in asked.get("lines", ()):
        if " ".join(str(line).split()) not in text:
            yield Finding("every_request_arrives", asked["marker"], f"its letter lacks {line!r}: {letter.text[:500]!r}")
    for line in asked.get("gone", ()):
        if line in text:
            words = f"its letter bears {line!r}, which was edited away: {letter.text[:500]!r}"
            yield Finding("every_request_arrives", asked["marker"], words)


def one_message_id(journals: Journals) -> list[Finding]:
    """2: one request is one letter, and so is one addition, however often it was sent."""
    ids: dict[str, set[str]] = defaultdict(set)
    for marker, letters in journals.request_letters.items():
        ids[marker] = {letter.message_id for letter in letters}
    for marker, letters in _follow_ups(journals).items():
        ids[marker] |= {letter.message_id for letter in letters}
    return [
        Finding("one_message_id", marker, f"letters with {len(each)} Message-IDs: {sorted(each)}")
        for marker, each in ids.items()
        if len(each) > 1
    ]


def no_unexcused_double_letter(journals: Journals) -> list[Finding]:
    """3: a second acceptance of a Message-ID needs a kill or a cut within the window behind the first, or a person who
    pressed "send again"."""
    times: dict[str, list[Letter]] = defaultdict(list)
    for letter in journals.letters:
        times[letter.message_id].append(letter)
    found = []
    for message_id, letters in times.items():
        for before, after in pairwise(letters):
            why = journals.excuse(before.t, "smtp", lost=message_id) or _sent_again(journals, before, after)
            if why:
                journals.excused[f"letter twice: {why}"] += 1
                continue
            words = f"accepted at {before.t:.2f} and again at {after.t:.2f}: {after.subject!r}"
            found.append(Finding("no_unexcused_double_letter", message_id, words))
    return found


def _sent_again(journals: Journals, before: Letter, after: Letter) -> str:
    marker = journals.marker_of_token.get(before.token, "")
    presses = [
        one for one in journals.wishes("resend") if one["of"] == marker and before.t <= one["t"] <= after.t + WINDOW
    ]
    return "sent again by the person" if presses else ""


def every_addition_arrives_once(journals: Journals) -> list[Finding]:
    """4: additions, complaints, "not solved" and withdrawals. Excused: those that the person was told no, and those of a
    request that the ITSM ended, or never gave a number."""
    found = []
    for asked in journals.wishes("addition", "complaint", "not_solved"):
        marker = asked["marker"]
        journals.counted[f"{asked['what']}s"] += 1
        letters = _follow_ups(journals).get(marker, [])
        told_no = _told_no(journals, asked)
        if letters and told_no:
            words = f"the person was told {told_no['text'][:120]!r}, and it was sent all the same"
            found.append(Finding("every_addition_arrives_once", marker, words))
        elif not letters and not told_no and not _never_can(journals, asked["of"]):
            words = f"{asked['what']} of {asked['of']}, sent at {asked['t']:.2f}: no letter bears it"
            found.append(Finding("every_addition_arrives_once", marker, words))
        found += _wrong_place(journals, asked, letters)
    return [*found, *_withdrawals(journals), *_uncalled_for(journals)]


def _wrong_place(journals: Journals, asked: Event, letters: Sequence[Letter]) -> Iterator[Finding]:
    for letter in letters:
        of = journals.marker_of_token.get(letter.token, "")
        if letter.kind != asked["what"] or of != asked["of"]:
            words = (
                f"{asked['what']} of {asked['of']} went as {letter.kind} of {of or letter.token}: {letter.subject!r}"
            )
            yield Finding("every_addition_arrives_once", asked["marker"], words)


def _withdrawals(journals: Journals) -> Iterator[Finding]:
    """They bear no words of their own: they are counted by request. One that was asked twice may go twice."""
    asked = Counter(one["of"] for one in journals.wishes("withdraw"))
    no = Counter(one["of"] for one in journals.model if one["e"] == "told_no" and one["what"] == "withdraw")
    sent: dict[str, set[str]] = defaultdict(set)
    for letter in journals.letters:
        if letter.kind == "withdraw":
            sent[journals.marker_of_token.get(letter.token, letter.token)].add(letter.message_id)
    for marker, wanted in asked.items():
        journals.counted["withdrawals"] += wanted
        got = len(sent.get(marker, ()))
        if not got and wanted > no[marker] and not _never_can(journals, marker) and not _ended(journals, marker):
            yield Finding("every_addition_arrives_once", marker, "asked to be taken back: no letter says so")
        elif got > wanted:
            yield Finding("every_addition_arrives_once", marker, f"taken back {wanted} times, in {got} letters")
    for marker in sent.keys() - asked.keys():
        yield Finding("every_addition_arrives_once", marker, "taken back by a letter that nobody asked for")


def _uncalled_for(journals: Journals) -> Iterator[Finding]:
    known = {one["marker"] for one in journals.wishes("addition", "complaint", "not_solved")}
    for marker, letters in _follow_ups(journals).items():
        if marker not in known:
            words = f"a {letters[0].kind} that nobody sent: {letters[0].subject!r} at {letters[0].t:.2f}"
            yield Finding("every_addition_arrives_once", marker, words)


def _follow_ups(journals: Journals) -> Mapping[str, list[Letter]]:
    """Additions, complaints and "not solved" by their own markers: those that are not their request's."""
    found: dict[str, list[Letter]] = defaultdict(list)
    for letter in journals.letters:
        if letter.kind in ("addition", "complaint", "not_solved"):
            of = journals.marker_of_token.get(letter.token, "")
            for marker in texts.markers(letter.own_words):
                if marker != of and marker not in journals.requests:
                    found[marker].append(letter)
    return found


def _told_no(journals: Journals, asked: Event) -> Event | None:
    """What the person saw instead of a confirmation; believed only where the chat really says so."""
    for one in journals.model:
        if one["e"] == "told_no" and (one["what"], one["marker"], one["of"]) == (
            asked["what"], asked["marker"], asked["of"]) and any(
            show.message == one["message"] and show.text == one["text"] and asked["t"] - WINDOW <= show.t <= one["t"]
            for show in journals.shows if show.chat == one["chat"]):  # fmt: skip
            journals.excused[f"{asked['what']} refused in the chat"] += 1
            return one
    return None


def _never_can(journals: Journals, marker: str) -> bool:
    """No number was ever given: what follows waits for it, as the person was told."""
    if any(one["number"] for one in journals.heard(marker)):
        return False
    journals.excused["waits for a number"] += 1
    return True


def _ended(journals: Journals, marker: str) -> bool:
    """The wish is dropped where the ITSM ended the request before it could go."""
    ends = [one for one in journals.heard(marker) if one["action"] in ("reject", "withdrawn", "close")]
    journals.excused["withdrawal of what was ended"] += bool(ends)
    return bool(ends)


def files_arrive(journals: Journals) -> list[Finding]:
    """13: each file stands in a letter of its request, or one of them, or the receipt, names it as left out."""
    found = []
    hashes: dict[str, set[str]] = defaultdict(set)
    words: dict[str, str] = defaultdict(str)
    for letter in journals.letters:
        marker = journals.marker_of_token.get(letter.token, "")
        hashes[marker] |= letter.hashes
        words[marker] += letter.text
    for marker, shows in journals.receipts.items():
        words[marker] += "".join(show.text for show in shows)
    for asked in journals.wishes("request", "addition"):
        marker = asked["marker"] if asked["what"] == "request" else asked["of"]
        if not journals.request_letters.get(marker) or (asked["what"] == "addition" and _gone(journals, asked)):
            continue  # said by other checks
        for file in asked.get("files", ()):
            journals.counted["files"] += 1
            if file["sha256"] in hashes[marker]:
                continue
            if file["name"] in words[marker] and ("Не вложено" in words[marker] or "не вошло" in words[marker]):
                journals.counted["files named as left out"] += 1
                continue
            found.append(Finding("files_arrive", asked["marker"], f"{file['name']} stands in no letter of {marker}"))
    return found


def _gone(journals: Journals, asked: Event) -> bool:
    return not _follow_ups(journals).get(asked["marker"])
