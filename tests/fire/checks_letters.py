"""Checks of what reached the ITSM: every request and addition, once, with its files, and nothing that nobody asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tests.fire import texts
from tests.fire.excuses import WINDOW, Event
from tests.fire.expected import course
from tests.fire.facts import Finding, Journals, Letter

_DOWNLOADS = 900.0  # seconds around a Send in which its files are fetched
_IN_VAIN = 400.0  # seconds behind Send: ten minutes behind the file, which may have come early in the dialog
_IN_TIME = 720.0  # seconds: ten minutes for files that do not come, a look each minute, and a start


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
    found += _not_sent_again(journals)
    for marker, letters in journals.request_letters.items():
        if marker not in journals.requests:
            words = f"a letter that nobody sent: {letters[0].subject!r} at {letters[0].t:.2f}"
            found.append(Finding("every_request_arrives", marker, words))
    return found


def _not_sent_again(journals: Journals) -> Iterator[Finding]:
    """What came back and was sent again by the person must reach the ITSM again, unless that turned out to have it."""
    for wish in journals.wishes("resend"):
        letters = journals.letters_of.get(wish["of"], ())
        journals.counted["sent again"] += 1
        if any(letter.t >= wish["t"] - WINDOW for letter in letters) or any(
            wish is each for each, _ in journals.refusals
        ):
            continue
        if journals.heard(wish["of"]):
            journals.excused["sent again, and registered after all"] += 1
            continue
        yield Finding("every_request_arrives", wish["of"], f"sent again at {wish['t']:.2f}, no letter came behind that")


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
    for letter in journals.letters:
        if letter.kind == "files":  # they bear no words of their own: known by what they bring
            ids[f"files of {letter.token}: {sorted(letter.hashes)}"].add(letter.message_id)
    return [
        Finding("one_message_id", marker, f"letters with {len(each)} Message-IDs: {sorted(each)}")
        for marker, each in ids.items()
        if len(each) > 1
    ]


def no_unexcused_double_letter(journals: Journals) -> list[Finding]:
    """3: a second acceptance of a Message-ID needs a kill or a cut within the window behind the first, or a person who
    pressed "send again"."""
    times: dict[str, list[Letter]] = defaultdict(list)
    for letter in (*journals.letters, *journals.other_letters):
        times[letter.message_id].append(letter)
    journals.counted["letters to others than the ITSM"] += len(journals.other_letters)
    found = []
    for message_id, letters in times.items():
        for before, after in pairwise(letters):
            why = journals.excuse(before.t, after.t, "smtp", lost=message_id) or _sent_again(journals, before, after)
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
    return "sent again by the person" if presses or _old_button(journals, marker, before.t, after.t + WINDOW) else ""


def _old_button(journals: Journals, marker: str, since: float, until: float) -> bool:
    """Whether somebody has pressed "send again" meanwhile below what was about this very request, without having planned to."""
    for one in journals.bot:
        if one["e"] == "sent" and since <= one["t"] <= until and str(one.get("value", "")).startswith("rs:"):
            stood = [
                show for show in journals.versions.get((int(one["chat"]), int(one["on"])), ()) if show.t <= one["t"]
            ]
            if marker and stood and journals.whose(stood[-1].text) == marker:
                return True
    return False


def every_addition_arrives_once(journals: Journals) -> list[Finding]:
    """4: additions, complaints, "not solved" and withdrawals. Excused: those that the person was told no, and those of a
    request that the ITSM ended, or never gave a number."""
    found, follow_ups = [], _follow_ups(journals)
    for asked in journals.wishes("addition", "complaint", "not_solved"):
        marker = asked["marker"]
        journals.counted[f"{asked['what']}s"] += 1
        letters = follow_ups.get(marker, [])
        told_no = _told_no(journals, asked)
        if letters and told_no:
            words = f"the person was told {told_no['text'][:120]!r}, and it was sent all the same"
            found.append(Finding("every_addition_arrives_once", marker, words))
        elif not letters and not told_no and not _never_can(journals, asked["of"]):
            words = f"{asked['what']} of {asked['of']}, sent at {asked['t']:.2f}: no letter bears it"
            found.append(Finding("every_addition_arrives_once", marker, words))
        found += _wrong_place(journals, asked, letters)
    return [*found, *_withdrawals(journals), *_uncalled_for(journals), *_out_of_order(journals)]


def _wrong_place(journals: Journals, asked: Event, letters: Sequence[Letter]) -> Iterator[Finding]:
    for letter in letters:
        of = journals.marker_of_token.get(letter.token, "")
        overtaken = asked["what"] == "not_solved" and letter.kind == "addition" and _taken_up(journals, of, letter.t)
        journals.excused["not solved of work that was taken up again"] += overtaken
        if not (letter.kind == asked["what"] or overtaken) or of != asked["of"]:
            words = (
                f"{asked['what']} of {asked['of']} went as {letter.kind} of {of or letter.token}: {letter.subject!r}"
            )
            yield Finding("every_addition_arrives_once", asked["marker"], words)


def _taken_up(journals: Journals, marker: str, t: float) -> bool:
    """Whether the ITSM may have said by `t` that work on it goes on: then words behind it are an addition."""
    heard = [one for one in journals.says_of.get(marker, ()) if one["t"] <= t and not one.get("bounce")]
    return course(heard).statuses[-1][1] not in ("resolved", "closed")


def _out_of_order(journals: Journals) -> Iterator[Finding]:
    """What follows a request reaches the ITSM as it was asked for, but for what was sent again by hand, and for what brings
    files: it goes when they have come, and holds up nobody meanwhile."""
    resent, follow_ups = {one["of"] for one in journals.wishes("resend")}, _follow_ups(journals)
    rows: dict[str, list[Event]] = defaultdict(list)
    for asked in journals.wishes("addition", "complaint", "not_solved"):
        if asked["of"] not in resent and follow_ups.get(asked["marker"]) and not asked.get("files"):
            rows[asked["of"]].append(asked)
    for row in rows.values():
        for one, other in pairwise(row):
            first, second = (min(each.t for each in follow_ups[this["marker"]]) for this in (one, other))
            journals.counted["letters in their order"] += 1
            if second < first and one["t"] < other["t"]:
                words = f"asked for at {one['t']:.2f}, sent at {first:.2f}; {other['marker']}, asked for later, at {second:.2f}"
                yield Finding("every_addition_arrives_once", one["marker"], words)


def _withdrawals(journals: Journals) -> Iterator[Finding]:
    """They bear no words of their own: they are counted by request. One that was asked twice may go twice."""
    asked = Counter(one["of"] for one in journals.wishes("withdraw"))
    no = Counter(wish["of"] for wish, _ in journals.refusals if wish["what"] == "withdraw")
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
    """What was begun and never sent may go along with what was sent later; by itself it must not."""
    known = {one["marker"] for one in journals.wishes("addition", "complaint", "not_solved")}
    for letter in journals.letters:
        if letter.kind in ("addition", "complaint", "not_solved") and not known.intersection(
            _own_markers(journals, letter)
        ):
            words = f"a {letter.kind} that nobody sent: {letter.subject!r} at {letter.t:.2f}"
            yield Finding(
                "every_addition_arrives_once", (_own_markers(journals, letter) or [letter.message_id])[0], words
            )


def _follow_ups(journals: Journals) -> Mapping[str, list[Letter]]:
    """Additions, complaints and "not solved" by their own markers."""
    found: dict[str, list[Letter]] = defaultdict(list)
    for letter in journals.letters:
        if letter.kind in ("addition", "complaint", "not_solved"):
            for marker in _own_markers(journals, letter):
                found[marker].append(letter)
    return found


def _own_markers(journals: Journals, letter: Letter) -> list[str]:
    """Those that are not its request's."""
    of = journals.marker_of_token.get(letter.token, "")
    return [one for one in texts.markers(letter.own_words) if one != of and one not in journals.requests]


def _told_no(journals: Journals, asked: Event) -> Event | None:
    """What the person saw instead of a confirmation."""
    told = next((no for wish, no in journals.refusals if wish is asked), None)
    journals.excused[f"{asked['what']} refused in the chat"] += told is not None
    return told


def _never_can(journals: Journals, marker: str) -> bool:
    """No number was ever given: what follows waits for it, as the person was told."""
    if any(one["number"] for one in journals.heard(marker)):
        return False
    journals.excused["waits for a number"] += 1
    return True


def _ended(journals: Journals, marker: str) -> bool:
    """The wish waits for a number, and is dropped where the letter that brings it is the end of the request."""
    first = next((one for one in journals.heard(marker) if one["number"]), None)
    ended = first is not None and first["action"] in ("reject", "withdrawn", "close")
    journals.excused["withdrawal of what was ended"] += ended
    return ended


def _went_without(journals: Journals, marker: str) -> bool:
    """Whether the request waited so long that it left without its files, which follow its number."""
    return bool(journals.request_letters[marker][0].t - journals.requests[marker]["t"] >= _IN_VAIN)


def letters_leave_in_time(journals: Journals) -> list[Finding]:
    """24: a request leaves within ten minutes, whatever becomes of its files. While the mail server is away the clock stands."""
    found = []
    for marker, asked in journals.requests.items():
        first = min((letter.t for letter in journals.request_letters.get(marker, ())), default=None)
        if first is None:
            continue  # said by another check
        waited = first - asked["t"] - _away(journals, asked["t"], first)
        if waited > _IN_TIME:
            found.append(Finding("letters_leave_in_time", marker, f"it was with us for {waited:.0f} s before it left"))
    return found


def _away(journals: Journals, since: float, until: float) -> float:
    """Seconds of that span in which the mail server could not be reached, or was told to be in trouble."""
    spans = list(journals.outages.get("smtp", ()))
    begun: float | None = None
    for one in (one for one in journals.smtp if one["e"] == "fault"):
        if one["verb"] != "clear":
            begun = one["t"] if begun is None else begun
        elif begun is not None:
            spans.append((begun, one["t"]))
            begun = None
    spans += [(begun, until)] if begun is not None else []
    away, at = 0.0, since
    for begin, end in sorted(spans):
        away += max(0.0, min(end, until) - max(begin, at))
        at = max(at, min(end, until))
    return away


def _is_never_taken(name: str) -> bool:
    return name.endswith(".exe")


def files_arrive(journals: Journals) -> list[Finding]:
    """13: each file stands in a letter of its request, or one of them, or the receipt, names it as left out."""
    found, follow_ups = [], _follow_ups(journals)
    for asked in journals.wishes("request", "addition"):
        marker = asked["marker"] if asked["what"] == "request" else asked["of"]
        if not journals.request_letters.get(marker) or (
            asked["what"] == "addition" and asked["marker"] not in follow_ups
        ):
            continue  # said by other checks
        letters = journals.letters_of[marker]
        words = [letter.text for letter in letters] + [show.text for show in journals.receipts.get(marker, ())]
        for file in asked.get("files", ()):
            journals.counted["files"] += 1
            if any(file["sha256"] in letter.hashes for letter in letters):
                continue
            named = any(file["name"] in one and ("Не вложено" in one or "не вошло" in one) for one in words)
            if named and (_is_never_taken(file["name"]) or journals.had_trouble(asked["t"], _DOWNLOADS)):
                journals.counted["files named as left out"] += 1
                continue
            if named:
                found.append(
                    Finding("files_arrive", asked["marker"], f"{file['name']} was left out, and nothing was in its way")
                )
                continue
            if _went_without(journals, marker) and _never_can(journals, marker):
                continue
            found.append(Finding("files_arrive", asked["marker"], f"{file['name']} stands in no letter of {marker}"))
    return found
