"""What imbot promises to tell of a request, worked out anew from the ITSM's letters and the promises in its documents: which
letter changes the status, what must come as a message of its own, what only the receipt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STATUS = {
    "register": "registered",
    "start": "in_progress",
    "reopen": "in_progress",
    "ask": "waiting",
    "done": "resolved",
    "close": "closed",
    "reject": "rejected",
    "withdrawn": "withdrawn",
    "comment": "",
}
_OPEN = ("new", "registered", "in_progress", "waiting")
_ENDED = ("closed", "rejected", "withdrawn")
HELD, _WITHIN = 20, 600  # so many changes of status in so many seconds are not told each by each


@dataclass(frozen=True, slots=True)
class Telling:
    """A message of its own that must come. `said`: when the mailbox took the letter; `status` "": only words, `words` "":
    only the status. `was`: the status before."""

    said: float
    message_id: str
    action: str
    status: str = ""
    was: str = ""
    words: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """The whole course of a request: `tellings` in their order; `statuses`: (since, status), from (-inf, new) on; `held`:
    the status changed too fast to be told each time."""

    tellings: tuple[Telling, ...]
    statuses: tuple[tuple[float, str], ...]
    held: bool = False


def course(heard: Sequence[dict[str, Any]]) -> Course:
    """`heard`: the believed letters, in the order in which the mailbox took them."""
    status, applied = "new", None
    tellings: list[Telling] = []
    statuses: list[tuple[float, str]] = [(float("-inf"), "new")]
    for one in heard:
        reported, at = _STATUS[one["action"]], int(one["at"])
        words, files = one.get("words", ""), tuple(one.get("files") or ())
        late = applied is not None and at < applied
        if reported and late:  # an older report changes nothing, and its words are old
            if files:
                tellings.append(Telling(one["t"], one["message_id"], one["action"], files=files))
            continue
        new = next_status(status, reported) if reported else status
        loud = new != status and not (new == "in_progress" and status in _OPEN)
        loud = loud and not (new == "closed" and status == "resolved")
        question = reported == "waiting" and new == status and bool(words)
        if loud or question or words or files:
            told = new if loud or question else ""
            tellings.append(
                Telling(one["t"], one["message_id"], one["action"], told, status if loud else "", words, files)
            )
        if new != status:
            statuses.append((one["t"], new))
        if new != status or question or one["action"] == "register":  # a second registration promises another time
            applied = at
        status = new
    return Course(tuple(tellings), tuple(statuses), _too_fast([since for since, _ in statuses[1:]]))


def next_status(old: str, reported: str) -> str:
    """A late "registered" takes no begun work back, and an end stays an end until work is taken up again."""
    if reported == "registered" and old != "new":
        return old
    if old in _ENDED and reported in (*_ENDED, "resolved"):
        return old
    return reported


def _too_fast(moments: Sequence[float]) -> bool:
    return any(moments[n + HELD] - moments[n] < _WITHIN for n in range(len(moments) - HELD))
