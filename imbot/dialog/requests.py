"""The ways into a new request: from nothing, from what was written before, after a ticket that is done; and what stands in
the way of one, an open draft or a company that allows one open ticket at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imbot.dialog import intake, menu, stray
from imbot.dialog.draft import Pile, begin, merge
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.orders import AddToTicket, FetchFiles, Order
from imbot.dialog.session import Session
from imbot.dialog.slots import draft_of, open_draft, set_aside, stray_of, with_draft, with_stray


def new(session: Session, facts: Facts, previous: str = "") -> Turn:
    """A new request, unless something else has to be decided first."""
    session = session.put(previous=previous or None)
    if facts.settings.one_open_ticket and facts.open_tickets:
        session = session.go("one_open")
        return Turn(session, menu.one_open_screen(session, facts))
    pile = stray_of(session)
    if pile:
        return stray.afresh(with_stray(session, None), pile, facts)
    if open_draft(session):
        return menu.offer(session, facts)
    return intake.start(session, facts, previous=previous)


def start_anew(session: Session, facts: Facts) -> Turn:
    """Not the open draft but a new one; the old one can be brought back."""
    previous = str(session.data.get("previous", ""))
    session, orders = set_aside(session, "draft", facts)
    turn = intake.start(session.put(previous=None), facts, previous=previous)
    return replace(turn, orders=(*orders, *turn.orders))


def go_on(session: Session, facts: Facts) -> Turn:
    """Yes, with what I wrote before sign-in. Where a ticket is open it may be an addition to that."""
    draft = draft_of(session)
    if draft is None or not facts.open_tickets or draft.category is not None:
        return intake.resume(session, facts)
    orders: tuple[Order, ...] = (FetchFiles(draft.pile.id),) if draft.pile.files else ()
    turn = stray.place(with_draft(session, None), draft.pile, facts)
    return replace(turn, orders=(*orders, *turn.orders))


def give(session: Session, facts: Facts) -> Turn:
    """The draft's words and files for the one open ticket."""
    draft = draft_of(session)
    if draft is None or not facts.open_tickets:
        return menu.rest(session, facts)
    ticket = facts.open_tickets[0]
    about: dict[str, Any] = {"ticket": ticket.id, "title": ticket.title, "number": ticket.number}
    session = session.put(about=about, done=session.value("give"), sending="draft")
    return Turn(session, None, (AddToTicket(ticket.id, draft.pile.words, draft.pile.id),))


def after_ticket(session: Session, facts: Facts, values: dict[str, Any]) -> Turn:
    """A new request that follows one of theirs."""
    return new(session, facts, previous=str(values.get("id", "")))


def from_addition(session: Session, pile: Pile, facts: Facts, previous: str = "") -> Turn:
    """What was meant for a ticket that takes nothing any more becomes a request of its own, if they like."""
    if not pile:
        return menu.rest(session, facts)
    orders: tuple[Order, ...] = ()
    waiting = stray_of(session)
    if open_draft(session) is None:
        session = with_draft(session, begin(facts, pile, previous=previous))
    elif not waiting:
        session = with_stray(session, pile)
    else:
        both, orders, problem = merge(waiting, pile, facts.settings)
        if problem:  # too long for one: what has waited can be brought back
            session, orders = set_aside(session, "stray", facts)
        session = with_stray(session, pile if problem else both)
    turn = menu.rest(session, facts)
    return replace(turn, orders=(*orders, *turn.orders))
