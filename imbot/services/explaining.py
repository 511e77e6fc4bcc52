"""What would become of a letter, without it happening: the letter is received as any other, and what that did is read back.

The caller undoes the transaction (`explain` leaves rows behind), so that what is said here is what the service does, not a
second opinion. Nothing is rendered here: screens are given as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from imbot.backends.choosing import consider
from imbot.backends.understanding import words
from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Ticket
from imbot.services import reports
from imbot.services.binding import Tried, bind
from imbot.services.env import Env
from imbot.services.signin import chat_language
from imbot.store import admin, inbox, ledger, people, received, tickets

_NOWHERE = "explained"  # the mailbox of a letter that lies in no mailbox


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that would go out. `kind`: notice, letter, receipt, alert, or another parcel's. `to`: who, in words.
    `screen`: name and values of what they would read, None where nothing is read."""

    kind: str
    to: str
    lang: str
    screen: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Course:
    """What would happen. `outcome` and `reason` as `reports.receive` settles them. `ticket`: as it would be then, None where
    the letter is bound to none. `noted`: new lines of its ledger, as (what, values). `tried`: what of a believed letter was
    looked at to bind it, and what each gave; `suspected`: which ticket one that is not believed would be about, if it were."""

    outcome: str
    reason: str
    ticket: Ticket | None = None
    requester: str = ""
    noted: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    told: tuple[Told, ...] = ()
    tried: tuple[Tried, ...] = ()
    suspected: str = ""


def explain(
    c: Connection, mail: InboundMail, looked: reports.Looked, now: datetime, env: Env, mail_id: int = 0
) -> Course:
    """The letter's course, were it received now. `mail_id`: a letter of the store, which is asked as if it had not come
    before. To be undone by the caller."""
    if mail_id:
        if inbox.carried_out_as(c, mail.sha256) == mail_id:
            inbox.forget_key(c, reports.said_key(looked.content))
        inbox.reopen_mail(c, mail_id)
    else:
        place = (_NOWHERE, "", mail.sha256)
        mail_id = inbox.keep_raw(c, *place, raw=b"", size=mail.size, sha256=mail.sha256, now=now)
    newest, lines = admin.newest_parcel(c), admin.newest_line(c)
    tried, suspected = binding_of(c, mail, looked), _suspected(c, mail, looked, env)
    outcome = reports.receive(c, mail_id, mail, now, env, looked)
    row = inbox.get_mail(c, mail_id)
    ticket = tickets.get(c, row.ticket_id) if row and row.ticket_id else None
    person = people.person(c, ticket.person_id) if ticket else None
    new = [one for one in ledger.ledger(c, ticket.id) if one.id > lines] if ticket else []
    return Course(
        outcome=outcome,
        reason=row.reason if row else "",
        ticket=ticket,
        requester=f"{person.name} <{person.address}>" if person and person.address else "",
        noted=tuple((one.what, one.values) for one in new),
        told=tuple(_told(c, stored.parcel, env) for stored in admin.parcels_since(c, newest)),
        tried=tried,
        suspected=suspected,
    )


def binding_of(c: Connection, mail: InboundMail, looked: reports.Looked) -> tuple[Tried, ...]:
    """What was looked at to bind the letter; () where it is not believed, and so not asked."""
    if looked.backend is None or looked.words is None:
        return ()
    return bind(c, mail, looked.backend, looked.words, looked.tokens, looked.addresses, looked.signed).tried


def _suspected(c: Connection, mail: InboundMail, looked: reports.Looked, env: Env) -> str:
    choice = consider({name: backend.profile for name, backend in env.backends.items()}, mail)
    if looked.backend is not None or choice.profile is None:
        return ""
    backend = env.backends[choice.name]
    found = bind(c, mail, backend, words(backend.profile, mail), looked.tokens, looked.addresses)
    if found.ticket is None:
        return ""
    return f"{found.ticket.number or found.ticket.id} {found.ticket.title!r}, by {found.evidence}"


def _told(c: Connection, parcel: Parcel, env: Env) -> Told:
    screen = parcel.payload.get("screen")
    if parcel.kind is Kind.ALERT:
        return Told("alert", "the admins", env.language, None)
    if parcel.kind is Kind.FILE:
        file = received.get(c, str(parcel.payload.get("received", "")))
        called = f"file {file.name!r}" if file else "file"
        return Told(called, f"chat {parcel.chat_key}", env.language, None)
    if parcel.kind is Kind.NOTE:
        to = str(parcel.payload.get("to", ""))
        return Told("letter", to, str(parcel.payload.get("lang") or env.language), screen)
    chat_key = parcel.chat_key
    return Told(str(parcel.kind), f"chat {chat_key}", chat_language(c, chat_key, env), screen)
