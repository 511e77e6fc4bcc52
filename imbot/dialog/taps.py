"""Taps that follow each other: what is tapped twice is done once, and the second tap of a button is no old button.

A session remembers the button whose work is done or under way (`done`), until something else is said, and the last tap (`tap`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import OLD
from imbot.dialog.session import Session
from imbot.domain.chats import Pressed

_DOUBLE = timedelta(seconds=3)
_ASKS_OR_NOTES = frozenset(
    {"add", "wd", "rs", "rate", "ns"}
)  # buttons that work at any time, and would do it once more


@dataclass(frozen=True, slots=True)
class Tap:
    """Which button was tapped, of which message, and when (ISO 8601)."""

    value: str
    message_id: str
    at: str

    def is_followed_by(self, event: Pressed, facts: Facts) -> bool:
        """Whether `event` is the second tap of a double tap."""
        same = (self.value, self.message_id) == (event.value, event.message_id)
        return same and timedelta() <= facts.now - datetime.fromisoformat(self.at) < _DOUBLE


def last_of(session: Session) -> Tap | None:
    kept = session.data.get("tap")
    return Tap(*kept) if isinstance(kept, (list, tuple)) and len(kept) == 3 else None


def is_done(session: Session, event: Pressed, facts: Facts) -> bool:
    """Whether this tap asks for what the one before it has done, or is doing."""
    last = last_of(session)
    doubled = last is not None and last.is_followed_by(event, facts)
    return event.value == session.data.get("done") or (doubled and event.value.partition(":")[0] in _ASKS_OR_NOTES)


def forget(session: Session) -> Session:
    """Something else is said: whoever taps the same again means it."""
    return session.put(done=None, tap=None)


def note(turn: Turn, event: Pressed, last: Tap | None, facts: Facts) -> Turn:
    """The tap is remembered, if it did something: a second one of the same button is no old button. While what the first one
    said is not shown yet, or has just been, the second says nothing: it would take its place."""
    screen = turn.screen
    noted = turn.session.put(tap=[event.value, event.message_id, facts.now.isoformat()])
    if screen is None or screen.values.get("problem") != OLD:
        return replace(turn, session=noted)
    if last is None or event.value != last.value:
        return turn
    waits = event.message_id == last.message_id and not facts.screen_id
    if waits or last.is_followed_by(event, facts):
        return replace(turn, session=noted, screen=None)
    return replace(turn, session=noted, screen=replace(screen, values={**screen.values, "problem": ""}))
