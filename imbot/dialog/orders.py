"""What a turn wants done inside its transaction. Services carry orders out; an order that asks something is answered by
a `Happened`, which goes into `advance` again in the same transaction. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imbot.domain.chats import FileRef


@dataclass(frozen=True, slots=True)
class LookUp:
    """A code is wanted for this address. -> `looked_up {allowed, until}`; `allowed` says nothing about existence."""

    address: str


@dataclass(frozen=True, slots=True)
class CheckCode:
    """-> `code_checked {result: ok|wrong|expired|none|limited, left, name, until}`."""

    text: str


@dataclass(frozen=True, slots=True)
class RedeemToken:
    """A deep link or an invitation. -> `token_checked {result: ok|other_chat|expired|unknown, name}`."""

    token: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """-> `unlinked {}`."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The person agreed to this version of the consent text."""

    version: str


@dataclass(frozen=True, slots=True)
class SetLanguage:
    lang: str


@dataclass(frozen=True, slots=True)
class KeepFile:
    """A file joined the draft or addition `ticket_id`. `fate`: wanted or refused; `reason`: "", too_large, type, too_many.
    The same `unique_id` under one `ticket_id` comes once only."""

    ticket_id: str
    file: FileRef
    caption: str = ""
    message_id: str = ""
    album: str = ""
    fate: str = "wanted"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DropFile:
    ticket_id: str
    unique_id: str


@dataclass(frozen=True, slots=True)
class DropDraft:
    """Every file kept under this id is no longer wanted."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class EditCaption:
    ticket_id: str
    message_id: str
    caption: str


@dataclass(frozen=True, slots=True)
class FetchFiles:
    """Start the downloads of what was kept under this id before sign-in. Idempotent."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """A finished draft. Labels and title are in the company's language. Keys are "" for "other / I don't know".
    -> `opened {ticket}` or `not_opened {reason: gone|one_open, ticket}`. The receipt is put by whoever carries it out."""

    ticket_id: str
    category_key: str
    category: str
    subcategory_key: str
    subcategory: str
    backend: str
    location_key: str
    location: str
    description: str
    contacts: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    title: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True)
class AddToTicket:
    """Words and the files kept under `files_id` go into the thread. -> `added {ticket, waits}` or `not_found {}`."""

    ticket_id: str
    text: str
    files_id: str = ""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """-> `withdrawn_asked {ticket values}` or `not_found {}`."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class ResendTicket:
    """-> `resent {ticket values}`, `not_failed {ticket values, handover, asked}` or `not_found {}`."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class Rate:
    """`stars` None: no rating. -> `rated {ticket, title, stars}`, `not_ratable {...}` or `not_found {}`."""

    ticket_id: str
    stars: int | None


@dataclass(frozen=True, slots=True)
class Complain:
    """Words, and the files kept under `files_id`. -> `complained {ticket values}` or `not_found {}`."""

    ticket_id: str
    text: str
    files_id: str = ""


@dataclass(frozen=True, slots=True)
class NotSolved:
    """Words, and the files kept under `files_id`. -> `reopen_asked {ticket, title, number, reason, until}` or
    `not_found {}`."""

    ticket_id: str
    reason: str
    files_id: str = ""


@dataclass(frozen=True, slots=True)
class ListTickets:
    """`page` counts from 0. -> `tickets {page, pages, tickets: [{id, title, number, status, created_at}]}`."""

    page: int


@dataclass(frozen=True, slots=True)
class ShowTicket:
    """-> `ticket {id, title, number, status, ...}` (see `dialog.tickets.details_screen`) or `not_found {}`."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class ShowMore:
    """A page (from 0) of a letter of support that a notice did not show as a whole; with `mail_id` 0 of all that they said
    about the ticket. -> `more {ticket values, text, page,
    pages, mail, at, gone, pictures}` or `not_found {}`."""

    ticket_id: str
    mail_id: int
    page: int = 0


@dataclass(frozen=True, slots=True)
class Decide:
    """An admin says what becomes of a request that support has not confirmed: `what` is again, leave or go. `listed`: the
    next question is wanted in its place. -> `decided {}`, `question {...}`, `no_questions {}` or `not_found {}`."""

    ticket_id: str
    what: str
    listed: bool = False


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """-> `question {...}` (see `dialog.admin.question_screen`), `no_questions {}` or `not_found {}`."""


@dataclass(frozen=True, slots=True)
class LookAround:
    """How mailbox, mail server, directory ... are; `check`: after trying them. The answer comes by itself.
    -> `looking {check}` or `not_found {}`."""

    check: bool = False


Order = (
    LookUp
    | CheckCode
    | RedeemToken
    | Unlink
    | Consent
    | SetLanguage
    | KeepFile
    | DropFile
    | DropDraft
    | EditCaption
    | FetchFiles
    | OpenTicket
    | AddToTicket
    | Withdraw
    | ResendTicket
    | Rate
    | Complain
    | NotSolved
    | ListTickets
    | ShowTicket
    | ShowMore
    | Decide
    | NextQuestion
    | LookAround
)
