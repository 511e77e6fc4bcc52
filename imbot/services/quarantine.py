"""What an admin decides about a letter that was set aside: read it again, bind it to a ticket by hand, or drop it.

Each is one transaction and works beside a running service: the letter is never unread in between, so nobody else takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.sameness import content_of
from imbot.domain.errors import ImbotError, NotFound
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Ticket
from imbot.services import reports
from imbot.services.enclosures import Enclosure
from imbot.services.env import Env
from imbot.store import inbox, ledger, letters, tickets
from imbot.store.inbox import MailRow

_MOST_TOKENS = 50
SET_ASIDE = ("quarantined", "dropped")


def read_again(
    c: Connection, mail_id: int, mail: InboundMail, looked: reports.Looked, now: datetime, env: Env
) -> MailRow:
    """As if the letter had just come, under the profile and the settings of today. Returns its new fate."""
    _take(c, mail_id)
    reports.receive(c, mail_id, mail, now, env, looked)
    return _fate(c, mail_id)


def refuse_again(c: Connection, mail_id: int, reason: str, now: datetime) -> MailRow:
    """It still cannot be read."""
    _take(c, mail_id)
    reports.refuse(c, mail_id, reason, now)
    return _fate(c, mail_id)


def bindable(c: Connection, ticket_id: str) -> Ticket:
    """The ticket, before anything of a letter is kept for it. Raises ImbotError where its requester was erased."""
    ticket = tickets.get(c, ticket_id)
    if ticket is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    if reports.is_erased(c, ticket):
        name = ticket.number or ticket.id
        raise ImbotError(
            f"the requester of {name} was erased: nobody is told of it any more; `drop` puts the letter out of the way"
        )
    return ticket


def bind_by_hand(
    c: Connection,
    mail_id: int,
    mail: InboundMail,
    ticket_id: str,
    who: str,
    now: datetime,
    env: Env,
    came: Sequence[Enclosure] = (),
    *,
    despite: bool = False,
) -> MailRow:
    """An admin says that the letter is genuine and about this ticket: it is carried out as any other, and the ledger says by
    whose word. Without a status it is a comment. `came`: its files, kept already. Raises ImbotError where it bears the number
    of another ticket or, unless they say that it is about this one `despite` it, a number that this ticket is not known by, the
    thread or token of another, or what was carried out before."""
    ticket = bindable(c, ticket_id)
    backend = env.backend(ticket.backend)
    words = habits.words(backend.profile, mail)
    other = reports.number_of_another(c, ticket, backend, words.in_subject)
    if other:
        raise ImbotError(
            f"letter {mail_id} bears {other} in its subject, the number of another ticket: bind it to that"
        )
    theirs = None if despite else bound_elsewhere(c, mail, ticket)
    if theirs is not None:
        raise ImbotError(
            f"letter {mail_id} bears the token of another ticket or answers a letter of it ({theirs.number or theirs.id}):"
            " bind it to that, or --force binds it here if it is about this ticket all the same"
        )
    strange = "" if despite else _strange(c, ticket, words.in_subject)
    if strange:
        raise ImbotError(
            f"letter {mail_id} bears {strange} in its subject, but this ticket is {ticket.number}: --force binds it if it is "
            "about this ticket all the same"
        )
    content = content_of(mail, words)
    _refuse_repeated(c, mail_id, mail.sha256, content, despite=despite)
    _take(c, mail_id)
    ledger.log(c, ticket.id, now, "bound_by_hand", {"mail": mail_id, "who": who})
    free = tuple(n for n in words.numbers if not reports.number_of_another(c, ticket, backend, (n,)))
    evidence = f"by hand: {who}"
    words = replace(words, numbers=free)
    reports.carry_out(c, mail_id, mail, backend, ticket, evidence, words, now, env, came, content=content)
    return _fate(c, mail_id)


def _refuse_repeated(c: Connection, mail_id: int, sha256: str, content: str, *, despite: bool) -> None:
    before = inbox.carried_out_as(c, sha256, besides=mail_id)
    if before:
        raise ImbotError(
            f"letter {mail_id} is the same as letter {before}, which was carried out: it would be told twice"
        )
    if not despite and content and inbox.is_known(c, reports.said_key(content)):
        raise ImbotError(
            f"letter {mail_id} repeats one that was carried out, with the same Message-ID, content and files: --force binds "
            "it all the same"
        )


def _strange(c: Connection, ticket: Ticket, numbers: Sequence[str]) -> str:
    """The first of these where the ticket has numbers, and none of them is among these."""
    known = {number.casefold() for number in (ticket.number, *tickets.numbers_of(c, ticket.id)) if number}
    return numbers[0] if known and numbers and not known & {number.casefold() for number in numbers} else ""


def bound_elsewhere(c: Connection, mail: InboundMail, ticket: Ticket) -> Ticket | None:
    """Another ticket that the letter's thread or a token in it belongs to."""
    named = letters.by_message_ids(c, [*mail.in_reply_to, *mail.references])
    tokens = (tickets.by_token(c, token) for token in habits.find_tokens(mail)[:_MOST_TOKENS])
    return next((one for one in (*named, *tokens) if one is not None and one.id != ticket.id), None)


def drop(c: Connection, mail_id: int, who: str, now: datetime) -> MailRow:
    """Nothing will ever come of it. Its row says who dropped it and why it was set aside; the bytes stay until the nightly
    clean-up takes raw letters of that age."""
    row = _fate(c, mail_id)
    if row.outcome != "quarantined":
        raise NotFound(f"letter {mail_id} is not in quarantine: {row.outcome or 'it waits to be read'}")
    inbox.settle_mail(
        c,
        mail_id,
        "dropped",
        now=now,
        reason=f"dropped by {who}; it was set aside: {row.reason}",
        sender=row.sender,
        subject=row.subject,
        message_id=row.message_id,
    )
    return _fate(c, mail_id)


def _take(c: Connection, mail_id: int) -> None:
    row = _fate(c, mail_id)
    if row.outcome not in SET_ASIDE:
        raise NotFound(f"letter {mail_id} is not in quarantine: {row.outcome or 'it waits to be read'}")
    if not inbox.reopen_mail(c, mail_id):
        raise NotFound(f"letter {mail_id} has been cleaned up: only its identity is kept")


def _fate(c: Connection, mail_id: int) -> MailRow:
    row = inbox.get_mail(c, mail_id)
    if row is None:
        raise NotFound(f"there is no letter {mail_id}")
    return row
