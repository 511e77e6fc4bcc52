"""Headers that a desk's program writes on every letter, and no other desk's: its fingerprint. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imbot.domain.letters import InboundMail

MOST = 2
# Written by mail servers on the way, by scanners and by mail programs of people.
_OF_SERVERS = re.compile(
    r"(?i)^x-(?:ms|exchange|microsoft|forefront|originat|original|envelope|received|spam|virus|google|gm|yandex|mailru|mras|7564"
    r"|kse|kaspersky|kms|dr|clam|amavis|greylist|scanned|priority|msmail|mime|tnef|auto|loop|precedence|sender|return|delivered"
    r"|forwarded|provags|proofpoint|mimecast|barracuda|sg|mailgun|ses|authenti|arc|pm|ovh|report|abuse|complaints)"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """`value`: what the header says in every sample, "" where the name alone says whose it is."""

    header: str
    value: str


def learn_marks(samples: Sequence[InboundMail], others: Sequence[InboundMail]) -> list[Mark]:
    """Headers of all samples and of none of `others`, two at most; `X-Mailer` and its kin with the name of the program."""
    common = {name.lower(): name for name, _ in samples[0].headers}
    for mail in samples[1:]:
        names = {name.lower() for name, _ in mail.headers}
        common = {key: name for key, name in common.items() if key in names}
    found: list[Mark] = []
    for key, name in common.items():
        if not key.startswith("x-") or _OF_SERVERS.match(key):
            continue
        if not any(mail.header(name) for mail in others):
            found.append(Mark(name, ""))
        elif (value := _program([mail.header(name)[0] for mail in samples])) and not any(
            value.casefold() in said.casefold() for mail in others for said in mail.header(name)
        ):
            found.append(Mark(name, value))
    return found[:MOST]


def _program(values: Sequence[str]) -> str:
    """`OurDesk Mailer 7.1` -> `OurDesk Mailer`, where all say the same."""
    names = {match[0].strip() for value in values if (match := re.match(r"[^\W\d_][^\d(]{2,40}", value))}
    return names.pop() if len(names) == 1 else ""
