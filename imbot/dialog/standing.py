"""The current screen, whatever is being done: built again from the session alone. It answers buttons that are no longer
offered and everything else that changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from imbot.dialog import intake, menu, rating, stray, tickets
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import OLD, old
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import about_of, addition_of, draft_of, open_draft, stray_of


def outdated(session: Session, facts: Facts) -> Turn:
    """The answer to a button that the current screen does not offer: that screen once more, saying why."""
    turn = again(session, facts)
    return (
        replace(turn, screen=old(turn.screen)) if turn.screen else replace(turn, session=turn.session.put(problem=OLD))
    )


def again(session: Session, facts: Facts) -> Turn:
    """The current screen once more."""
    if session.state == "tickets":
        page = session.data.get("page")
        return tickets.ask_list(session, page if isinstance(page, int) else 0)
    if session.state == "ticket":
        return tickets.ask_details(session, str(about_of(session)["ticket"]))
    return Turn(session, screen_of(session, facts))


def screen_of(session: Session, facts: Facts) -> Screen:
    """The screen of what is asked or looked at; the menu where that has gone. A list or a ticket is asked for anew: `again`."""
    match session.state:
        case "form" if draft_of(session) is not None:
            return intake.current(session, facts)
        case "stray" if stray_of(session):
            return stray.stray_screen(session, facts)
        case "adding" if addition_of(session):
            return tickets.adding_screen(session, facts)
        case "withdraw":
            return tickets.withdraw_screen(session, facts)
        case "complain" | "not_solved":
            return rating.asking_screen(session, facts)
        case "me":
            return menu.me_screen(session, facts)
        case "unlink":
            return menu.unlink_screen(session, facts)
        case "help":
            return menu.help_screen(session, facts)
        case "offer" if open_draft(session):
            return menu.offer_screen(session, facts)
        case "welcome" if open_draft(session):
            return menu.welcome_screen(session, facts)
        case "cancelled":
            return menu.cancelled_screen(session, facts)
        case "one_open" if facts.open_tickets:
            return menu.one_open_screen(session, facts)
        case _:
            return menu.menu_screen(session, facts)
