"""A letter that the mail server lists and does not hand out holds up no other: it is asked for three times, each counted
before; then it is noted in quarantine, without a body, and admins hear of it once. It is asked for again now and then.

    failed -> (counted, asked for)* -> given up: noted -> asked for again -> taken | gone from the server
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.domain.calendar import AHEAD
from imbot.services import reports
from imbot.store import inbox
from imbot.store.inbox import NewRaw
from imbot.store.withheld import Withheld, forget, name_of, note, one_of, withheld

TRIES, LOST_TRIES = 3, 6  # where asking for it ends the connection, that may be the network's fault as well
AGAIN = timedelta(hours=6)
# A network that ended the connections is soon mended; a server that chokes on the letter is not.
AGAIN_LOST = timedelta(minutes=15)


def failed(c: Connection, account: str, key: str, size: int, now: datetime, *, lost: bool) -> None:
    """It was asked for and did not come."""
    one = one_of(c, account, key)
    note(c, account, replace(one, tries=max(one.tries, 1), size=size, lost=lost, at=now.timestamp()), now)


def before_try(c: Connection, mailbox: str, account: str, now: datetime) -> tuple[set[str], set[str]]:
    """Counts what is about to be asked for, and gives up what was asked for often enough. Returns the keys of both."""
    tried, given_up = set(), set()
    for one in withheld(c, account):
        if not one.mail and one.tries < (LOST_TRIES if one.lost else TRIES):
            note(c, account, replace(one, tries=one.tries + 1), now)
            tried.add(one.key)
            continue
        if not one.mail:
            note(c, account, replace(one, mail=_note(c, mailbox, account, one, now), at=now.timestamp()), now)
        given_up.add(one.key)
    return tried, given_up


def not_asked(c: Connection, account: str, keys: set[str], now: datetime) -> None:
    """The mailbox failed before it could be asked for: that is no try."""
    for one in withheld(c, account):
        if one.key in keys and not one.mail:
            note(c, account, replace(one, tries=max(one.tries - 1, 1)), now)


def handed_out(c: Connection, account: str, keys: set[str]) -> None:
    """What was tried has come, or has gone from the server."""
    for key in keys:
        forget(c, account, key)


def due(c: Connection, account: str, now: datetime) -> Withheld | None:
    """One that was given up and is to be asked for again: its time has passed, or it was noted by a clock that ran ahead."""
    waits = {True: AGAIN_LOST.total_seconds(), False: AGAIN.total_seconds()}
    found = (one for one in withheld(c, account) if one.mail)
    return next(
        (one for one in found if not now.timestamp() - waits[one.lost] < one.at <= (now + AHEAD).timestamp()), None
    )


def ask_again(c: Connection, account: str, one: Withheld, now: datetime) -> None:
    """Noted before it is done: whatever happens, it is not asked for again at once."""
    note(c, account, replace(one, at=now.timestamp()), now)


def taken(c: Connection, mailbox: str, account: str, one: Withheld, raw: NewRaw, now: datetime) -> int:
    """The server has handed it out: from here on it is a letter as any other. Returns its id."""
    (id,) = inbox.keep_many(c, mailbox, [raw], now, account=account)
    inbox.settle_mail(c, one.mail, "ignored", reason=f"the mail server has handed it out since: letter {id}", now=now)
    forget(c, account, one.key)
    return id


def gone(c: Connection, account: str, one: Withheld, now: datetime) -> None:
    """Somebody has moved or deleted it: its note stays, and says so."""
    reason = f"{_reason(one)}; it is not there any more"
    inbox.settle_mail(c, one.mail, "quarantined", reason=reason, now=now)
    forget(c, account, one.key)


def _note(c: Connection, mailbox: str, account: str, one: Withheld, now: datetime) -> int:
    name = name_of(account, one.key)
    id = inbox.keep_noted(c, mailbox, name, one.size, now)
    where = account.removeprefix(mailbox).strip()
    reports.refuse(c, id, _reason(one) + (f", {where}" if where else ""), now)
    return id


def _reason(one: Withheld) -> str:
    validity, _, uid = one.key.rpartition(":")
    called = f"UID {uid}" if validity.isdigit() else f"UIDL {one.key[:100]}"
    size = f", {one.size} bytes" if one.size > 0 else ""
    often = "quarter of an hour" if one.lost else "few hours"
    return f"the mail server lists it and does not hand it out ({called}{size}); it is asked for again every {often}"
