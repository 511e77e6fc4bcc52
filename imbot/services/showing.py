"""The screen that a chat is owed: what it is, and what follows when it could not be shown."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import next_try
from imbot.services.env import Env
from imbot.services.signin import chat_language
from imbot.store import people, sessions
from imbot.store.sessions import OwedScreen

log = structlog.get_logger(__name__)


def owed(c: Connection, chat_key: str, env: Env) -> tuple[OwedScreen | None, str]:
    """What this chat is owed, and the language to show it in."""
    return sessions.owed_to(c, chat_key), chat_language(c, chat_key, env)


def failed(c: Connection, screen: OwedScreen, error: DeliveryError, now: datetime) -> datetime | None:
    """Not shown: again later, or never where the person shut us out. When; None: never. A channel that asks for patience says
    itself for how long: somebody waits for this screen."""
    if error.kind in ("blocked", "gone"):
        people.set_blocked(c, screen.chat_key, True, now)
        sessions.give_up(c, screen.chat_key, screen.seq)
        return None
    log.warning("screen_not_shown", chat=screen.chat_key, error=str(error), kind=error.kind)
    if error.kind == "throttled" and error.retry_after is not None:
        due = now + timedelta(seconds=error.retry_after)
    else:
        due = next_try(screen.attempts + 1, now, retry_after=error.retry_after)
    sessions.not_shown(c, screen.chat_key, screen.seq, due, str(error))
    return due
