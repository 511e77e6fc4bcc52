"""Words and files that come out of the blue: an addition to an open ticket, more of the draft, or a new request? Where only
one of these is possible it is not asked.
"""

from __future__ import annotations

from dataclasses import replace

from imbot.dialog import intake, menu
from imbot.dialog.draft import Pile, Said, begin, files_values, gather, merge
from imbot.dialog.facts import Facts, TicketBrief, Turn
from imbot.dialog.form import settle
from imbot.dialog.layout import OLD, button, literal, row
from imbot.dialog.orders import AddToTicket, NotSolved, Order
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import anew, open_draft, set_aside, stray_of, with_draft, with_stray
from imbot.dialog.tickets import is_answer
from imbot.domain.chats import Pressed

OFFERED = 3  # open tickets to choose from; the others are found in "my tickets"
CHOICES = 4  # with those that were resolved just now: as many rows as a screen has left


def take(session: Session, event: Said, facts: Facts) -> Turn:
    """Something came while nothing was asked."""
    pile, orders, problem = gather(stray_of(session) or Pile(facts.fresh_id), event, facts.settings)
    if not pile:
        turn = menu.rest(session, facts, "not_text" if problem in ("not_text", "empty") else "")
        return replace(turn, orders=orders)
    turn = place(session, pile, facts, problem)
    return replace(turn, orders=(*orders, *turn.orders))


def place(session: Session, pile: Pile, facts: Facts, problem: str = "") -> Turn:
    """Ask where the pile belongs, if there is a choice."""
    if not choices(facts) and open_draft(session) is None:
        turn = intake.start(with_stray(session, None), facts, pile)
        screen = intake.current(turn.session, facts, problem) if problem else turn.screen
        return replace(turn, screen=screen)
    session = anew(with_stray(session, pile).go("stray"), facts)
    return Turn(session, stray_screen(session, facts, problem))


def choices(facts: Facts) -> tuple[TicketBrief, ...]:
    """The tickets that the words may be about: open ones, first those where support waits for words, and what was resolved
    just now, where the work may not be done."""
    likely = sorted(facts.open_tickets, key=lambda each: each.status != "waiting")
    return (*likely[:OFFERED], *facts.recent_tickets)[:CHOICES]


def stray_screen(session: Session, facts: Facts, problem: str = "") -> Screen:
    pile = stray_of(session) or Pile("")
    draft = menu.draft_title(session, facts)
    offered = choices(facts)
    one = len(offered) == 1
    answers = one and is_answer({"status": offered[0].status})  # whoever was asked by support gives no addition
    here = "answer_here" if answers else "add_here"
    undone = (each.id for each in offered if each.status == "resolved" and each.asked != "reopen")
    again = next(undone, "")  # of several the one that was done last
    items = []
    for each in offered:
        way = button(session, f"to:{each.id}", here) if one else literal(session, f"to:{each.id}", each.title)
        items.append(row(button(session, f"again:{each.id}", "again_here") if one and each.id == again else None))
        beside = button(session, f"again:{each.id}", "not_solved") if not one and each.id == again else None
        items.append(row(way, beside))
    may_file = not (facts.settings.one_open_ticket and facts.open_tickets)
    rows = (
        *items,
        row(button(session, "todraft") if open_draft(session) else None),
        row(button(session, "tonew") if may_file else None, button(session, "cancel")),
    )
    values = {
        "text": pile.words,
        "held": files_values(pile),
        "files": pile.count,
        "tickets": [
            {"id": each.id, "title": each.title, "number": each.number, "status": each.status} for each in offered
        ],
        "is_answer": answers,
        "again": again,
        "draft": draft,
        "may_file": may_file,
        "problem": problem,
        **facts.settings.limits,
        **pile.left,
    }
    return Screen("stray", values, tuple(filter(None, rows)))


def advance(session: Session, event: Pressed | Said, facts: Facts) -> Turn:
    """One event while the choice waits. More words and files join the same pile."""
    pile = stray_of(session)
    if pile is None:
        return menu.rest(session, facts)
    if not isinstance(event, Pressed):
        after, orders, problem = gather(pile, event, facts.settings)
        session = with_stray(session, after)
        return Turn(session, stray_screen(session, facts, problem), orders)
    head, _, rest = event.value.partition(":")[2].partition(":")
    # A ticket that was offered may be chosen after its day is over as well: what may be added to is judged with the order.
    known = facts.screen is not None and facts.screen.name == "stray" and head in ("to", "again")
    shown = facts.screen if known else None
    if not stray_screen(session, facts).offers(event.value) and not (shown is not None and shown.offers(event.value)):
        return Turn(session, stray_screen(session, facts, OLD))
    match head:
        case "to" | "again":
            title = next((each.title for each in choices(facts) if each.id == rest), "")
            session = session.put(about={"ticket": rest, "title": title}, done=event.value, sending="stray")
            order = AddToTicket if head == "to" else NotSolved
            return Turn(session, None, (order(rest, pile.words, pile.id),))
        case "todraft":
            return _join(with_stray(session, None), pile, facts)
        case "tonew":
            return afresh(with_stray(session, None), pile, facts)
        case _:
            return cancel(session, facts)


def cancel(session: Session, facts: Facts) -> Turn:
    session, orders = set_aside(session, "stray", facts)
    session = session.go("cancelled")
    return Turn(session, menu.cancelled_screen(session, facts), orders)


def afresh(session: Session, pile: Pile, facts: Facts) -> Turn:
    """A new request; the draft that was open can be brought back."""
    orders: tuple[Order, ...] = ()
    if open_draft(session):
        session, orders = set_aside(session, "draft", facts)
    turn = intake.start(session, facts, pile)
    return replace(turn, orders=(*orders, *turn.orders))


def _join(session: Session, pile: Pile, facts: Facts) -> Turn:
    """More of the draft: its files are kept under the draft's id from now on."""
    draft = open_draft(session) or begin(facts)
    into, orders, problem = merge(draft.pile, pile, facts.settings)
    if problem:  # too long for one request: both stay as they are
        session = with_stray(session, pile)
        return Turn(session, stray_screen(session, facts, "not_together"))
    draft = replace(draft, pile=into)
    if draft.step == "description" and not draft.returning:
        draft = settle(draft, facts)  # what was asked for has come
    turn = intake.resume(with_draft(session, draft), facts)
    return replace(turn, orders=(*orders, *turn.orders))
