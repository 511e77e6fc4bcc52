"""What one turn may know and what it decides: the two ends of `dialog.turn.advance`. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from imbot.dialog.orders import Order
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.domain.forms import Catalogue, Locations
from imbot.domain.people import Person

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DialogSettings:
    """`support_contact`: a phone or words, "" where there is none. `refused_types`: file name extensions in lower case,
    without the dot. `max_text`: characters of a description. `language`: in which labels go to the ITSM, "" = the chat's.
    `domains_hint`: the usual ending of a work address, shown as an example; `domains`: all of them, where they are known."""

    support_contact: str = ""
    page_size: int = 5
    one_open_ticket: bool = False
    consent: bool = False
    consent_version: str = "1"
    max_file_bytes: int = 20 * MEGABYTE
    refused_types: frozenset[str] = frozenset()
    max_files: int = 30
    max_text: int = 10_000
    domains_hint: str = ""
    domains: tuple[str, ...] = ()
    language: str = ""
    languages: tuple[str, ...] = ("ru", "en")

    @property
    def limits(self) -> dict[str, int]:
        """What words about a refused file or text may name: values of every screen that bears a `problem`."""
        return {"max_bytes": self.max_file_bytes, "max_files": self.max_files, "max_text": self.max_text}


@dataclass(frozen=True, slots=True)
class TicketBrief:
    """`asked`: what support was asked for and has not confirmed, such as "reopen"."""

    id: str
    title: str
    number: str
    status: str
    created_at: datetime
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a turn may know. `person`: linked and not gone, else None. `open_tickets`: newest first, at most 10.
    `recent_tickets`: resolved within a day, newest first. `last_location`: (key, text) of the last ticket. `fresh_id`,
    `fresh_token`: random, used if this turn needs one.
    `screen`: what is owed or shown in this chat, `screen_id`: its message if shown. `replied_ticket`: the ticket whose
    notice or receipt the person replied to. `late_news`: the mailbox has not been read for long."""

    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    lang: str = "ru"
    person: Person | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    locations: Locations = field(default_factory=Locations)
    settings: DialogSettings = field(default_factory=DialogSettings)
    open_tickets: tuple[TicketBrief, ...] = ()
    recent_tickets: tuple[TicketBrief, ...] = ()
    last_location: tuple[str, str] | None = None
    consented: bool = False
    fresh_id: str = ""
    fresh_token: str = ""
    screen: Screen | None = None
    screen_id: str = ""
    replied_ticket: str = ""
    late_news: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn decided. `screen` None: show nothing new. `edit`: the screen may replace the one that was pressed."""

    session: Session
    screen: Screen | None = None
    orders: tuple[Order, ...] = ()
    edit: bool = False
