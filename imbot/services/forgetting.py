"""Letters that nobody bound to a ticket, when a person is erased: which of them are demonstrably about that person's tickets,
and which only bear the address, and so may be somebody else's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.evidence import sender_matches
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Ticket
from imbot.services.env import Env
from imbot.store import letters, people, tickets


@dataclass(frozen=True, slots=True)
class Sorted:
    """Ids of letters: `theirs` go with the person, `named` are for an admin to look at."""

    theirs: tuple[int, ...] = ()
    named: tuple[int, ...] = ()


def sort(
    c: Connection,
    person_id: int,
    read: Sequence[tuple[int, InboundMail]],
    unread: Sequence[tuple[int, bytes]],
    env: Env,
) -> Sorted:
    """`unread`: those that could not be read, as they came. Reads only."""
    person = people.person(c, person_id)
    address = person.address.lower() if person else ""
    theirs, named = [], []
    for id, mail in read:
        owners = {ticket.person_id for ticket in _tickets_of(c, mail, env)}
        if owners == {person_id}:
            theirs.append(id)
        elif person_id in owners or (address and _bears(mail, address)):
            named.append(id)
    named += [id for id, raw in unread if address and address.encode() in raw.lower()]
    return Sorted(tuple(theirs), tuple(named))


def _tickets_of(c: Connection, mail: InboundMail, env: Env) -> Iterator[Ticket]:
    """By a token, by a Message-ID of ours, by a number that its sender's helpdesk gave; believed or not."""
    for token in habits.find_tokens(mail):
        if ticket := tickets.by_token(c, token):
            yield ticket
    named = (mail.message_id, *mail.in_reply_to, *mail.references, *mail.original_message_ids)
    yield from letters.by_message_ids(c, [one for one in named if one])
    for backend in env.backends.values():
        if sender_matches(backend.profile.senders, mail.sender):
            for number in habits.words(backend.profile, mail).numbers:
                if ticket := tickets.by_number(c, backend.name, number):
                    yield ticket


def _bears(mail: InboundMail, address: str) -> bool:
    texts = (mail.subject, mail.text, mail.html, mail.sender, *mail.to, *mail.cc, *(value for _, value in mail.headers))
    files = (part.data for part in mail.attachments if part.data)
    return any(address in text.lower() for text in texts) or any(address.encode() in data.lower() for data in files)
