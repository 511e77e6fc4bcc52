"""Which ticket a believed letter is about, by the strongest evidence that it bears.

Our Message-ID, a plus-address, our token, a number that this ITSM gave; last, for a registration letter only, the one
request of the person it names that waits for a number, where nobody else's letter names them too, where the letter was
written to us, and in no other conversation. Evidence that disagrees binds nothing, and a number alone gives nobody access:
the ITSM must have given it to that ticket; and who is bound by a number learns no other one from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.base import FromMode
from imbot.backends.own_words import MOST_OURS
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status, Ticket
from imbot.mime.echoes import figure_of
from imbot.services.env import Backend
from imbot.store import letters, people, tickets, told

_UTC = ZoneInfo("UTC")
MOST_ADDRESSES = 10  # that a registration may name; it says whose request it is, and is no list of people
_MOST_WAITING = 50  # requests of those whom it names
_MOST_TOLD = 2000  # addresses in letters about requests that wait for a number
_MOST_READ = 30  # letters that bear the figures of a number


@dataclass(frozen=True, slots=True)
class Tried:
    """One kind of evidence that was looked at: `kind` (Message-ID, token, number, inference) and what it gave, in words."""

    kind: str
    found: str


@dataclass(frozen=True, slots=True)
class Binding:
    """Which ticket a letter is about, and by what `evidence`. `ticket` None: `reason` says why not. `tried`: every kind of
    evidence that was looked at, in order."""

    ticket: Ticket | None
    evidence: str = ""
    reason: str = ""
    tried: tuple[Tried, ...] = ()
    teaches: bool = False  # what binds it is more than a number: another number in it is the ticket's as well


@dataclass(slots=True)
class _Search:
    """A search under way."""

    c: Connection
    mail: InboundMail
    backend: Backend
    words: habits.Words
    tokens: Sequence[str]
    addresses: Sequence[str]
    signed: frozenset[str] | None
    tried: list[Tried] = field(default_factory=list)

    def note(self, kind: str, found: str) -> None:
        self.tried.append(Tried(kind, found))

    def to(self, ticket: Ticket, evidence: str, *, teaches: bool = True) -> Binding:
        return Binding(ticket, evidence, "", tuple(self.tried), teaches)

    def nowhere(self, reason: str) -> Binding:
        return Binding(None, "", reason, tuple(self.tried))


def bind(
    c: Connection,
    mail: InboundMail,
    backend: Backend,
    words: habits.Words,
    tokens: Sequence[str] = (),
    addresses: Sequence[str] = (),
    signed: frozenset[str] | None = None,
) -> Binding:
    """`tokens`: those that the letter bears; `addresses`: those that its text names; `signed`: the fields that its sender vouches
    for (None: all). Reads only."""
    search = _Search(c, mail, backend, words, tokens, addresses, signed)
    by_id, elsewhere = _by_message_id(search)
    by_token, foreign = _by_token(search)
    found = {ticket.id: ticket for ticket in (*by_id, *by_token)}
    if len(found) > 1:
        return search.nowhere("it points to several requests at once: its thread and its token name different ones")
    if foreign:
        return search.nowhere(f"the request of its token was sent to {foreign.backend}, not to {backend.name}")
    if found:
        ticket = next(iter(found.values()))
        return search.to(ticket, "our Message-ID" if by_id else f"our token {ticket.token}")
    if elsewhere:
        return search.nowhere(f"it answers a letter that was sent to {elsewhere.backend}, not to {backend.name}")
    return _by_number(search)


def _by_message_id(search: _Search) -> tuple[list[Ticket], Ticket | None]:
    """The tickets whose letters it answers, and one of another backend's that it does."""
    named = [*search.mail.in_reply_to, *search.mail.references]
    known = letters.by_message_ids(search.c, named)
    ours = [ticket for ticket in known if ticket.backend == search.backend.name]
    elsewhere = next((ticket for ticket in known if ticket not in ours), None)
    if ours:
        search.note("Message-ID", f"it answers a letter of {_named(ours)}")
    elif elsewhere:
        search.note("Message-ID", f"it answers a letter that was sent to {elsewhere.backend}")
    else:
        search.note("Message-ID", "the letter that it answers is none of ours" if named else "it answers no letter")
    return ours, elsewhere


def _by_token(search: _Search) -> tuple[list[Ticket], Ticket | None]:
    """The tickets of this backend whose tokens it bears, and one of another backend's."""
    known = [ticket for token in search.tokens if (ticket := tickets.by_token(search.c, token)) is not None]
    foreign = next((ticket for ticket in known if ticket.backend != search.backend.name), None)
    if known:
        search.note("token", f"it bears the token of {_named(known)}")
    else:
        search.note("token", f"{search.tokens[0]} is no token of ours" if search.tokens else "it bears no token")
    return known, foreign


def _by_number(search: _Search) -> Binding:
    """The subject's numbers are the far end's own; those of a text may be an echo of what somebody once told us, and count
    only where the subject bears none."""
    c, backend, words = search.c, search.backend, search.words
    numbers = words.in_subject or words.numbers
    known = {t.id: t for number in numbers if (t := tickets.by_number(c, backend.name, number)) is not None}
    if not known:
        search.note(
            "number", f"{backend.name} gave {numbers[0]} to none of our requests" if numbers else "it bears none"
        )
        return _by_inference(search, numbers)
    search.note("number", f"{backend.name} gave it to {_named(list(known.values()))}")
    if len(known) > 1:
        return search.nowhere("it bears numbers of several requests")
    ticket = next(iter(known.values()))
    if words.against:
        return search.nowhere(f"its headers name {words.in_subject[0]}, its subject {words.against}")
    beside = _beside(search, ticket)
    if beside:
        return search.nowhere(f"its subject bears {beside} beside {ticket.number}, and may be about that")
    if not words.in_subject:
        others = [n for n in numbers if tickets.by_number(c, backend.name, n) is None]
        if others or any(_told_elsewhere(search, ticket, n) for n in numbers):
            return search.nowhere(f"number {ticket.number} stands in its text only, and may be an echo")
    return search.to(ticket, f"number {ticket.number}, given by {backend.name}", teaches=False)


def _beside(search: _Search, ticket: Ticket) -> str:
    """A number of the subject that is not this ticket's and that no letter of ours about it has brought up."""
    own = tickets.numbers_of(search.c, ticket.id)
    if all(number in own for number in search.words.in_subject):
        return ""
    said, whole = told.said(search.c, ticket.id, MOST_OURS)
    words = habits.given(search.backend.profile, search.words, habits.ours_of(said, whole=whole), own)
    return next((number for number in words.in_subject if number not in own), "")


def _told_elsewhere(search: _Search, ticket: Ticket, number: str) -> bool:
    """Whether this number is read, by the profile's own reading, in a letter of ours about another ticket, whole or as the
    beginning of a longer one: its return proves nothing. So it is of one without figures, which cannot be looked up, and
    of one whose figures stand in too many letters."""
    figure = figure_of(number)
    if not figure:
        return True
    found = told.bearing(search.c, figure, ticket.id, _MOST_READ)
    return len(found) == _MOST_READ or any(
        figure_of(one).startswith(figure)
        for shapes in found
        for one in habits.numbers_told(search.backend.profile, (shape for part in shapes for shape in part))
    )


def _by_inference(search: _Search, numbers: Sequence[str]) -> Binding:
    """For a registration letter only: whoever it names has exactly one request that waits for a number."""
    backend = search.backend
    report = habits.read(backend.profile, search.mail, tz=_UTC, looked=search.words)
    if report is None or report.status is not Status.REGISTERED or not report.number:
        search.note("inference", "only a registration letter with a number is asked whom it names")
        return search.nowhere(_unknown(search, numbers))
    stranger = _not_for_us(search)
    if stranger:
        search.note("inference", stranger)
        return search.nowhere(f"number {report.number} is new, and nothing says whose request it is: {stranger}")
    waiting = {ticket.id: ticket for ticket in _waiting(search)}
    if len(waiting) == 1:
        ticket = next(iter(waiting.values()))
        search.note("inference", f"it names a person whose only waiting request is {_named([ticket])}")
        return search.to(ticket, "inference: the only request of its requester that waits for a number")
    many = f"{len(waiting)} requests that wait for a number" if waiting else "nobody whose request waits for a number"
    search.note("inference", f"it names {many}")
    return search.nowhere(f"number {report.number} is new, and nothing says whose request it is: it names {many}")


def _not_for_us(search: _Search) -> str:
    """Why whom it names says nothing: the far end may have written to somebody about something else, and they sent it on."""
    if search.mail.in_reply_to or search.mail.references:
        return "it goes on with a conversation that is none of ours"
    fields = (("to", search.mail.to), ("cc", search.mail.cc))
    to = {address for name, found in fields if search.signed is None or name in search.signed for address in found}
    local, _, domain = search.backend.sender.lower().rpartition("@")
    ours = any(
        address.rpartition("@")[2] == domain and address.partition("@")[0].partition("+")[0] == local for address in to
    )
    theirs = search.backend.mode is FromMode.EMPLOYEE and to and to <= set(search.addresses)
    if not (ours or theirs):
        return f"it was not written to {search.backend.sender}"
    return ""


def _waiting(search: _Search) -> list[Ticket]:
    """The requests of the persons named that wait for a number. None of a person whose address stands in somebody else's
    letter: the far end may be repeating what they wrote, and it names nobody."""
    c, backend, addresses = search.c, search.backend.name, search.addresses
    if len(addresses) > MOST_ADDRESSES:
        search.note("inference", f"it names more than {MOST_ADDRESSES} addresses, and so nobody")
        return []
    found = tickets.unregistered_of_addresses(c, backend, addresses, _MOST_WAITING) if addresses else []
    if not found:
        return []
    owners = {ticket.person_id for _, ticket in found}
    for address in addresses:
        other = people.person_by_address(c, address)
        if other is not None and other.id not in owners:
            search.note("inference", f"it names {address} as well, who has no request that waits")
            return []
    said = told.addresses_of_waiting(c, backend, _MOST_TOLD)
    if len(said) == _MOST_TOLD:  # one that was not looked at may bear the address
        search.note("inference", "too many requests wait for a number: whose it is cannot be told from an address")
        return []
    echoes = {
        address
        for address, ticket in found
        if any(address in words for person_id, words in said if person_id != ticket.person_id)
    }
    for address in sorted(echoes):
        search.note("inference", f"{address} stands in a letter of ours for somebody else, and may be an echo")
    return [ticket for address, ticket in found if address not in echoes]


def _unknown(search: _Search, numbers: Sequence[str]) -> str:
    """Why nothing that it bears says which request it is about: what comes nearest first."""
    said = []
    if numbers:
        said.append(f"number {numbers[0]} is none that {search.backend.name} gave to a request of ours")
    if search.tokens:
        said.append(f"{search.tokens[0]} is no token of ours")
    if search.mail.in_reply_to or search.mail.references:
        said.append("the letter that it answers is none of ours")
    return ", and ".join(said) or "it bears no number, no token of ours, and answers no letter of ours"


def _named(found: Sequence[Ticket]) -> str:
    return ", ".join(ticket.number or f"«{ticket.title[:60]}»" for ticket in list(found)[:3])
