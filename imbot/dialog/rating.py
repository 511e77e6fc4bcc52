"""After the work: stars, what went wrong, and "not solved". Thanks never reopen anything, and what we only asked for is
never said to have happened.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imbot.dialog import menu
from imbot.dialog.draft import Addition, Pile, Said, gather, to_json
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import button, old, row
from imbot.dialog.orders import AddToTicket, Complain, NotSolved, Rate
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import about_of, anew, extra_of, with_extra, with_reply
from imbot.domain.chats import Pressed

STATES = frozenset({"complain", "not_solved"})


def rate(session: Session, ticket: str, stars: int) -> Turn:
    """`stars` 0: no rating."""
    return Turn(session, None, (Rate(ticket, stars or None),))


def rated(session: Session, facts: Facts, values: dict[str, Any]) -> Turn:
    """One or two stars: what went wrong is asked, once."""
    about = {"title": "", "number": "", "stars": None} | values
    if about["stars"] in (1, 2):
        session = anew(session.go("complain").put(about=about), facts)
        return Turn(session, asking_screen(session, facts))
    session = session.go("rest")
    return Turn(session, Screen("rated", about | _contact(facts), (menu.home_row(session),)))


def ask_reason(session: Session, facts: Facts, values: dict[str, Any]) -> Turn:
    """ "Not solved": the reason is asked, if the work may be asked for again."""
    about = {"ticket": values.get("id", ""), "title": values.get("title", ""), "number": values.get("number", "")}
    if not values.get("can_reopen"):
        session = session.go("rest")
        rows = (row(Button("new_linked", f"new:{about['ticket']}")), menu.home_row(session))
        return Turn(session, Screen("cannot_reopen", about | _contact(facts), rows))
    session = anew(session.put(about=about), facts)
    return Turn(session, asking_screen(session, facts))


def asking_screen(session: Session, facts: Facts, problem: str = "") -> Screen:
    """The question for words, after few stars or "not solved"."""
    extra = extra_of(session)
    pile = extra.pile if extra is not None else Pile("")
    values = about_of(session) | {"files": pile.count, "problem": problem} | facts.settings.limits | pile.left
    return Screen(session.state, values | _contact(facts) | {"stars": about_of(session).get("stars")}, _ways(session))


def asking(session: Session, event: Pressed | Said, facts: Facts) -> Turn:
    """One event while those words are awaited. Photos wait with us for the words."""
    if isinstance(event, Pressed):
        screen = asking_screen(session, facts)
        name = event.value.partition(":")[2] if screen.offers(event.value) else ""
        if name == "skip":
            return _told(session.put(done=event.value), "", facts)
        return leave(session, facts) if name == "cancel" else Turn(session, old(screen))
    extra = extra_of(session) or Addition(Pile(facts.fresh_id), str(about_of(session)["ticket"]))
    pile, orders, problem = gather(extra.pile, event, facts.settings)
    session = with_extra(session, replace(extra, pile=pile) if pile else None)
    turn = Turn(session, asking_screen(session, facts, problem))
    if pile.words and not problem:
        turn = _told(session, pile.words, facts)
    return replace(turn, orders=(*orders, *turn.orders))


def leave(session: Session, facts: Facts) -> Turn:
    """Without words; the stars given stay given."""
    return menu.rest(session, facts)


def hand_on(turn: Turn) -> Turn:
    """Photos that came without the words that were asked for go into the ticket's thread once that question is left
    behind, whichever way."""
    extra = extra_of(turn.session)
    asking_still = (
        turn.session.state in STATES and extra is not None and extra.ticket == about_of(turn.session)["ticket"]
    )
    if extra is None or asking_still:
        return turn
    session = with_extra(turn.session, None).put(left=to_json(extra), sending="left")
    # First of all: the screen that counts is that of the last outcome.
    orders = (AddToTicket(extra.ticket, extra.pile.words, extra.pile.id), *turn.orders)
    return replace(turn, session=session, orders=orders)


def later(session: Session, values: dict[str, Any]) -> Turn:
    """Not now; where stars were given already, they stand."""
    session = session.go("rest")
    shown = {"stars": values.get("stars"), "can_rate": bool(values.get("can_rate"))}
    return Turn(session, Screen("later", shown, (menu.home_row(session),)))


def complained_screen(session: Session, facts: Facts, values: dict[str, Any]) -> Screen:
    """A complaint reopens nothing: what does stands below it."""
    shown = about_of(session) | {"can_reopen": False} | values
    again = row(Button("not_solved", f"ns:{shown['ticket']}") if shown["can_reopen"] else None)
    return Screen("complained", shown | _contact(facts), tuple(filter(None, (again, menu.home_row(session)))))


def reopen_asked_screen(session: Session, facts: Facts, values: dict[str, Any]) -> Screen:
    shown = {"title": "", "number": "", "reason": "", "until": None} | values | {"now": facts.now.isoformat()}
    return Screen("reopen_asked", shown | _contact(facts), (menu.home_row(session),))


def not_ratable_screen(session: Session, values: dict[str, Any]) -> Screen:
    return Screen("not_ratable", {"ticket": "", "title": "", "number": ""} | values, (menu.home_row(session),))


def _told(session: Session, words: str, facts: Facts) -> Turn:
    """The words are there, or will not come: a complaint, or the wish that the work be taken up again."""
    about, state = about_of(session), session.state
    session = session.go("rest")
    extra, ticket = extra_of(session), str(about["ticket"])
    said = extra if extra is not None and extra.ticket == ticket else Addition(Pile(""), ticket)
    files = said.pile.id if said.pile.files else ""
    if state == "not_solved" or words:
        session = with_extra(session, None)  # the photos go with the words, in one letter
    if state == "not_solved":  # kept until it is known that the request takes them
        return Turn(with_reply(session, said).put(sending="reply"), None, (NotSolved(ticket, words, files),))
    if words:
        return Turn(session, None, (Complain(ticket, words, files),))
    values = about | {"stars": about.get("stars")} | _contact(facts)
    return Turn(session, Screen("rated", values, (menu.home_row(session),)))


def _ways(session: Session) -> tuple[tuple[Button, ...], ...]:
    skip = button(session, "skip", "skip_words") if session.state == "complain" else button(session, "skip", "no_words")
    return (row(skip, button(session, "cancel") if session.state == "not_solved" else None),)


def _contact(facts: Facts) -> dict[str, Any]:
    return {"support_contact": facts.settings.support_contact}
