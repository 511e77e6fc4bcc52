"""How far a folder was read, as the text that the caller keeps: `uidvalidity:uid[:day[:came[:below]]]`.

A folder may be put back from a backup, moved or made anew, and its UIDs given to other letters. So the cursor says besides
which UIDVALIDITY it is of when the last letter came that it stands behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

UNKNOWN, NOTHING = -1, 0


@dataclass(frozen=True, slots=True)
class ImapCursor:
    """`uid`: of the last letter read. `day` (since 1970): of a first run at "now", else 0. `came`: when the letter `uid`
    came, in Unix seconds; NOTHING: none lay there. `below`: UIDs up to that one are a folder's that is read anew, of which
    letters of the days before the first run are left alone; 0: all of it is read."""

    validity: int = 0
    uid: int = 0
    day: int = 0
    came: int = UNKNOWN
    below: int = 0

    def __str__(self) -> str:
        parts = [str(self.validity), str(self.uid), str(self.day or ""), "", ""]
        parts[3] = "" if self.came == UNKNOWN else str(self.came)
        parts[4] = str(self.below) if self.below > self.uid + 1 else ""
        return ":".join(parts).rstrip(":")

    @property
    def since(self) -> date | None:
        """The day before the first run, for servers whose calendar runs behind ours."""
        return date(1970, 1, 1) + timedelta(days=self.day - 1) if self.day else None

    def at(self, uid: int, came: int) -> ImapCursor:
        """Behind the letter `uid`, which `came` then (UNKNOWN: the server does not say)."""
        return ImapCursor(self.validity, uid, self.day, came, self.below)

    def is_another(self, came: int) -> bool:
        """Whether a letter that came then is not the one that the cursor stands behind, as far as that is known."""
        return UNKNOWN not in (came, self.came) and came not in (NOTHING, self.came)


def read_cursor(cursor: str | None) -> ImapCursor:
    """One of another kind (of POP3, before) starts from the beginning."""
    parts = (cursor or "").split(":")
    if not 2 <= len(parts) <= 5 or not all(not part or (part.isascii() and part.isdigit()) for part in parts):
        return ImapCursor()
    validity, uid, day, came, below = (int(part) if part else UNKNOWN for part in [*parts, *[""] * 3][:5])
    if validity == UNKNOWN or uid == UNKNOWN:
        return ImapCursor()
    return ImapCursor(validity, uid, max(day, 0), came, max(below, 0))
