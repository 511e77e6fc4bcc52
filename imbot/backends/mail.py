"""Every ITSM that is reached by mail: what a letter from it says, and which letters are its own. Pure; profiles are data.

Reading takes out what we sent before it looks for a status, so that an employee's own words never act as one. A status in
the subject counts before one in the body. Composing is `imbot.backends.composing`; origin is `imbot.backends.evidence`;
reports of failed deliveries are `imbot.backends.bounces`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from imbot.backends.composing import compose, safe_subject_words
from imbot.backends.evidence import EvidenceSettings, believes, sender_matches
from imbot.backends.profiles import Anchor, Lift, Profile
from imbot.backends.trimming import our_words, readable, unquoted, without_ours
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status, StatusReport
from imbot.mime import parse_addresses

__all__ = [
    "EvidenceSettings",
    "Words",
    "believes",
    "choose",
    "comment_text",
    "compose",
    "find_tokens",
    "mail_summary",
    "numbers",
    "numbers_in",
    "read",
    "safe_subject_words",
    "words",
]

MAX_NUMBERS = 20
MAX_VALUE = 4000


@dataclass(frozen=True, slots=True)
class Words:
    """What one profile looks at: the letter's subject and what is new in its text, tidied; the numbers in them as they are
    shown (`IM-CL-1042`), those of the subject first, each once, at most twenty."""

    subject: str
    body: str
    in_subject: tuple[str, ...]
    numbers: tuple[str, ...]


def words(profile: Profile, mail: InboundMail) -> Words:
    """The slow part of reading, which needs nothing but the letter: to be done before a transaction begins."""
    subject, body = readable(mail.subject), unquoted(readable(mail.text), profile.separators)
    in_subject = numbers_in(profile, subject) if "subject" in profile.numbers_in else ()
    in_body = numbers_in(profile, body) if "body" in profile.numbers_in else ()
    first, second = (in_subject, in_body) if profile.numbers_in[:1] != ("body",) else (in_body, in_subject)
    return Words(subject, body, in_subject, tuple(dict.fromkeys((*first, *second)))[:MAX_NUMBERS])


def numbers_in(profile: Profile, text: str) -> tuple[str, ...]:
    """Every number of this ITSM in `text` as it is shown, each once, at most twenty."""
    found: dict[str, None] = {}
    for pattern in profile.numbers:
        for match in pattern.finds(text):
            group = next((group for group in match.groups if group), "")
            if group:
                found.setdefault(profile.show_number(group))
            if len(found) >= MAX_NUMBERS:
                return tuple(found)
    return tuple(found)


def numbers(profile: Profile, mail: InboundMail) -> tuple[str, ...]:
    """Every number of this ITSM in the letter, as `Words` has them."""
    return words(profile, mail).numbers


def read(
    profile: Profile, mail: InboundMail, *, tz: ZoneInfo, sent: Sequence[str] = (), looked: Words | None = None
) -> StatusReport | None:
    """What `mail` says by `profile`'s habits; `sent`: subjects and texts of our own letters for this ticket; `looked`: its
    `words`, where they are known already. Moments that bear no zone are in `tz`. None: it holds no status, no number and
    no value that the profile knows. A status of None: it is one of the ITSM's letters, but moves nothing. Linear in the
    letter; never raises."""
    looked = looked or words(profile, mail)
    ours = our_words(sent)
    masked = replace(looked, subject=without_ours(looked.subject, ours), body=without_ours(looked.body, ours))
    anchor = _anchor(profile, masked.subject, masked.body)
    status = anchor.status if anchor else None
    fields = _lifted(profile, looked, masked, status, tz)
    if anchor is None and not looked.numbers and not fields:
        return None
    return StatusReport(profile.name, status, looked.numbers[0] if looked.numbers else "", fields, mail.date)


def _anchor(profile: Profile, subject: str, body: str) -> Anchor | None:
    """The first anchor, in the profile's order, that the subject bears; only then the body is asked."""
    for place, text in (("subject", subject), ("body", body)):
        for anchor in profile.anchors:
            if anchor.where in (place, "any") and _holds(anchor, text):
                return anchor
    return None


def _holds(anchor: Anchor, text: str) -> bool:
    return any(pattern.matches(text) for pattern in anchor.any) and not any(
        pattern.matches(text) for pattern in anchor.unless
    )


def _lifted(profile: Profile, whole: Words, masked: Words, status: Status | None, tz: ZoneInfo) -> dict[str, str]:
    """A label must stand in what is not ours; its value is taken as it was written."""
    fields: dict[str, str] = {}
    for lift in profile.lifts:
        if lift.name in fields or (lift.statuses and status not in lift.statuses):
            continue
        in_subject = lift.where == "subject"
        texts = (masked.subject, whole.subject) if in_subject else (masked.body, whole.body)
        value = _value(lift, *texts)
        if lift.kind == "datetime":
            value = _moment(value, lift.formats, tz)
        if value:
            fields[lift.name] = value
    return fields


def _value(lift: Lift, masked: str, whole: str) -> str:
    found = lift.pattern.first(masked)
    if found is None:
        return ""
    if lift.pattern.groups and found.spans[0][0] >= 0:
        start, end = found.spans[0]
    else:
        start, end = found.end, _end_of_value(lift, whole, found.end)
    value = whole[start:end][:MAX_VALUE]
    for pattern in lift.drop:
        for match in reversed(list(pattern.finds(value))):
            value = value[: match.start] + value[match.end :]
    return value.strip(" \t\r\n\"'«»") if lift.kind == "datetime" else value.strip()


def _end_of_value(lift: Lift, text: str, start: int) -> int:
    ends = [found.start for pattern in lift.until if (found := pattern.first(text, start)) is not None]
    if lift.until:
        return min(ends, default=len(text))
    line = text.find("\n", start)
    return len(text) if line < 0 else line


def _moment(value: str, formats: Sequence[str], tz: ZoneInfo) -> str:
    """ISO 8601 with an offset, or "" where no format fits. Words behind the moment ("МСК") are forgiven."""
    words = value.split()
    for length in range(min(len(words), 5), 0, -1):
        for form in formats:
            try:
                moment = datetime.strptime(" ".join(words[:length]).rstrip(".,;"), form)
            except ValueError:
                continue
            return (moment if moment.tzinfo else moment.replace(tzinfo=tz)).isoformat()
    return ""


def comment_text(profile: Profile, mail: InboundMail, sent: Sequence[str] = ()) -> str:
    """What support wrote, for people: quoted letters, signatures and lines of ours trimmed. For display only."""
    whole = readable(mail.text)
    text = unquoted(whole, profile.separators, signature=True)
    if sent:
        masked = without_ours(text, our_words(sent)).split("\n")
        lines = text.split("\n")
        text = "\n".join(
            line for line, rest in zip(lines, masked, strict=True) if rest.strip(" .,:;!?«»\"'()—-") or not line.strip()
        )
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return text or whole.strip()


# What binds a letter to a ticket


_TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # noqa: S105 - the alphabet of base32
_TOKEN = re.compile(
    r"(?i)imb:[ \t]{0,3}(?:\r?\n[> \t]{0,20})?((?:[a-z2-7](?:[ \t]{0,3}\r?\n[> \t]{0,20})?){9}[a-z2-7])(?![a-z0-9])"
)
_PLUS = re.compile(r"(?i)^[^+@\s]{1,64}\+(?:imb[-.:]?)?([a-z2-7]{10})@")


def find_tokens(mail: InboundMail) -> tuple[str, ...]:
    """Every token (`imb:` and ten characters) that the letter bears, each once: in the subject, in the text, in the HTML,
    wrapped by a line break or not, and as a plus-address in To, Cc, Delivered-To and their kin."""
    places = [mail.subject, mail.text[:500_000], _without_tags(mail.html[:500_000])]
    found = [re.sub(r"[^a-z2-7]", "", match.lower()) for place in places for match in _TOKEN.findall(place)]
    addresses = [*mail.to, *mail.cc]
    for name in ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"):
        for value in mail.header(name):
            addresses += [address for _, address in parse_addresses(value)]
    found += [match.group(1).lower() for address in addresses if (match := _PLUS.match(address))]
    return tuple(dict.fromkeys(f"imb:{token.upper()}" for token in found))


def _without_tags(html: str) -> str:
    """Inline tags vanish, so that `7KQ2<wbr>MXPA4T` is whole again."""
    if "imb" not in html.lower():
        return ""
    pieces = html.split("<")
    return pieces[0] + "".join(piece.partition(">")[2] for piece in pieces[1:])


def choose(profiles: Sequence[Profile], mail: InboundMail) -> tuple[Profile | None, list[str]]:
    """The profile that `mail` is read by: its sender first, then the headers' fingerprint, its number or words last. The
    list says of each profile why it was passed over or taken."""
    why: list[str] = []
    profiles = sorted(profiles, key=lambda profile: profile.name.startswith("generic-"))  # they fit nearly everything
    by_sender = [profile for profile in profiles if sender_matches(profile.senders, mail.sender)]
    candidates = by_sender or list(profiles)
    marked = [profile for profile in candidates if _fingerprint(profile, mail)]
    if len(by_sender) == 1:
        chosen, reason = by_sender[0], f"{mail.sender} is one of its senders"
    elif marked:
        chosen, reason = marked[0], f"the header {_fingerprint(marked[0], mail)} is its fingerprint"
    else:
        known = [profile for profile in candidates if _numbered(profile, mail)]
        known = known or [profile for profile in candidates if _speaks(profile, mail)]
        if not known and not by_sender:
            return None, [
                f"{profile.name}: no sender, no fingerprint, no number or words of it" for profile in profiles
            ]
        chosen = known[0] if known else by_sender[0]
        reason = "its number or words are in the letter" if known else f"{mail.sender} is one of its senders"
    for profile in profiles:
        if profile is chosen:
            why.append(f"{profile.name}: taken, {reason}")
        elif by_sender and profile not in by_sender:
            why.append(f"{profile.name}: passed over, {mail.sender} is none of its senders")
        else:
            why.append(f"{profile.name}: passed over, {chosen.name} fits better ({reason})")
    return chosen, why


def _fingerprint(profile: Profile, mail: InboundMail) -> str:
    for mark in profile.fingerprints:
        if any(mark.pattern is None or mark.pattern.matches(value) for value in mail.header(mark.header)):
            return mark.header
    return ""


def _numbered(profile: Profile, mail: InboundMail) -> bool:
    subject = readable(mail.subject)
    return any(pattern.matches(subject) for pattern in profile.numbers)


def _speaks(profile: Profile, mail: InboundMail) -> bool:
    subject = readable(mail.subject)
    return _anchor(profile, subject, unquoted(readable(mail.text), profile.separators)) is not None


# `imbot mail read`


def mail_summary(
    file: str, mail: InboundMail | None, report: StatusReport | None, reason: str = ""
) -> Mapping[str, Any]:
    """One letter as plain JSON. `mail` None: it was refused, for `reason`."""
    if mail is None:
        return {
            "file": file, "outcome": "refused", "reason": reason, "message_id": "", "subject": "", "from": "",
            "date": None, "text": "", "attachments": [], "automatic": False, "report": None,
        }  # fmt: skip
    return {
        "file": file,
        "outcome": "parsed",
        "reason": reason,
        "message_id": mail.message_id,
        "subject": mail.subject,
        "from": _as_written(mail),
        "date": mail.date.isoformat() if mail.date else None,
        "text": mail.text,
        "attachments": [{"name": part.name, "size": part.size, "sha256": part.sha256} for part in mail.attachments],
        "automatic": mail.automatic,
        "report": None
        if report is None
        else {
            "profile": report.profile,
            "status": report.status.value if report.status else None,
            "number": report.number,
            "fields": dict(report.fields),
        },
    }


def _as_written(mail: InboundMail) -> str:
    """The sender's address in the case of the letter."""
    for value in (*mail.header("From"), *mail.header("Sender")):
        for _, address in parse_addresses(value):
            if address.lower() == mail.sender:
                return address
    return mail.sender
