"""A reply to a notice or a receipt of a ticket: words go into its thread at once, a file is gathered with what else may come.
Whether the ticket still takes them is asked in the same turn; where it does not, they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imbot.dialog import menu, requests, tickets
from imbot.dialog.draft import Addition, Pile, Said, gather
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import row
from imbot.dialog.orders import AddToTicket, Order
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import about_of, addition_of, anew, left_of, reply_of, with_addition, with_reply
from imbot.domain.chats import Typed


def reply_to(session: Session, event: Said, facts: Facts) -> Turn:
    """Words alone are sent, whatever else is open; more of an unsent addition, and what comes with files, waits for Send."""
    ticket, begun = facts.replied_ticket, addition_of(session)
    if isinstance(event, Typed) and (begun is None or begun.ticket != ticket or not begun.pile):
        pile, _, problem = gather(Pile(facts.fresh_id), event, facts.settings)
        if pile and not problem:
            return tickets.ask_details(with_reply(session, Addition(pile, ticket)), ticket, "adding")
    turn = tickets.add_to(session, ticket, facts)
    addition = addition_of(turn.session) or Addition(Pile(facts.fresh_id), ticket)
    pile, orders, problem = gather(addition.pile, event, facts.settings)
    session = with_addition(turn.session, replace(addition, pile=pile)).put(problem=problem or None)
    return replace(turn, session=session, orders=(*orders, *turn.orders))


def found(session: Session, values: dict[str, Any], facts: Facts) -> Turn:
    """The ticket that is added to is theirs: it takes the words, or says that it takes nothing any more."""
    reply = reply_of(session)
    if reply is not None:
        if values.get("can_add"):
            return Turn(
                session.put(sending="reply"), None, (AddToTicket(reply.ticket, reply.pile.words, reply.pile.id),)
            )
        return _cannot_add(anew(with_reply(session, None), facts), reply, facts)
    addition = addition_of(session)
    if addition is None:
        return menu.rest(session, facts)
    if values.get("can_add"):
        known, problem = tickets.named(addition, about_of(session), values), session.data.get("problem", "")
        session = with_addition(session, known).put(problem=None)
        return Turn(session, tickets.adding_screen(session, facts, problem if isinstance(problem, str) else ""))
    return _cannot_add(with_addition(session, None), addition, facts)


def ended(session: Session, values: Mapping[str, Any], facts: Facts) -> Turn | None:
    """The ticket takes nothing any more: it was closed while the words were written. None where they are kept elsewhere."""
    kind = session.data.get("sending")
    kinds = {"addition": addition_of, "reply": reply_of, "left": left_of}
    meant = kinds.get(str(kind), lambda _: None)(session)
    if meant is None:
        return None
    about, state = {name: values[name] for name in ("ticket", "title", "number")}, session.state
    session = anew(session.put(sending=None, about=about, **{str(kind): None}), facts)
    turn = _cannot_add(session, meant, facts)
    # What the question was left for goes on.
    return replace(turn, session=turn.session.go(state)) if kind == "left" else turn


def _cannot_add(session: Session, addition: Addition, facts: Facts) -> Turn:
    """What was meant for it is kept."""
    about, kept = about_of(session), bool(addition.pile)
    turn = requests.from_addition(session, addition.pile, facts, about["ticket"])
    rows = (row(Button("new_linked", f"new:{about['ticket']}") if not kept else None), menu.home_row(turn.session))
    screen = Screen("cannot_add", about | {"kept": kept}, tuple(filter(None, rows)))
    return Turn(turn.session, screen, turn.orders)


def not_found(session: Session, facts: Facts) -> tuple[Session, tuple[Order, ...]]:
    """What was meant for a ticket that is not there, or is somebody else's, is kept."""
    for meant, without in (
        (reply_of(session), with_reply(session, None)),
        (addition_of(session), with_addition(session, None)),
    ):
        if meant is not None:
            turn = requests.from_addition(without, meant.pile, facts)
            return turn.session, turn.orders
    return session, ()
