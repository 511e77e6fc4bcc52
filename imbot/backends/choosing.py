"""Which profile a letter is read by: its sender first, then the fingerprint, its number and words last.

Choosing is no trust: whether a letter is from whom it says is asked of the chosen one's evidence. Two backends may share
one profile (two intake mailboxes of one product): then only their senders tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imbot.backends.evidence import sender_matches
from imbot.backends.profile import HEADER, Profile
from imbot.backends.trimming import unquoted
from imbot.backends.understanding import speaks, words
from imbot.domain.letters import InboundMail
from imbot.mime.tidying import readable


@dataclass(frozen=True, slots=True)
class Test:
    """One question to a profile. `name`: sender, fingerprint, number or words, in the order in which they count."""

    __test__ = False  # no case of pytest

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One backend, all four tests of it, and what became of it: `reason` says why it was taken or passed over."""

    name: str
    profile: Profile
    tests: tuple[Test, ...]
    taken: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend whose profile a letter is read by. `profile` None: none fits, and `reason` says so."""

    name: str
    profile: Profile | None
    reason: str


def consider(choices: Mapping[str, Profile], mail: InboundMail) -> Choice:
    """The one of `choices` (by the backend's name) that `mail` is read by. Asks no more than is needed to decide."""
    listed = sorted(choices.items(), key=lambda item: item[1].is_generic)
    by_sender = [item for item in listed if sender_matches(item[1].senders, mail.sender)]
    left = by_sender or listed
    if len(by_sender) == 1:
        return Choice(*by_sender[0], f"{mail.sender} is one of its senders")
    for name, profile in left:
        if detail := _fingerprint(profile, mail):
            return Choice(name, profile, f"{detail} is its fingerprint")
    for test in (_number, _words):
        for name, profile in left:
            if detail := test(profile, mail):
                return Choice(name, profile, f"its number or words are in the letter: {detail}")
    if by_sender:
        return Choice(*by_sender[0], f"{mail.sender} is one of its senders")
    return Choice("", None, "no sender, no fingerprint, no number and no words of any profile")


def candidates(choices: Mapping[str, Profile], mail: InboundMail) -> tuple[Candidate, ...]:
    """All of `choices` with every test, for people; what `consider` takes is marked."""
    choice = consider(choices, mail)
    tested = {name: _tests(profile, mail) for name, profile in choices.items()}
    known = any(tests[0].ok for tests in tested.values())
    return tuple(
        Candidate(
            name,
            profile,
            tested[name],
            name == choice.name,
            _outcome(name, choice, _stranger(profile, known, mail)),
        )
        for name, profile in choices.items()
    )


def choose(profiles: Sequence[Profile], mail: InboundMail) -> tuple[Profile | None, list[str]]:
    """The same of profiles alone. The list says of each why it was passed over or taken."""
    choices = {str(index): profile for index, profile in enumerate(profiles)}
    choice = consider(choices, mail)
    known = any(sender_matches(profile.senders, mail.sender) for profile in profiles)
    why = []
    for name, profile in choices.items():
        why.append(f"{profile.name}: {_outcome(name, choice, _stranger(profile, known, mail))}")
    return choice.profile, why


def _tests(profile: Profile, mail: InboundMail) -> tuple[Test, ...]:
    sender = mail.sender or "nobody"
    ours = sender_matches(profile.senders, mail.sender)
    told = f"{sender} is one of its senders" if ours else f"{sender} is none of its senders"
    print_, number, said = _fingerprint(profile, mail), _number(profile, mail), _words(profile, mail)
    return (
        Test("sender", ours, told if profile.senders else "it has no senders in the settings"),
        Test("fingerprint", bool(print_), print_ or ("not there" if profile.fingerprints else "it has none")),
        Test("number", bool(number), number or "none of its form in the subject"),
        Test("words", bool(said), said or "none of its words"),
    )


def _stranger(profile: Profile, known: bool, mail: InboundMail) -> str:
    """That another profile knows the sender and this one does not, in words; "" where that is not so."""
    if not known or sender_matches(profile.senders, mail.sender):
        return ""
    return f"{mail.sender} is none of its senders" if profile.senders else "it has no senders in the settings"


def _outcome(name: str, choice: Choice, stranger: str) -> str:
    if choice.profile is None:
        return "no sender, no fingerprint, no number or words of it"
    if name == choice.name:
        return f"taken, {choice.reason}"
    if stranger:
        return f"passed over, {stranger}"
    return f"passed over, {choice.profile.name} fits better ({choice.reason})"


def _fingerprint(profile: Profile, mail: InboundMail) -> str:
    """Where it is found: `the header X-Mailer`, or "". What a header says goes before what stands in the text."""
    for mark in sorted(profile.fingerprints, key=lambda mark: not mark.place.startswith(HEADER)):
        if mark.place.startswith(HEADER):
            header = mark.place.removeprefix(HEADER)
            if any(mark.pattern is None or mark.pattern.matches(value) for value in mail.header(header)):
                return f"the header {header}"
        elif mark.pattern is not None:
            text = mail.subject if mark.place == "subject" else unquoted(readable(mail.text), profile.separators)
            if found := mark.pattern.first(readable(text)):
                return f"{found.text.strip()[:60]!r} in the {'subject' if mark.place == 'subject' else 'text'}"
    return ""


def _number(profile: Profile, mail: InboundMail) -> str:
    subject = readable(mail.subject)
    for each in profile.numbers:
        if any(not place.startswith(HEADER) for place in each.places) and (found := each.pattern.first(subject)):
            return f"{found.text.strip()[:60]!r} in the subject"
    return ""


def _words(profile: Profile, mail: InboundMail) -> str:
    said = speaks(profile, words(profile, mail))
    if said is None:
        return ""
    place = {"body": "the text", "subject": "the subject", "together": "subject and text"}.get(said.place, said.place)
    return f"{' '.join(said.words.split())[:60]!r} in {place}"
