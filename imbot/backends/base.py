"""What every backend is asked and answers: the view of a ticket that a letter is made from, and how it is to be sent.

Data only. A backend composes letters (`compose`) and understands what comes back (`read`); `imbot.backends.mail` does both
for every ITSM that is reached by mail, following a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from imbot.domain.letters import Attachment


class LetterKind(StrEnum):
    """What a letter to the ITSM is for. A resent letter is composed like the first one, with another `Sending.date`."""

    TICKET = "ticket"
    FILES = "files"  # further files of a request whose letter was too large
    ADDITION = "addition"
    COMPLAINT = "complaint"
    NOT_SOLVED = "not_solved"
    WITHDRAWAL = "withdrawal"


class FromMode(StrEnum):
    """Whose address a letter bears: `bot` (the watched mailbox), `plus` (the same, with a plus-address as Reply-To),
    `employee` (From is the requester; needs a rule at the ITSM that copies its status letters to the bot)."""

    BOT = "bot"
    PLUS = "plus"
    EMPLOYEE = "employee"


@dataclass(frozen=True, slots=True)
class TicketView:
    """What a letter may say about a ticket. Plain text throughout; `number` is as the ITSM shows it ("" before it registers),
    `tag` as it writes it in its subjects, `watermark` the last mark that it wants back at the end of an answer's text.

    `token` is `imb:` and ten characters. `person_address` is the verified one; `contacts` (`phone`, `mail`) are what the
    person gave for this ticket. `stars`: their rating, where there is one. `files`: (name, caption) of this letter's files;
    `refused_files`: (name, reason in words). `thread`: the Message-ID to answer, `references` the chain before it, oldest
    first. `text`: the words of a follow-up. `attributes`: every attribute that the directory gave, by name.
    """

    ticket_id: str
    token: str
    title: str
    created_at: datetime
    category: str = ""
    subcategory: str = ""
    description: str = ""
    person_name: str = ""
    person_department: str = ""
    person_address: str = ""
    location: str = ""
    contacts: Mapping[str, str] = field(default_factory=dict)
    channel: str = "Telegram"
    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    refused_files: tuple[tuple[str, str], ...] = ()
    number: str = ""
    tag: str = ""
    watermark: str = ""
    previous: str = ""  # number or title of the ticket that this one goes on from
    thread: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    stars: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    unverified_since: datetime | None = None  # the directory could not be asked since then


@dataclass(frozen=True, slots=True)
class Sending:
    """How a letter goes out. `sender` is the bot's watched mailbox, `to` the intake mailbox; `complaints_to` receives
    complaints instead of the thread where it is given. `message_id` is minted once by the caller and kept through every try."""

    message_id: str
    date: datetime
    sender: str
    to: str
    sender_name: str = ""
    mode: FromMode = FromMode.BOT
    complaints_to: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Belief:
    """Whether a letter's origin is believed. `evidence` names the kind that held or was asked for,
    `reason` says in words what was found. `signed`: lower-case names of the fields that belief covers; whoever sent the letter
    on may have written any other. None: all of them."""

    ok: bool
    evidence: str
    reason: str
    signed: frozenset[str] | None = None

    def covers(self, field: str) -> bool:
        """Whether the header field `field` is the sender's own where the letter is believed."""
        return self.signed is None or field.lower() in self.signed


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report that a letter of ours was not delivered. `action` is RFC 3464's (`failed`, `delayed`, ...; `failed` where
    the report does not say), `status` its code (`5.1.1`) or "", `words` the far end's own explanation. `formal`: by the
    standard, or from a mail system's own address; else a letter whose words sound like one."""

    message_ids: tuple[str, ...]
    action: str
    status: str
    words: str
    formal: bool = True
