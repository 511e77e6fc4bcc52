"""Where a chat stands between two turns: a state, plain data, a short token. Read and written as JSON, saved by others.

States (the data each of them needs stands beside it):

    address, code{signin}, no_mail{signin}                    nobody is linked to the chat yet
    consent, consent_declined, welcome                        just linked
    rest                                                      nothing is being asked; the menu is the current screen
    me, unlink, help                                          looked at, left by any button
    form{draft}, offer{draft}, cancelled{dropped}, one_open   a new request
    stray{stray}                                              words or files came out of the blue: where do they belong?
    tickets{page}, ticket{about}                              looking at tickets
    adding{addition}, withdraw{about}, linked{about}          doing something with one
    complain{about}, not_solved{about}, later{about}          after the work

`draft` stays in the data through every state, so that it can be set aside and taken up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
STATES = frozenset(
    {
        "address",
        "code",
        "no_mail",
        "consent",
        "consent_declined",
        "welcome",
        "rest",
        "me",
        "unlink",
        "help",
        "form",
        "offer",
        "cancelled",
        "one_open",
        "stray",
        "tickets",
        "ticket",
        "adding",
        "withdraw",
        "linked",
        "complain",
        "not_solved",
        "later",
    }
)


@dataclass(frozen=True, slots=True)
class Session:
    """`data` is plain JSON. `token` marks every button of this dialog; it is renewed when a dialog starts anew."""

    state: str = "rest"
    data: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""
    version: int = VERSION

    def go(self, state: str) -> Session:
        """The same session in another state."""
        return Session(state, self.data, self.token, self.version)

    def put(self, **data: Any) -> Session:
        """With these data; None takes a key out."""
        merged = {**self.data, **data}
        kept = {key: value for key, value in merged.items() if value is not None}
        return Session(self.state, kept, self.token, self.version)

    def value(self, name: str) -> str:
        """The value of a button of this dialog."""
        return f"{self.token}:{name}"


def session_to_json(session: Session) -> dict[str, Any]:
    """Plain JSON that `session_from_json` reads back unchanged."""
    return {
        "state": session.state,
        "data": dict(session.data),
        "token": session.token,
        "version": session.version,
    }


def session_from_json(data: Mapping[str, Any] | None) -> Session:
    """The inverse of `session_to_json`. What an older or newer version left behind and is not understood becomes a session
    at rest that keeps the data: a draft is never lost to an upgrade."""
    if data is None:
        return Session()
    state, kept, token = data.get("state"), data.get("data"), data.get("token")
    return Session(
        state=state if isinstance(state, str) and state in STATES else "rest",
        data=dict(kept) if isinstance(kept, Mapping) else {},
        token=token if isinstance(token, str) else "",
    )
