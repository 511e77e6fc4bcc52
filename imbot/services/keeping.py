"""What came in, made durable in one transaction, before anything looks at it: the letters of a window and the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from imbot.domain.letters import Fetched
from imbot.services import reports
from imbot.store import inbox
from imbot.store.inbox import NewRaw


def keep(
    c: Connection, mailbox: str, letters: Sequence[tuple[Fetched, NewRaw]], cursor: str, before: str, now: datetime
) -> None:
    """All letters of a window, and where to go on behind them. A letter of which only the headers were fetched is refused at
    once. The cursor moves only from where it was when the window was asked for (`before`), so that no letter is passed over."""
    ids = inbox.keep_many(c, mailbox, [raw for _, raw in letters], now)
    for (letter, _), id in zip(letters, ids, strict=True):
        if letter.truncated:
            size = f"{letter.size} bytes"
            reason = f"it is too large ({size}): only its headers were fetched, the rest is on the server"
            reports.refuse(c, id, reason, now)
    if cursor != before and inbox.cursor(c, mailbox) == before:
        inbox.set_cursor(c, mailbox, cursor)
