"""One step of a conversation: `advance(session, event, facts) -> Turn`. Pure: no clock, no store, no channel."""

from __future__ import annotations

from imbot.dialog.facts import DialogSettings, Facts, TicketBrief, Turn
from imbot.dialog.session import Session
from imbot.domain.chats import Event

__all__ = ["DialogSettings", "Facts", "Session", "TicketBrief", "Turn", "advance"]


def advance(session: Session, event: Event, facts: Facts) -> Turn:
    """What becomes of the session, what is shown and what is to be done. Never raises, whatever the event."""
    raise NotImplementedError
