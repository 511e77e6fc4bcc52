"""A letter that came in, in one transaction: first time? -> ours or a bounce? -> believed? -> bound? -> report -> change.

A letter is a repetition where the same bytes, or a believed letter of the same Message-ID and content, were carried out before,
in whatever mailbox. What was set aside makes no later copy a repetition, and what nobody believes none of a genuine letter.
What is not believed or not bound goes to quarantine, whole, and admins hear of it. Nothing is ever answered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.base import Belief, Bounce
from imbot.backends.bounces import read_bounce
from imbot.backends.evidence import believes
from imbot.backends.own_words import MOST_OURS
from imbot.backends.profile import Profile
from imbot.backends.sameness import content_of
from imbot.domain.letters import InboundMail
from imbot.domain.people import canonical_address
from imbot.domain.tickets import StatusReport, Ticket
from imbot.services import breaker, comments, enclosures, returned, telling, trips
from imbot.services.binding import MOST_ADDRESSES, bind
from imbot.services.breaker import Aside
from imbot.services.enclosures import Enclosure
from imbot.services.env import Backend, Env
from imbot.services.tickets import registered_after_all
from imbot.store import inbox, ledger, letters, outbox, people, tickets, told

_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{3,200}")
TRIES = 3  # a letter that ends its reader is set aside after so many
DEATHS = 10  # and one at which imbot itself ended, after so many: hardly ever is it the letter that ends imbot


@dataclass(frozen=True, slots=True)
class Looked:
    """What a letter says by itself, before anything is asked of the data base. `backend` None: it is not believed, and
    `disbelief` says why. `addresses`: those that its text names. `content`: a hash of what it says, "" where it is not
    believed or bears no Message-ID. `came`: its files, where they are kept already."""

    backend: Backend | None
    disbelief: str
    words: habits.Words | None
    tokens: tuple[str, ...]
    addresses: tuple[str, ...]
    bounce: Bounce | None
    content: str = ""
    came: tuple[Enclosure, ...] = ()
    signed: frozenset[str] | None = None  # fields that its sender vouches for; None: all


def look(mail: InboundMail, env: Env, mailbox: str = "") -> Looked:
    """The slow part of `receive`, pure: to be done in a thread, so that no letter holds up the one writer. `mailbox`: the
    watcher that it came in by, "" = not asked."""
    backend, belief = _believed(mail, env, mailbox)
    words = habits.words(backend.profile, _vouched_for(mail, backend.profile, belief)) if backend else None
    if backend and words:
        habits.trimmed(words.whole, backend.profile.separators)  # so that it is known when it is asked for
    bounce, disbelief = read_bounce(mail), "" if belief.ok else belief.reason
    content, tokens = content_of(mail, words) if words else "", habits.find_tokens(mail)
    return Looked(backend, disbelief, words, tokens, _addresses(mail), bounce, content, signed=belief.signed)


def _vouched_for(mail: InboundMail, profile: Profile, belief: Belief) -> InboundMail:
    """`mail` without those headers of the profile that anybody may have put there who sent it on."""
    open_ = {name for name in profile.headers if not belief.covers(name)}
    if not open_:
        return mail
    return replace(mail, headers=tuple((name, value) for name, value in mail.headers if name.lower() not in open_))


def prepare(mail: InboundMail, env: Env, mailbox: str = "") -> Looked:
    """`look`, and the files of a believed letter made durable: what `receive` will speak of lies on the disk before. For a
    thread as well."""
    looked = look(mail, env, mailbox)
    return replace(looked, came=enclosures.keep(mail, env)) if looked.backend and mail.attachments else looked


def receive(
    c: Connection, mail_id: int, mail: InboundMail, now: datetime, env: Env, looked: Looked | None = None
) -> str:
    """Carry one letter out; returns its outcome: applied, comment, noted, bounce, own, duplicate, quarantined.
    `looked`: what `look` has found, where that is done already."""
    before = inbox.carried_out_as(c, mail.sha256)
    if before == mail_id:
        return "duplicate"  # its fate is decided
    if before:
        return _settle(c, mail_id, mail, "duplicate", f"the same letter came before: letter {before}", "", now)
    looked = looked or look(mail, env)
    backend, words = looked.backend, looked.words
    if looked.bounce is not None and (looked.bounce.formal or not breaker.is_expected(mail, env)):
        # a helpdesk may write of undelivered mail: its words alone are no report
        named = returned.carry_out(c, looked.bounce, now, env)
        if named is not None:
            return _settle(c, mail_id, mail, named[1], _posts_words(looked.bounce), named[0].id, now)
    own = _own(c, mail)
    if own:
        return _settle(c, mail_id, mail, "own", own, "", now)
    if backend is None or words is None:
        return quarantine(c, mail_id, mail, _disbelieved(mail, looked, env), now, env)
    told.note_all(c)  # each letter that follows asks for it as well: it is computed once
    binding = bind(c, mail, backend, words, looked.tokens, looked.addresses, looked.signed)
    if binding.ticket is None:
        trip = trips.answered_by(c, mail, looked.tokens, words.numbers, backend.name, now)
        if trip:
            return _settle(c, mail_id, mail, "noted", f"it is about {trip}, a round trip of `imbot doctor`", "", now)
        return quarantine(c, mail_id, mail, Aside(binding.reason, "unbound"), now, env)
    if looked.content and inbox.is_known(c, said_key(looked.content)):
        reason = "the same letter came before, by another way: Message-ID, content and files are the same"
        return _settle(c, mail_id, mail, "duplicate", reason, binding.ticket.id, now)
    found, by, came, content = binding.ticket, binding.evidence, looked.came, looked.content
    return carry_out(
        c, mail_id, mail, backend, found, by, words, now, env, came, teaches=binding.teaches, content=content
    )


def said_key(content: str) -> str:
    """Known once a letter of that content was carried out."""
    return f"said:{content}"


def carry_out(
    c: Connection,
    mail_id: int,
    mail: InboundMail,
    backend: Backend,
    ticket: Ticket,
    evidence: str,
    words: habits.Words,
    now: datetime,
    env: Env,
    came: Sequence[Enclosure] = (),
    *,
    teaches: bool = True,
    content: str = "",
) -> str:
    """What a letter says of the ticket that it is bound to by `evidence` is done and told; returns its outcome. `teaches`: a new
    number in it becomes the ticket's. `content`: a hash of what it says, by which a repetition is known."""
    said, whole = told.said(c, ticket.id, MOST_OURS)
    ours, numbers = habits.ours_of(said, whole=whole), tickets.numbers_by(c, ticket.id)
    own = [number for _, number in numbers]
    given = [number for name, number in numbers if name == backend.name]  # a number is a backend's own
    words = habits.given(backend.profile, words, ours, own)
    stranger = number_of_another(c, ticket, backend, [number for number in words.numbers if number not in given])
    if stranger:
        reason = f"it bears {stranger}, the number of another ticket"
        return quarantine(c, mail_id, mail, Aside(reason, "unbound"), now, env)
    if content:
        inbox.first_time(c, said_key(content), now)
    words = habits.sole(words) if teaches else habits.of_these(words, own)
    report = habits.read(backend.profile, mail, tz=env.zone, sent=ours, looked=words)
    if is_erased(c, ticket):
        return _note_only(c, ticket, mail_id, report, now)
    ticket = _heard(c, ticket, mail, backend, report, words, given, now)
    if report is None or report.silent or report.status is None:  # a status is saved with what it changes
        tickets.save(c, ticket)
    if report is not None and report.silent:
        outcome = _known(c, ticket, mail, now)
    else:
        heard = comments.Heard(mail_id, mail, backend, evidence, ours, came)
        outcome = comments.carry_out(c, ticket, report, heard, now, env)
    return _settle(c, mail_id, mail, outcome, evidence, ticket.id, now)


def refuse(c: Connection, mail_id: int, reason: str, now: datetime) -> str:
    """A letter that cannot be read: kept whole, in quarantine."""
    breaker.alert(c, mail_id, {"sender": "", "subject": "", "reason": reason, "why": "unreadable"}, now)
    inbox.settle_mail(c, mail_id, "quarantined", reason=reason, now=now)
    return "quarantined"


def quarantine(c: Connection, mail_id: int, mail: InboundMail, aside: Aside, now: datetime, env: Env) -> str:
    """Not believed or not bound: kept for a person, and admins hear of it within minutes, but not without end."""
    breaker.set_aside(c, mail_id, mail, aside, now, env)
    return _settle(c, mail_id, mail, "quarantined", aside.reason, "", now)


def _disbelieved(mail: InboundMail, looked: Looked, env: Env) -> Aside:
    if looked.bounce is None or breaker.is_expected(mail, env):
        return Aside(looked.disbelief, "unproven")
    reason = f"it reports that a letter was not delivered, but names none of a request: {_posts_words(looked.bounce)}"
    return Aside(reason, "returned", looked.bounce)


def _posts_words(bounce: Bounce) -> str:
    return f"{bounce.action} {bounce.status}".strip() + f": {bounce.words[:300]}"


def _addresses(mail: InboundMail) -> tuple[str, ...]:
    """Addresses that the letter's text names, each once, and no more than show that they are too many: a registration may
    say whose request it is."""
    found = islice((match.group() for match in _ADDRESS.finditer(mail.text[:50_000])), 500)
    known = (canonical_address(match) for match in found)
    return tuple(dict.fromkeys(address for address in known if address))[: MOST_ADDRESSES + 1]


def _believed(mail: InboundMail, env: Env, mailbox: str) -> tuple[Backend | None, Belief]:
    """Only where a backend's letters are to arrive does the mail server strip what its evidence could be forged by."""
    choice = habits.consider({name: backend.profile for name, backend in env.backends.items()}, mail)
    if choice.profile is None:
        return None, Belief(False, "", choice.reason)
    backend = env.backends[choice.name]
    if mailbox and backend.mailbox and mailbox != backend.mailbox:
        return None, Belief(False, "", f"letters of {backend.name} come to another mailbox than this one ({mailbox})")
    belief = believes(backend.profile, mail, backend.evidence)
    return (backend if belief.ok else None), belief


def _own(c: Connection, mail: InboundMail) -> str:
    """A letter of our own that came back (a copy rule, a loop): never a status."""
    if mail.message_id and letters.letter(c, mail.message_id) is not None:
        return "a letter of ours that came back"
    return ""


def sent_words(c: Connection, ticket: Ticket) -> list[str]:
    """Everything we ever wrote about the ticket, subject and text by turns: taken out of an answer before it is interpreted."""
    rows = letters.letters_of(c, ticket.id)
    return [text for row in rows for text in (str(row.letter.get("subject", "")), str(row.letter.get("text", "")))]


def is_erased(c: Connection, ticket: Ticket) -> bool:
    """Whether its requester was."""
    person = people.person(c, ticket.person_id)
    return person is None or not person.address


def _note_only(c: Connection, ticket: Ticket, mail_id: int, report: StatusReport | None, now: datetime) -> str:
    """Somebody who was erased: that there was a report is noted, nothing that it says about or to them."""
    values = {"status": str(report.status)} if report and report.status else {}
    ledger.log(c, ticket.id, now, "noted", values)
    inbox.settle_mail(c, mail_id, "noted", reason="its requester was erased", ticket_id=ticket.id, now=now)
    inbox.drop_raw(c, mail_id)
    return "noted"


def number_of_another(c: Connection, ticket: Ticket, backend: Backend, numbers: Sequence[str]) -> str:
    for number in numbers:
        other = tickets.by_number(c, backend.name, number)
        if other is not None and other.id != ticket.id:
            return number
    return ""


def _heard(
    c: Connection,
    ticket: Ticket,
    mail: InboundMail,
    backend: Backend,
    report: StatusReport | None,
    words: habits.Words,
    given: Collection[str],
    now: datetime,
) -> Ticket:
    """What every bound letter teaches: the thread to answer in, the number that the ITSM gave, and its own marks; to be saved by
    the caller. `given`: the numbers that this backend gave it. In a letter without a status somebody may have written about
    another request: only its subject names this one."""
    status = report.status if report else None
    number = next(iter(words.numbers if status else words.in_subject), "")
    known = bool(number) and (number in given or tickets.add_number(c, backend.name, number, ticket.id, now))
    if known and not ticket.number and status is None:
        ticket = registered_after_all(c, replace(ticket, number=number), now)
        outbox.release(c, f"number:{ticket.id}")
        telling.put_receipt(c, ticket, now)
    tag = words.tag if number and ticket.number in ("", number) else ""
    watermark = report.fields.get("watermark", "") if report else ""
    thread = mail.message_id or ticket.thread
    return replace(ticket, thread=thread, tag=tag or ticket.tag, watermark=watermark or ticket.watermark)


def _known(c: Connection, ticket: Ticket, mail: InboundMail, now: datetime) -> str:
    """A letter that the profile knows and that nobody is to be told of."""
    ledger.log(c, ticket.id, now, "noted", {"subject": mail.subject[:200]})
    return "noted"


def _settle(
    c: Connection, mail_id: int, mail: InboundMail, outcome: str, reason: str, ticket_id: str, now: datetime
) -> str:
    inbox.settle_mail(
        c,
        mail_id,
        outcome,
        reason=reason,
        ticket_id=ticket_id,
        now=now,
        sender=mail.sender,
        subject=mail.subject[:500],
        message_id=mail.message_id,
    )
    return outcome
