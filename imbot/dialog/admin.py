"""What admins see and press: alerts, the question about a request that support has not confirmed, how everything is.

Every button is a durable value, so that it works whatever the admin's own dialog is doing; who pressed is judged anew where
the order is carried out, and whoever is no admin (any more) is told what everybody is told of a button that leads nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import MENU, row
from imbot.dialog.orders import Decide, LookAround, NextQuestion
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.domain.chats import Pressed

BUTTON = re.compile(r"a:(again|leave|go|next|check|legs)(?::([A-Za-z0-9_-]{1,40}))?")
HAPPENED = frozenset({"question", "decided", "no_questions", "looking"})


def alert_screen(alerts: Sequence[Mapping[str, Any]], config: str = "") -> Screen:
    """Each of `alerts` is {name, values, at}. What an admin can do about them at once stands below. `config`: what the commands
    that it names need to find the settings, with a blank in front."""
    names = {one["name"] for one in alerts}
    rows = (
        row(Button("decide", "a:next") if "unconfirmed" in names else None),
        (Button("check_now", "a:check"), Button("legs", "a:legs")) if "leg_down" in names else (),
    )
    return Screen("alert", {"alerts": list(alerts), "config": config}, tuple(filter(None, rows)))


def question_screen(values: Mapping[str, Any]) -> Screen:
    """A request that support has not confirmed: the facts, and what can be done. Values: `ticket, title, number, name, address,
    phone, sent_at, answer, trouble` [words of bounces and delays]`, waits` (how many letters wait for the number)`, read_at,
    asked` (how often)`, told` (the employee was)`, state` (open, again, leave; registered, ended, failed)`, let_go` (nothing
    waits for the number any more)`, status, by, at, by_letter`."""
    shown = _QUESTION | dict(values)
    ticket, state = shown["ticket"], shown["state"]
    go = Button("let_go", f"a:go:{ticket}") if shown["waits"] and not shown["let_go"] else None
    rows: tuple[tuple[Button, ...], ...] = ()
    if state == "open":
        rows = ((Button("send_again", f"a:again:{ticket}"), Button("leave", f"a:leave:{ticket}")), row(go))
    elif state == "leave":
        rows = (row(go),)
    return Screen("unconfirmed", shown, () if shown["by_letter"] else tuple(filter(None, rows)))


def legs_screen(legs: Sequence[Mapping[str, Any]], now: str, config: str = "", *, checked: bool) -> Screen:
    """How each leg is: {leg, ok, since, error, ok_at}, moments in ISO 8601 or None. `checked`: they were tried just now.
    `config`: as of an alert."""
    rows = ((Button("check_now", "a:check"),),)
    return Screen("legs", {"legs": list(legs), "now": now, "checked": checked, "config": config}, rows)


def pressed(session: Session, event: Pressed, facts: Facts) -> Turn:
    """One of these buttons. The session stays as it is: an admin may be in the middle of a request of their own."""
    found = BUTTON.fullmatch(event.value)
    name, ticket = (found[1], found[2] or "") if found else ("", "")
    match name:
        case "next":
            return Turn(session, None, (NextQuestion(),))
        case "check" | "legs":
            return Turn(session, None, (LookAround(check=name == "check"),))
        case _:
            return Turn(session, None, (Decide(ticket, name, listed=_listed(event, facts)),))


def happened(session: Session, name: str, values: Mapping[str, Any]) -> Turn:
    """What came of it. A decision on a message of its own shows there and needs no other."""
    match name:
        case "question":
            return Turn(session, question_screen(values))
        case "no_questions":
            return Turn(session, Screen("no_questions", {}, ((MENU,),)))
        case "looking":
            return Turn(session, Screen("looking", {}, ((MENU,),)) if values.get("check") else None)
        case _:
            return Turn(session)


def _listed(event: Pressed, facts: Facts) -> bool:
    """Whether the button stands on the dialog's own screen: then the next question takes its place."""
    return facts.screen is not None and facts.screen.name == "unconfirmed" and event.message_id == facts.screen_id


_QUESTION: dict[str, Any] = {
    "ticket": "",
    "title": "",
    "number": "",
    "name": "",
    "address": "",
    "phone": "",
    "sent_at": None,
    "answer": "",
    "trouble": [],
    "waits": 0,
    "read_at": None,
    "asked": 1,
    "told": False,
    "state": "open",
    "let_go": False,
    "status": "",
    "by": "",
    "at": None,
    "by_letter": False,
}
