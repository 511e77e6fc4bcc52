"""Nobody can make imbot talk without end: not a mailbox that answers our alerts by itself, not a flood of forged letters, not
a helpdesk whose automation runs wild. Every letter is kept and counted; only the telling is bounded.

An alert about a letter set aside: at most five an hour for one sender and thirty for all; what comes beyond is told as one
number at the hour's end. An automatic answer to an alert or a notice of ours makes no alert at all: else an absence note and
we would answer one another for ever. Words for one request: twenty in ten minutes; what comes beyond is kept with it.
As many changes of its status; those beyond stand on its receipt only, and when they have calmed down the last one is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.backends.base import Bounce
from imbot.backends.evidence import sender_matches
from imbot.domain.calendar import AHEAD
from imbot.domain.letters import InboundMail, is_note_id
from imbot.domain.notices import Enclosed, flips_notice, flood_notice, notices_for
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.domain.tickets import Change, Status, StatusReport, Ticket
from imbot.services import telling
from imbot.services.env import Env
from imbot.store import inbox, ledger, outbox, tickets
from imbot.store.ledger import LedgerRow

A_SENDER, ALL = 5, 30  # alerts about letters set aside, an hour
AUTOMATIC = timedelta(days=1)  # as many a day about what a machine sent
_HOUR = timedelta(hours=1)
FLOOD, WITHIN = 20, timedelta(minutes=10)
_WORDS = ("comment", "files_came")  # what the ledger calls words and files of support
_MORE, _FLIPS = "more:", "flips:"


@dataclass(frozen=True, slots=True)
class Aside:
    """Why a letter is set aside: `reason` in words, `why` in one (unproven, unbound, returned). `bounce`: what it reports."""

    reason: str
    why: str
    bounce: Bounce | None = None


def set_aside(c: Connection, mail_id: int, mail: InboundMail, looked: Aside, now: datetime, env: Env) -> None:
    """Tell the admins of a letter that is about to be set aside, unless that could go on for ever."""
    automatic = mail.automatic or looked.bounce is not None
    if automatic and _answers_us(c, mail, looked.bounce, env):
        return
    values = {"sender": mail.sender, "subject": mail.subject[:200], "reason": looked.reason, "why": looked.why}
    alert(c, mail_id, values, now, automatic=automatic and not is_expected(mail, env))


def alert(c: Connection, mail_id: int, values: Mapping[str, str], now: datetime, *, automatic: bool = False) -> None:
    """About a letter that is about to be set aside; beyond the limits it is only counted. `values`: sender, subject, reason,
    why. Too much of what machines send by themselves is not even summed up: the sum would be answered as well."""
    sender = values["sender"]
    if inbox.newly_set_aside(c, now - (AUTOMATIC if automatic else _HOUR), now + AHEAD, sender) >= A_SENDER:
        if not automatic:
            _count_more(c, mail_id, sender, now)
    elif inbox.newly_set_aside(c, now - _HOUR, now + AHEAD, None, ALL) >= ALL:
        _count_more(c, mail_id, None, now)
    else:
        telling.alert(c, "quarantine", f"mail:{mail_id}", {"mail": mail_id, **values}, now)


def is_expected(mail: InboundMail, env: Env) -> bool:
    """Whether it names a helpdesk of ours as its sender, believed or not."""
    return any(sender_matches(backend.profile.senders, mail.sender) for backend in env.backends.values())


def _answers_us(c: Connection, mail: InboundMail, bounce: Bounce | None, env: Env) -> bool:
    """Whether a machine sends something back for an alert, or answers a letter to a person: it says so where no person's
    words stand, comes from an admin's mailbox, or reports that an admin's mailbox could not be reached. That a person's could
    not is told, and so is what a helpdesk sends in a thread that a note of ours stands in."""
    alerts_only = bounce is not None or is_expected(mail, env)
    named = (*mail.in_reply_to, *mail.references, *mail.returned_ids)
    if any(is_note_id(message_id, env.key, alert=alerts_only) for message_id in named):
        return True
    admins = {way.address for way in telling.admin_ways(c, env)}
    if mail.sender in admins:
        return True
    return bounce is not None and any(address in mail.text[:20_000].lower() for address in admins)


def _count_more(c: Connection, mail_id: int, sender: str | None, now: datetime) -> None:
    """In an hour it is told how many more there were, of this sender or of all; until then one parcel stands for them."""
    lane = _MORE + ("all" if sender is None else f"of:{sender}")
    if not outbox.of_lane(c, lane):
        payload = {"sender": sender, "since": now.isoformat(), "first": mail_id}
        key = f"{lane}:{now.isoformat()}"
        outbox.put(c, NewParcel(lane, "self", key, Kind.ALERT, payload, due_at=now + _HOUR), now)


def tell(c: Connection, parcel: Parcel, now: datetime, env: Env) -> None:
    """A parcel of alerts is due: everything that waits goes to the admins, or the number of what was not told each by each, or
    a status that was held back to its requester."""
    if parcel.lane.startswith(_FLIPS):
        _tell_last(c, parcel, now, env)
        return
    if not parcel.lane.startswith(_MORE):
        telling.tell_admins(c, now, env)
        return
    if not outbox.settle(c, parcel, "told", now):
        return
    sender, since = parcel.payload["sender"], parcel.payload["since"]
    count = inbox.count_set_aside(c, datetime.fromisoformat(since), sender, parcel.payload["first"])
    values = {"sender": sender or "", "count": count, "since": since}
    telling.alert(c, "quarantine_more", parcel.key, values, now)


def holds_back(c: Connection, ticket: Ticket, now: datetime, env: Env) -> bool:
    """Whether support's words for this request, just noted in its ledger, are one too many to be shown. The requester and the
    admins are told so once an hour."""
    count = ledger.count(c, ticket.id, _WORDS, now - WITHIN, now + AHEAD)
    if count <= FLOOD:
        return False
    key = f"flood:{ticket.id}:{now:%Y%m%d%H}"
    telling.put_notice(c, flood_notice(ticket), ticket, f"notice:{key}", now, env)
    telling.alert(c, "flood", key, {"number": ticket.number, "title": ticket.title, "count": count}, now)
    return True


def holds_status(c: Connection, ticket: Ticket, now: datetime, env: Env) -> bool:
    """Whether a change of status, just noted in the ledger, is one too many to be told now. The requester and the admins are
    told so once; from then on one parcel stands for whatever the last status will be."""
    lane = f"{_FLIPS}{ticket.id}"
    if outbox.of_lane(c, lane):
        return True
    count = _flips(c, ticket, now)
    if count <= FLOOD:
        return False
    _hold(c, ticket, ledger.ledger(c, ticket.id)[-1].id, now)
    key = f"{lane}:{now.isoformat()}"
    telling.put_notice(c, flips_notice(ticket), ticket, f"notice:{key}", now, env)
    telling.alert(c, "flips", key, {"number": ticket.number, "title": ticket.title, "count": count}, now)
    return True


def _hold(c: Connection, ticket: Ticket, first: int, now: datetime) -> None:
    lane = f"{_FLIPS}{ticket.id}"
    payload = {"ticket": ticket.id, "first": first}
    outbox.put(c, NewParcel(lane, "self", f"{lane}:{now.isoformat()}", Kind.ALERT, payload, due_at=now + WITHIN), now)


def _tell_last(c: Connection, parcel: Parcel, now: datetime, env: Env) -> None:
    """The last status that was held back is told as any other; where it still changes as fast, in ten minutes."""
    ticket, first = tickets.get(c, parcel.payload["ticket"]), parcel.payload.get("first", 0)
    if not outbox.settle(c, parcel, "told", now) or ticket is None:
        return
    if _flips(c, ticket, now) > FLOOD:
        _hold(c, ticket, first, now)
        return
    held = [row for row in ledger.ledger(c, ticket.id) if row.what == "status" and row.id >= first]
    moved = [row for row in held if row.values["old"] != row.values["new"]]
    for row in (moved or held)[-1:]:
        more = int(row.values.get("more", 0))
        for notice in notices_for(_change_of(ticket, row)):
            key = f"notice:{parcel.key}:{notice.name}"
            telling.put_notice(c, notice, ticket, key, now, env, Enclosed(more, more=bool(more)))


def _change_of(ticket: Ticket, row: LedgerRow) -> Change:
    old, new = Status(row.values["old"]), Status(row.values["new"])
    report = StatusReport(ticket.backend, new, fields=row.values, at=row.at)
    return Change(ticket, old, new, row.values["what"], report, row.at)


def _flips(c: Connection, ticket: Ticket, now: datetime) -> int:
    return ledger.count(c, ticket.id, ("status",), now - WITHIN, now + AHEAD)
