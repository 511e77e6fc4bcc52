"""What a transaction has changed that somebody outside waits for. Noted on the connection, told behind the commit."""

from __future__ import annotations

from sqlalchemy import Connection

OUTBOX = "outbox"  # a parcel that may go now, or at another moment than before

_KEY = "imbot-touched"


def touch(c: Connection, what: str) -> None:
    """What is undone afterwards stays noted: whoever is woken looks and finds nothing."""
    c.info.setdefault(_KEY, set()).add(what)


def take_touched(c: Connection) -> frozenset[str]:
    """What was noted since this was last asked."""
    return frozenset(c.info.pop(_KEY, ()))
