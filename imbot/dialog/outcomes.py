"""What becomes of a turn once its orders have been carried out: each `Happened` and the screen that tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imbot.dialog import admin, menu, rating, replying, requests, signin, stray, tickets
from imbot.dialog.draft import Pile, messages_of
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import OLD, old, row
from imbot.dialog.orders import Order
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import about_of, addition_of, anew, draft_of, reply_of, stray_of, with_draft
from imbot.dialog.standing import again
from imbot.domain.chats import Happened

SIGN_IN = frozenset({"looked_up", "code_checked", "token_checked", "unlinked"})


def advance(session: Session, event: Happened, facts: Facts) -> Turn:
    if event.name in SIGN_IN:
        return signin.happened(session, event, facts)
    values = dict(event.values)
    if event.name in admin.HAPPENED:
        return admin.happened(session, event.name, values)
    match event.name:
        case "opened":
            return _opened(session, values, facts)
        case "not_opened":
            return _not_opened(session, values, facts)
        case "added":
            return _added(session, values, facts)
        case "cannot_add":
            return replying.ended(session, values, facts) or _not_found(session, facts, "ended")
        case "tickets":
            screen = tickets.list_screen(session, facts, values)
            return _looked_at(session.go("tickets"), screen)
        case "ticket":
            return _ticket(_without_taken(session) if values.get("taken") else session, values, facts)
        case "reopen_asked" if session.data.get("sending") == "stray":  # with words that came out of the blue
            sent = {"ticket": values.get("ticket", ""), "messages": messages_of(stray_of(session) or Pile(""))}
            session = anew(session.put(sending=None, stray=None, about=None, sent=sent).go("rest"), facts)
            return Turn(session, rating.reopen_asked_screen(session, facts, values))
        case "reopen_asked":
            session = _without_taken(session).go("rest")
            return Turn(session, rating.reopen_asked_screen(session, facts, values))
        case "not_found" if session.state == "adding" and values.get("more"):
            return Turn(session, old(tickets.adding_screen(session, facts)))  # a letter to be read: the answer stays
        case "not_found":
            return _not_found(session, facts)
        case "rated":
            return rating.rated(session, facts, values)
        case "more" if session.state == "adding" and about_of(session)["ticket"] == values.get("ticket"):
            return Turn(session, tickets.more_screen(session, values))  # read again in the middle of an answer to it
        case _:
            return Turn(session.go("rest"), _told(session, event.name, values, facts))


def _told(session: Session, name: str, values: dict[str, Any], facts: Facts) -> Screen | None:
    """The screens that only tell. An outcome without a screen of its own shows nothing new."""
    match name:
        case "not_ratable":
            return rating.not_ratable_screen(session, values)
        case "complained":
            return rating.complained_screen(session, facts, values)
        case "more":
            return tickets.more_screen(session, values)
        case "withdrawn_asked" | "resent" | "not_failed":
            shown = about_of(session) | {"text": "", "late": facts.late_news, "now": facts.now.isoformat()} | values
            return Screen(name, shown, (_ticket_row(session, values),))
        case _:
            return None


def _opened(session: Session, values: Mapping[str, Any], facts: Facts) -> Turn:
    """The receipt is put by whoever opened the ticket. An edit of these messages that comes later is noticed."""
    draft = draft_of(session)
    sent = {"ticket": values.get("ticket", ""), "messages": messages_of(draft.pile) if draft else []}
    session = with_draft(session.put(sent=sent, previous=None), None)
    return Turn(anew(session.go("rest"), facts), None)


def _not_opened(session: Session, values: Mapping[str, Any], facts: Facts) -> Turn:
    """The draft is kept in either case."""
    session = session.put(done=None)
    if values.get("reason") == "one_open":
        session = session.go("one_open")
        return Turn(session, menu.one_open_screen(session, facts))
    return Turn(session.go("rest"), menu.gone_screen(facts))


def _added(session: Session, values: Mapping[str, Any], facts: Facts) -> Turn:
    """Words and files went into the thread, or wait for the number: the screen says which."""
    about, kind = about_of(session), session.data.get("sending")
    held = {"addition": addition_of, "reply": reply_of, "stray": stray_of, "draft": draft_of}.get(str(kind))
    if held is None:
        # Photos that went along with a complaint: what is said of that comes after.
        return again(session.put(sending=None, left=None), facts)
    thing = held(session)
    pile = thing if isinstance(thing, Pile) else thing.pile if thing is not None else None
    session = session.put(sending=None, **{str(kind): None})
    ticket = values.get("ticket", about["ticket"])
    session = session.put(
        sent={"ticket": ticket, "messages": messages_of(pile) if pile is not None else []}, about=None
    )
    session = anew(session.go("rest"), facts)
    shown = {
        "ticket": ticket,
        "title": values.get("title", about["title"]),
        "number": values.get("number", about["number"]),
        "waits": bool(values.get("waits")),
        "is_answer": tickets.is_answer(values),
        "files": pile.count if pile is not None else 0,
        **facts.settings.limits,
        **(pile or Pile("")).left,
        "late": facts.late_news,
    }
    more = row(Button("add", f"add:{ticket}") if kind == "reply" else None)
    return Turn(session, Screen("added", shown, tuple(filter(None, (more, _ticket_row(session, values))))))


def _without_taken(session: Session) -> Session:
    """Words that have gone, behind "not solved" or as an addition, wait no longer."""
    kind = session.data.get("sending")
    return session.put(sending=None, **{str(kind): None}) if kind in ("stray", "reply") else session


def _ticket(session: Session, values: dict[str, Any], facts: Facts) -> Turn:
    """A ticket of theirs, and what was wanted with it."""
    about = {"ticket": values.get("id", ""), "title": values.get("title", ""), "number": values.get("number", "")}
    if session.state == "withdraw" and values.get("can_withdraw"):
        session = anew(session.put(about=about), facts)
        return Turn(session, tickets.withdraw_screen(session, facts))
    if session.state == "withdraw" and not str(values.get("asked", "")).startswith("withdraw"):
        values = values | {"problem": "nothing_to_withdraw"}
    if session.state == "adding":
        return replying.found(session.put(about=about), values, facts)
    if session.state == "linked":
        return requests.after_ticket(session, facts, values)
    if session.state == "later":
        return rating.later(session, values)
    if session.state == "not_solved":
        return rating.ask_reason(session, facts, values)
    session = session.go("ticket").put(about=about)
    return _looked_at(session, tickets.details_screen(session, facts, values))


def _looked_at(session: Session, screen: Screen) -> Turn:
    """A list or a ticket; perhaps shown again because an old button was pressed."""
    again = session.data.get("problem") == OLD
    return Turn(session.put(problem=None), old(screen) if again else screen)


def _not_found(session: Session, facts: Facts, problem: str = "not_found") -> Turn:
    """There is no such ticket, or it is somebody else's: the same words. What was meant for it is kept. `problem`: why the
    words that came out of the blue wait still."""
    session = session.put(done=None, problem=None, sending=None)
    if session.state == "stray":
        return Turn(session, stray.stray_screen(session, facts, problem))
    orders: tuple[Order, ...] = ()
    if session.state == "adding" or reply_of(session) is not None:
        session, orders = replying.not_found(session, facts)
    turn = menu.rest(session, facts, "not_found")
    return replace(turn, orders=(*orders, *turn.orders))


def _ticket_row(session: Session, values: Mapping[str, Any]) -> tuple[Button, ...]:
    ticket = values.get("ticket") or about_of(session)["ticket"]
    details = Button("details", f"t:{ticket}") if ticket else None
    return row(details, *menu.home_row(session))
