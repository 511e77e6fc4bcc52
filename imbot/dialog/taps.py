"""Taps that follow each other: what is tapped twice is done once, and the second tap of a button is no old button.

A session remembers, until something else is said, the button whose work is done or under way (`done`), the last tap (`tap`), and
the Send that did not count (`refused`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import OLD
from imbot.dialog.session import Session
from imbot.domain.chats import Event, Pressed

_DOUBLE = timedelta(seconds=3)
_ASKS_OR_NOTES = frozenset(
    {"add", "wd", "rs", "rate", "ns"}
)  # buttons that work at any time, and would do it once more

_SENDS_A_CODE = "again"  # so does this one of the sign-in, and there are few codes an hour


@dataclass(frozen=True, slots=True)
class Tap:
    """Which button was tapped, of which message, and when."""

    value: str
    message_id: str
    at: datetime

    def is_followed_by(self, event: Pressed, facts: Facts) -> bool:
        """Whether `event` is the second tap of a double tap."""
        same = (self.value, self.message_id) == (event.value, event.message_id)
        return same and timedelta() <= facts.now - self.at < _DOUBLE


def last_of(session: Session) -> Tap | None:
    match session.data.get("tap"):
        case [str(value), str(message_id), str(at)]:
            moment = _moment(at)
            return Tap(value, message_id, moment) if moment else None
        case _:
            return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def is_done(session: Session, event: Pressed, facts: Facts) -> bool:
    """Whether this tap asks for what the one before it has done, or is doing."""
    last = last_of(session)
    doubled = last is not None and last.is_followed_by(event, facts)
    once_more = event.value.partition(":")[0] in _ASKS_OR_NOTES or event.value == session.value(_SENDS_A_CODE)
    return event.value == session.data.get("done") or (doubled and once_more)


def forget(session: Session, event: Event) -> Session:
    """Something else is said: whoever taps the same again means it."""
    refused = session.data.get("refused")
    same = isinstance(event, Pressed) and refused == [event.value, event.message_id]
    return session.put(done=None, tap=None, refused=refused if same else None)


def refuse(session: Session, event: Pressed) -> Session:
    return session.put(refused=[event.value, event.message_id])


def is_refused(session: Session, event: Pressed, facts: Facts) -> bool:
    """Whether the tap before this one was the same and did not count, and what was said of it is not in the chat yet."""
    return not facts.screen_id and session.data.get("refused") == [event.value, event.message_id]


def note(turn: Turn, event: Pressed, before: Session, last: Tap | None, facts: Facts) -> Turn:
    """The tap is remembered, if it did something: a second one of the same button is no old button. While what the first one
    said is not shown yet, or has just been, the second says and changes nothing: it would take its place. `before`: the session
    without this tap."""
    screen, tap = turn.screen, [event.value, event.message_id, facts.now.isoformat()]
    noted = turn.session.put(tap=tap)
    if screen is None or screen.values.get("problem") != OLD:
        return replace(turn, session=noted)
    if last is None or event.value != last.value:
        return turn
    waits = event.message_id == last.message_id and not facts.screen_id
    if waits or last.is_followed_by(event, facts):
        return Turn(before.put(tap=tap))
    return replace(turn, session=noted, screen=replace(screen, values={**screen.values, "problem": ""}))
