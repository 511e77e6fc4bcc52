"""Every ITSM that is reached by mail, in one place: the words of `backends` that services and commands use. Pure.

Which profile a letter is read by is `choosing`, what it says `understanding`, what we write `composing`, whether it is from
whom it says `evidence`, reports of failed deliveries `bounces`. Here: what a letter is to people and to a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imbot.backends.choosing import Candidate, Choice, Test, candidates, choose, consider
from imbot.backends.composing import compose, safe_subject_words
from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.gifts import given, numbers_told, of_these, sole
from imbot.backends.own_words import Ours, Sent, our_words, ours_of, without_ours
from imbot.backends.profile import Profile
from imbot.backends.standing import without_card
from imbot.backends.tokens import find_tokens
from imbot.backends.trimming import Trimmed, trimmed
from imbot.backends.understanding import Reading, Words, numbers, numbers_in, read, understand, words
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import StatusReport
from imbot.mime import parse_addresses
from imbot.mime.tidying import readable

__all__ = [
    "Candidate",
    "Choice",
    "EvidenceSettings",
    "Ours",
    "Reading",
    "Test",
    "Trimmed",
    "Words",
    "believes",
    "candidates",
    "choose",
    "comment_text",
    "compose",
    "consider",
    "find_tokens",
    "given",
    "mail_summary",
    "numbers",
    "numbers_in",
    "numbers_told",
    "of_these",
    "ours_of",
    "read",
    "safe_subject_words",
    "sole",
    "trimmed",
    "understand",
    "words",
]


def comment_text(profile: Profile, mail: InboundMail, sent: Sent = ()) -> str:
    """What support wrote, for people: quoted letters, signatures and lines of ours trimmed. For display only."""
    whole = readable(mail.text)
    text = trimmed(whole, profile.separators).shown
    if sent:
        masked = without_ours(text, our_words(sent)).split("\n")
        lines = text.split("\n")
        text = "\n".join(
            line for line, rest in zip(lines, masked, strict=True) if rest.strip(" .,:;!?«»\"'()—-") or not line.strip()
        )
    return without_card(profile, text) or whole.strip()


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
