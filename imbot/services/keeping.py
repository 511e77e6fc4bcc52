"""What came in, made durable in one transaction, before anything looks at it: the letters of a window and the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from imbot.domain.letters import Fetched
from imbot.services import reports
from imbot.store import inbox
from imbot.store.inbox import NewRaw, RawLetter
from imbot.store.withheld import withheld

Scope = tuple[str, Sequence[str]]  # a mailbox; or "" and those whose letters are not meant
_FEW = 4  # letters that come by themselves, and are no backlog


@dataclass(frozen=True, slots=True)
class Source:
    """What a mailbox of ours is read from: by which name (`account`) its cursor and its places are known. `cursor`: how far it
    was read, "" = not yet; then `former` is that of another server, user or folder that the mailbox was read from before.
    `withheld`: there are letters that the server lists and did not hand out."""

    account: str
    cursor: str
    former: str = ""
    withheld: bool = False


def source(c: Connection, mailbox: str, place: str) -> Source:
    """`place`: server, user and folder. The first one that a mailbox was read from bears its name (a data base that does not
    know which one it was takes the present one); each other has a name, and so a cursor, of its own."""
    if inbox.fact(c, _place_of(mailbox)) in ("", place):
        account, former = mailbox, ""
    else:
        account = f"{mailbox} {place}"
        former = inbox.cursor(c, mailbox)
    return Source(account, inbox.cursor(c, account), former, bool(withheld(c, account)))


def keep(
    c: Connection,
    mailbox: str,
    letters: Sequence[tuple[Fetched, NewRaw]],
    cursor: str,
    before: str,
    now: datetime,
    *,
    account: str = "",
    place: str = "",
    anew: bool = False,
    reads: Scope | None = None,
) -> list[RawLetter]:
    """All letters of a window, and where to go on behind them. A letter of which only the headers were fetched is refused at
    once. The cursor moves only from where it was when the window was asked for (`before`), so that no letter is passed over.
    `anew`: the server counts from the beginning again. `reads`: whose letters are read next, and at once; returned are these,
    their attempts counted already, where they are all new and few."""
    account = account or mailbox
    if anew:
        inbox.forget_places(c, account, now)
    if place and account == mailbox and not inbox.fact(c, _place_of(mailbox)):
        inbox.set_fact(c, _place_of(mailbox), place, now)
    ids = inbox.keep_many(c, mailbox, [raw for _, raw in letters], now, account=account)
    for (letter, _), id in zip(letters, ids, strict=True):
        if letter.truncated and inbox.is_unread(c, id):
            size = f"{letter.size} bytes"
            reason = f"it is too large ({size}): only its headers were fetched, the rest is on the server"
            reports.refuse(c, id, reason, now)
    if cursor != before:
        inbox.move_cursor(c, account, before, cursor)
    return _to_read_next(c, reads, ids) if reads is not None and 0 < len(ids) <= _FEW else []


def _to_read_next(c: Connection, reads: Scope, ids: Sequence[int]) -> list[RawLetter]:
    mailbox, besides = reads
    unread = inbox.unread(c, _FEW + 1, mailbox, besides=besides)
    if any(letter.id not in ids or letter.attempts for letter in unread):
        return []  # others came before, or were tried
    inbox.count_attempts(c, [letter.id for letter in unread])
    return unread


def _place_of(mailbox: str) -> str:
    return f"place:{mailbox}"
