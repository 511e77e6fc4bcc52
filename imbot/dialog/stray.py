"""Words and files that come out of the blue: an addition to an open ticket, more of the draft, or a new request? Where only
one of these is possible it is not asked.
"""

from __future__ import annotations

from dataclasses import replace

from imbot.dialog import intake, menu
from imbot.dialog.draft import Pile, Said, add_text, begin, files_values, gather, keep_order
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import button, literal, row
from imbot.dialog.orders import AddToTicket, DropDraft, KeepFile, Order
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import anew, open_draft, set_aside, stray_of, with_draft, with_stray
from imbot.domain.chats import Pressed

OFFERED = 3  # open tickets to choose from; the others are found in "my tickets"


def take(session: Session, event: Said, facts: Facts) -> Turn:
    """Something came while nothing was asked."""
    pile, orders, problem = gather(stray_of(session) or Pile(facts.fresh_id), event, facts.settings)
    if not pile:
        turn = menu.rest(session, facts, "not_text" if problem == "not_text" else "")
        return replace(turn, orders=orders)
    turn = place(session, pile, facts, problem)
    return replace(turn, orders=(*orders, *turn.orders))


def place(session: Session, pile: Pile, facts: Facts, problem: str = "") -> Turn:
    """Ask where the pile belongs, if there is a choice."""
    if not facts.open_tickets and open_draft(session) is None:
        turn = intake.start(with_stray(session, None), facts, pile)
        screen = intake.current(turn.session, facts, problem) if problem else turn.screen
        return replace(turn, screen=screen)
    session = anew(with_stray(session, pile).go("stray"), facts)
    return Turn(session, stray_screen(session, facts, problem))


def stray_screen(session: Session, facts: Facts, problem: str = "") -> Screen:
    pile = stray_of(session) or Pile("")
    draft = menu.draft_title(session, facts)
    one = len(facts.open_tickets) == 1
    items = [
        (button(session, f"to:{each.id}", "add_here") if one else literal(session, f"to:{each.id}", each.title),)
        for each in facts.open_tickets[:OFFERED]
    ]
    may_file = not (facts.settings.one_open_ticket and facts.open_tickets)
    rows = (
        *items,
        row(button(session, "todraft") if open_draft(session) else None),
        row(button(session, "tonew") if may_file else None, button(session, "cancel")),
    )
    values = {
        "text": pile.words,
        "held": files_values(pile),
        "files": len(pile.files),
        "tickets": [
            {"id": each.id, "title": each.title, "number": each.number} for each in facts.open_tickets[:OFFERED]
        ],
        "draft": draft,
        "may_file": may_file,
        "problem": problem,
        **facts.settings.limits,
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
    screen = stray_screen(session, facts)
    if not screen.offers(event.value):
        return Turn(session, screen)
    head, _, rest = event.value.partition(":")[2].partition(":")
    match head:
        case "to":
            title = next((each.title for each in facts.open_tickets if each.id == rest), "")
            session = session.put(about={"ticket": rest, "title": title}, done=event.value, sending="stray")
            return Turn(session, None, (AddToTicket(rest, pile.words, pile.id),))
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
    into, problem = draft.pile, ""
    for part in pile.parts:
        into, trouble = add_text(into, part.text, part.message_id, facts.settings)
        problem = problem or trouble
    if problem:  # too long for one request: both stay as they are
        session = with_stray(session, pile)
        return Turn(session, stray_screen(session, facts, problem))
    known = {held.file.unique_id for held in into.files}
    files = tuple(held for held in pile.files if held.file.unique_id not in known)
    into = replace(into, files=(*into.files, *files))
    moved: list[KeepFile] = [keep_order(into.id, held) for held in files]
    orders: tuple[Order, ...] = (*moved, DropDraft(pile.id)) if pile.files else ()
    turn = intake.resume(with_draft(session, replace(draft, pile=into)), facts)
    return replace(turn, orders=(*orders, *turn.orders))
