"""Parcels: one thing to send each. What they are, when to try again, when to give up. Pure tables, no store, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from imbot.domain.letters import Letter

LEASE = timedelta(minutes=5)  # longer than the hard limit of any send (docs: design, Outbox)
SEND_LIMIT = timedelta(minutes=3)
# In hand at once, by far end, of what nobody waits for in one chat: it takes one a second, and the rest of a hundred receipts
# would only stand where what is for others could go.
MOST_A_CHAT: Mapping[str, int] = {"telegram": 2}


class Kind(StrEnum):
    LOOKUP = "lookup"  # ask the directory who an address is; puts a CODE; never reports to the chat
    CODE = "code"  # the letter with the sign-in code; loses its body when settled
    RECHECK = "recheck"  # ask the directory whether the requester is still there, ahead of a ticket's letter
    DOWNLOAD = "download"  # fetch a file from the channel
    PACK = "pack"  # fix the files of a letter, render and put it
    LETTER = "letter"  # a letter of a ticket, from the table of letters
    NOTE = "note"  # any other letter: "your address was linked", a notice to somebody who blocked the bot
    NOTICE = "notice"  # a new message to a chat
    FILE = "file"  # a file that support sent, to a chat; behind its notice
    RECEIPT = "receipt"  # show or edit a ticket's receipt as the truth now is
    ALERT = "alert"  # words to the admins
    QUESTION = "question"  # ask an admin about a ticket, or edit the question as the truth now is
    CHECK = "check"  # an admin wants to know how everything is, now


@dataclass(frozen=True, slots=True)
class Parcel:
    """`lane`: whose queue it stands in (`ticket:<id>`, `chat:<key>`, `receipts/<ticket id>:<chat key>`, `signin:<chat key>`,
    `admins`); only a lane's oldest open parcel that waits for nothing may be claimed. `target`: the far end (`smtp`,
    `directory`, `telegram`, `files:telegram`, `self`). `attempt` is the number of this claim, from 1; settling needs it.
    `waits_for` holds the parcel, and none of those behind it, until somebody clears it (`number:<ticket id>`). `at_hand`: the
    letter that it sends, or the language of the chat that a notice may be shown in, where whoever claimed it had that; not kept
    with it."""

    id: int
    lane: str
    target: str
    key: str
    kind: Kind
    payload: Mapping[str, Any]
    due_at: datetime
    created_at: datetime
    attempt: int = 0
    waits_for: str = ""
    last_error: str = ""
    at_hand: Letter | str | None = field(default=None, compare=False, repr=False)

    @property
    def chat_key(self) -> str:
        """The chat that its lane is of."""
        return chat_of_lane(self.lane)


def target_of_files(channel: str) -> str:
    """The far end that downloads are of: servers of their own, which may fail while messages go, and the reverse."""
    return f"files:{channel}"


def chat_of_lane(lane: str) -> str:
    return lane.partition(":")[2]


def lane_of_receipts(chat_key: str, ticket_id: str) -> str:
    """Of one ticket. A receipt is an edit that tells the truth of its moment: it need not stand behind notices, nor behind the
    receipt of another ticket that Telegram does not take just now, and the one that answers Send must not."""
    return f"{_RECEIPTS}/{ticket_id}:{chat_key}"


def is_lane_of_chat(lane: str, chat_key: str) -> bool:
    """Of its notices and files, or of receipts (which an older data base has in one lane, whatever the ticket)."""
    what, _, chat = lane.partition(":")
    return chat == chat_key and (what in ("chat", _RECEIPTS) or what.startswith(f"{_RECEIPTS}/"))


def lane_in_chat(lane: str, chat_key: str) -> str:
    """The same of another chat."""
    return f"{lane.partition(':')[0]}:{chat_key}"


@dataclass(frozen=True, slots=True)
class NewParcel:
    """A parcel to put. `key` is unique for ever: putting it twice puts it once. `urgent` goes before others of its target."""

    lane: str
    target: str
    key: str
    kind: Kind
    payload: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None  # None: now
    waits_for: str = ""
    urgent: bool = False


_DELAYS = (5, 15, 30, 60, 120, 300, 600, 900, 1800)  # seconds; then every half hour

GIVE_UP_AGE: Mapping[Kind, timedelta] = {
    Kind.LOOKUP: timedelta(minutes=10),
    Kind.CODE: timedelta(minutes=30),
    Kind.RECHECK: timedelta(days=1),
    Kind.DOWNLOAD: timedelta(minutes=10),
    Kind.PACK: timedelta(days=5),
    Kind.LETTER: timedelta(days=5),
    Kind.NOTE: timedelta(days=5),
    Kind.NOTICE: timedelta(days=5),
    Kind.FILE: timedelta(days=5),
    Kind.RECEIPT: timedelta(days=1),
    Kind.ALERT: timedelta(days=5),
    Kind.QUESTION: timedelta(days=5),
    Kind.CHECK: timedelta(minutes=5),
}


_DAYS = timedelta(days=1)
_RECEIPTS = "receipts"
_FEW_TRIES = 5  # two minutes apart in all, by `_DELAYS`


def next_try(attempts: int, now: datetime, *, retry_after: float | None = None, jitter: float = 0.0) -> datetime:
    """When to try again after `attempts` (>= 1) failed tries. `retry_after` (seconds) is never undercut.
    `jitter` in [0, 1) spreads the wait by up to a fifth, so that a repaired far end is not stormed."""
    base = _DELAYS[min(max(attempts, 1), len(_DELAYS)) - 1]
    wait = max(base * (1 + 0.2 * jitter), retry_after or 0.0)
    return now + timedelta(seconds=wait)


def gives_up(kind: Kind, created_at: datetime, now: datetime, tries: int) -> bool:
    """Giving up is by age, per kind: an outage of an hour costs no parcel anything. `tries`: those that failed, this one among
    them. What may wait for days has been tried a few times as well, for a clock that jumps ahead, or a machine that was off,
    makes old what nobody has tried."""
    limit = GIVE_UP_AGE[kind]
    return now - created_at > limit and (tries >= _FEW_TRIES or limit < _DAYS)
