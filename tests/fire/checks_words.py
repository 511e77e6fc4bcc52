"""Checks of what words say, and not only that they came: a letter says whole who writes, what, and about which call of the ITSM;
what a chat shows of a request beside its status is what the ITSM said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.fire import texts
from tests.fire.checks_told import ACTIONS
from tests.fire.excuses import Event
from tests.fire.facts import Finding, Journals, Letter, Show

_MOSCOW = ZoneInfo("Europe/Moscow")


def letters_say_it_all(journals: Journals) -> list[Finding]:
    """21: whoever reads a letter sees who writes, everything that this person wrote and saw in the review, nothing of another
    request, each file once, and in what follows a request the number of that very call and the thread of its letter."""
    typed, reviews = _typed(journals), _reviews(journals)
    found = []
    for letter in journals.letters:
        marker = journals.marker_of_token.get(letter.token, "")
        journals.counted["letters read as a whole"] += 1
        wrong = [*_who_and_what(journals, letter, marker)]
        wrong += _as_reviewed(letter, reviews[marker]) if letter.kind == "request" else _bound(journals, letter, marker)
        found += [
            Finding("letters_say_it_all", marker or letter.message_id, f"{words}: {letter.subject!r}")
            for words in wrong
        ]
    found += _words_cut(journals, typed)
    found += _captions_lost(journals)
    return found


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _who_and_what(journals: Journals, letter: Letter, marker: str) -> Iterator[str]:
    owner = journals.owner.get(marker)
    if owner is not None and f"u{owner}@example.test" not in letter.text:
        yield f"it does not say that u{owner} writes"
    if letter.files > len(letter.hashes):
        yield f"{letter.files} files, of which {len(letter.hashes)} differ"
    if letter.kind == "request":
        others = [one for one in texts.markers(letter.own_words) if one != marker]
        if others:
            yield f"it bears the words of {others} as well"


def _as_reviewed(letter: Letter, reviews: list[str]) -> Iterator[str]:
    """What stands in the head of the review that was sent: the category, where it is, and what else was asked."""
    heads = [review.partition("\n\n")[0].splitlines()[1:] for review in reviews]
    if heads and not any(all(line in letter.text for line in head) for head in heads):
        yield f"the review said {heads[-1]}, and the letter {letter.text[:400]!r}"


def _reviews(journals: Journals) -> Mapping[str, list[str]]:
    """By marker: the reviews below which Send was pressed."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in journals.bot:
        if one["e"] == "sent" and str(one.get("value", "")).endswith(":send"):
            shows = journals.versions.get((int(one["chat"]), int(one["on"])), ())
            text = next((show.text for show in reversed(shows) if show.t <= one["t"] and texts.REVIEW in show.text), "")
            if text:
                found[texts.first_marker(text)].append(text[text.index(texts.REVIEW) :])
    return found


def _bound(journals: Journals, letter: Letter, marker: str) -> Iterator[str]:
    """An ITSM knows a call by its number, or by the letter that opened it."""
    given = {one["number"] for one in journals.says_of.get(marker, ()) if one["number"] and one["t"] <= letter.t}
    named = set(texts.NUMBER.findall(letter.subject))
    if not named or not named <= given:
        yield f"it names the calls {sorted(named)}, and the request is {sorted(given)}"
    first = journals.request_letters.get(marker)
    if first and first[0].message_id not in letter.thread:
        yield f"it does not answer to {first[0].message_id}"


def _typed(journals: Journals) -> Mapping[tuple[int, str], list[str]]:
    """By chat and marker: what was typed with it."""
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for one in journals.bot:
        if one["e"] == "sent" and one["kind"] in ("message", "edit"):
            for marker in texts.markers(str(one.get("text") or "")):
                found[int(one["chat"]), marker].append(_squeezed(str(one["text"])))
    return found


def _words_cut(journals: Journals, typed: Mapping[tuple[int, str], list[str]]) -> Iterator[Finding]:
    """Additions, complaints and what is not solved, to their last word."""
    letters: dict[str, list[Letter]] = defaultdict(list)
    for letter in journals.letters:
        for marker in texts.markers(letter.own_words) if letter.kind != "request" else ():
            letters[marker].append(letter)
    for asked in journals.wishes("addition", "complaint", "not_solved"):
        words = typed.get((int(asked["chat"]), asked["marker"]), [])
        for letter in letters.get(asked["marker"], ())[:1] if words else ():
            journals.counted["words that followed, read whole"] += 1
            text = _squeezed(letter.text)
            if not any(each in text for each in words):
                what = f"{words[-1]!r} was written, the letter says {letter.text[:300]!r}"
                yield Finding("letters_say_it_all", asked["marker"], what)


def _captions_lost(journals: Journals) -> Iterator[Finding]:
    for marker, asked in journals.requests.items():
        caption, letters = asked.get("caption"), journals.letters_of.get(marker, [])
        came = {each for letter in letters for each in letter.hashes}
        if caption and any(file["sha256"] in came for file in asked.get("files", ())):
            journals.counted["captions"] += 1
            if not any(caption in letter.text for letter in letters):
                yield Finding("letters_say_it_all", marker, f"{caption!r}, written below its files, is in no letter")


def shown_as_it_was_said(journals: Journals) -> list[Finding]:
    """22: a promised time is one that the ITSM promised for this request; the list of requests and the page of one of them claim
    no number, status or stars that there are not; support's words are told to the last of them."""
    stars = _stars(journals)
    found = []
    for show in journals.shows:
        wrong = [*_promises(journals, show), *_listed(journals, show), *_page(journals, show, stars)]
        found += [
            Finding("shown_as_it_was_said", marker, f"{words}, shown at {show.t:.2f}: {show.text[:300]!r}")
            for marker, words in wrong
        ]
    return [*found, *_support_cut(journals)]


def _heard(journals: Journals, marker: str, show: Show) -> list[Event]:
    return [one for one in journals.says_of.get(marker, ()) if one["t"] <= show.t and not one.get("bounce")]


def _promises(journals: Journals, show: Show) -> Iterator[tuple[str, str]]:
    for clock in texts.PROMISED.findall(show.text):
        marker = journals.whose(show.text) or texts.first_marker(show.text)
        journals.counted["promised times looked at"] += 1
        promised = {_clock(one) for one in _heard(journals, marker, show) if one["action"] == "register"}
        if clock not in promised:
            yield marker, f"it promises {clock}, the ITSM had promised {sorted(promised)}"


def _clock(registered: Event) -> str:
    return datetime.fromtimestamp(registered["at"] + registered.get("promise", 0), _MOSCOW).strftime("%H:%M")


def _listed(journals: Journals, show: Show) -> Iterator[tuple[str, str]]:
    for number, title, status in texts.LISTED.findall(show.text) if show.text.startswith("Мои заявки") else ():
        journals.counted["lines of a list looked at"] += 1
        yield from _not_so(journals, show, texts.first_marker(title), number, status.lower())


def _page(journals: Journals, show: Show, stars: Mapping[str, set[str]]) -> Iterator[tuple[str, str]]:
    page = texts.PAGE.search(show.text) if texts.BACK in show.labels else None
    if page is None:
        return
    journals.counted["pages of a request looked at"] += 1
    marker = texts.first_marker(show.text)
    yield from _not_so(journals, show, marker, page[1] or "", page[2].lower())
    given = texts.STARS.search(show.text)
    if given and given[1] not in stars.get(marker, ()):
        yield marker, f"it bears {given[1]} stars, given were {sorted(stars.get(marker, ()))}"


def _not_so(journals: Journals, show: Show, marker: str, number: str, status: str) -> Iterator[tuple[str, str]]:
    heard = _heard(journals, marker, show)
    if number and number not in {one["number"] for one in heard}:
        yield marker, f"{number} was not given to it"
    claimed = texts.STATUS_WORDS.get(status, "")
    if claimed and not any(one["action"] in ACTIONS[claimed] for one in heard):
        yield marker, f"it claims the status {claimed}, which no believed letter says"


def _stars(journals: Journals) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for one in journals.wishes("rating"):
        found[one["of"]].add(str(one["stars"]))
    return found


def _support_cut(journals: Journals) -> Iterator[Finding]:
    """By the first message that bears the beginning of the words."""
    for marker, shows in journals.notices.items():
        for said in journals.heard(marker):
            whole = _squeezed(str(said.get("text") or ""))
            show = next((one for one in shows if said["words"] in texts.words_of_support(one.text)), None)
            if not whole or show is None:
                continue
            journals.counted["words of support read whole"] += 1
            if whole not in _squeezed(show.text):
                words = f"support wrote {whole!r}, told at {show.t:.2f} was {show.text[:300]!r}"
                yield Finding("shown_as_it_was_said", marker, words)
