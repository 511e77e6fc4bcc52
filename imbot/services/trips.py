"""Round trips of `imbot doctor`: the service, which reads the same mailbox, knows what answers one, and troubles nobody with it.

begun (before its letter goes) -> a believed letter that no ticket has bears its token, its Message-ID or the number
that it was given -> noted
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from imbot.domain.letters import InboundMail
from imbot.store import facts

_FACT, _PROVEN = "round_trip:", "proven:"


def begin(c: Connection, token: str, message_id: str, now: datetime) -> None:
    """A request with this token and Message-ID is about to be filed."""
    for name in (token.lower(), message_id):
        facts.set_fact(c, f"{_FACT}{name}", token, now)


def answered_by(
    c: Connection, mail: InboundMail, tokens: Sequence[str], numbers: Sequence[str], backend: str, now: datetime
) -> str:
    """The token of the round trip that a believed letter is about, "" where there is none. Its number is known from then on; a
    letter of several numbers may be about others' requests, and is known by none of them."""
    named = [f"{backend}:{number}" for number in numbers] if len(numbers) == 1 else []
    for name in (*(token.lower() for token in tokens), *mail.in_reply_to, *mail.references, *named):
        if token := facts.fact(c, f"{_FACT}{name}"):
            for number in named:
                facts.set_fact(c, f"{_FACT}{number}", token, now)
            return token
    return ""


def prove(c: Connection, backend: str, evidence: str, now: datetime) -> None:
    """The answer of one was believed by the evidence that the settings ask for, in their words."""
    facts.set_fact(c, f"{_PROVEN}{backend}", evidence, now)


def has_proven(c: Connection, backend: str, evidence: str) -> bool:
    """Whether that holds of this very evidence."""
    return facts.fact(c, f"{_PROVEN}{backend}") == evidence
