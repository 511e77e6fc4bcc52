"""What a transaction has changed that somebody outside waits for. Noted on the connection, told behind the commit."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from imbot.domain.parcels import Parcel

OUTBOX = "outbox"  # a parcel that may go now, or at another moment than before
UNTOLD = "untold"  # a letter was put, and what it tells is to be noted (`store.told`)

_KEY, _TAKEN, _RELINKED = "imbot-touched", "imbot-taken", "imbot-relinked"


def touch(c: Connection, what: str) -> None:
    """What is undone afterwards stays noted: whoever is woken looks and finds nothing."""
    c.info.setdefault(_KEY, set()).add(what)


def take_touched(c: Connection) -> frozenset[str]:
    """What was noted since this was last asked."""
    return frozenset(c.info.pop(_KEY, ()))


def note_taken(c: Connection, parcel: Parcel) -> None:
    """It was claimed as it was put: whoever carries parcels is given it behind the commit."""
    c.info.setdefault(_TAKEN, []).append(parcel)


def count_taken(c: Connection) -> int:
    return len(c.info.get(_TAKEN, ()))


def forget_taken(c: Connection, count: int) -> None:
    """What was noted behind the first `count` was undone."""
    del c.info.get(_TAKEN, [])[count:]


def note_relinked(c: Connection) -> None:
    """A chat speaks for somebody else, or for nobody, from this transaction on."""
    c.info[_RELINKED] = True


def all_taken(c: Connection) -> list[Parcel]:
    """What was noted since this was last asked, in order. Where a chat was linked or let go in the same transaction, whoever
    carries a notice has to ask again whose chat it is."""
    taken, relinked = list(c.info.pop(_TAKEN, ())), c.info.pop(_RELINKED, False)
    return [replace(one, at_hand=None) if isinstance(one.at_hand, str) else one for one in taken] if relinked else taken
