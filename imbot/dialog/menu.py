"""The menu and what lies next to it: about me, help, consent, what was cancelled, and the few screens that need no dialog at
all. Shows; the ways that lead here are in `dialog.turn`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imbot.dialog.draft import Pile
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.form import title_for
from imbot.dialog.layout import MENU, Row, button, literal, row
from imbot.dialog.orders import Consent, Order, SetLanguage, Unlink
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import addition_of, draft_of, drop_all, dropped_kind, dropped_words, open_draft, stray_of
from imbot.dialog.words import LANGUAGE_NAMES, REQUEST
from imbot.domain.people import given_name

# Buttons that mean the same wherever they stand; while nothing is being asked an older screen's may still be pressed.
PLAIN = frozenset({"new", "me", "help", "draft", "addition", "stray", "restore", "unlink", "stay"})


def rest(session: Session, facts: Facts, greeting: str = "", orders: tuple[Order, ...] = ()) -> Turn:
    """The menu. An open draft is set aside and can be continued from here."""
    session = session.go("rest")
    return Turn(session, menu_screen(session, facts, greeting), orders)


def menu_screen(session: Session, facts: Facts, greeting: str = "") -> Screen:
    """`greeting`: "" | welcome | hello | thanks | fine | nod | human (wanted) | unknown (a command nobody knows) | not_found."""
    values = {
        "greeting": greeting,
        "name": given_name(facts.person.name, facts.lang) if facts.person else "",
        "open": len(facts.open_tickets),
        "draft": draft_title(session, facts),
        "late": facts.late_news,
        "support_contact": facts.settings.support_contact,
        "now": facts.now.isoformat(),
    }
    rows = (
        row(button(session, "new")),
        row(draft_button(session)),
        row(Button("my", "my:0")),
        row(button(session, "me"), button(session, "help")),
    )
    return Screen("menu", values, tuple(filter(None, rows)))


def draft_button(session: Session) -> Button | None:
    """The way back to what was begun last and set aside."""
    addition = addition_of(session)
    if addition is not None and addition.pile:
        return button(session, "addition", "open_addition")
    if stray_of(session):
        return button(session, "stray", "open_stray")
    return button(session, "draft") if open_draft(session) else None


def home_row(session: Session) -> Row:
    """The last row of every screen that asks nothing."""
    return row(draft_button(session), MENU)


def draft_title(session: Session, facts: Facts) -> str:
    """What the open draft is about, "" if there is none."""
    draft = open_draft(session)
    return title_for(draft, facts, facts.lang, REQUEST) if draft is not None else ""


def me(session: Session, facts: Facts) -> Turn:
    session = session.go("me")
    return Turn(session, me_screen(session, facts))


def me_screen(session: Session, facts: Facts) -> Screen:
    person = facts.person
    values: dict[str, Any] = {
        key: getattr(person, key, "") for key in ("name", "address", "phone", "office", "department")
    }
    others = [
        literal(session, f"lang:{lang}", LANGUAGE_NAMES.get(lang, lang))
        for lang in facts.settings.languages[:4]
        if lang != facts.lang
    ]
    rows = (row(button(session, "unlink"), *others), home_row(session))
    return Screen("me", values | {"support_contact": facts.settings.support_contact}, rows)


def set_language(session: Session, facts: Facts, lang: str) -> Turn:
    """The screen is built for the new language; whoever renders it takes that language at once."""
    session = session.go("me")
    return Turn(session, me_screen(session, replace(facts, lang=lang)), (SetLanguage(lang),))


def unlink_screen(session: Session, facts: Facts) -> Screen:
    values = {"draft": draft_title(session, facts), "open": len(facts.open_tickets)}
    return Screen("unlink", values, (row(button(session, "yes", "unlink_yes"), button(session, "stay")),))


def unlink(session: Session) -> Turn:
    """Nothing that this person wrote stays in the chat."""
    session, orders = drop_all(session)
    return Turn(session, None, (*orders, Unlink()))


def help_turn(session: Session, facts: Facts) -> Turn:
    session = session.go("help")
    return Turn(session, help_screen(session, facts))


def help_screen(session: Session, facts: Facts) -> Screen:
    values = {
        "linked": facts.person is not None,
        "support_contact": facts.settings.support_contact,
        "max_bytes": facts.settings.max_file_bytes,
    }
    rows = (home_row(session),) if facts.person is not None else ()
    return Screen("help", values, rows)


def consent_screen(session: Session, facts: Facts) -> Screen:
    values = {
        "name": given_name(facts.person.name, facts.lang) if facts.person else "",
        "kept": open_draft(session) is not None,
        "version": facts.settings.consent_version,
        "support_contact": facts.settings.support_contact,
    }
    return Screen("consent", values, (row(button(session, "agree")), row(button(session, "not_now"))))


def consent_declined_screen(session: Session, facts: Facts) -> Screen:
    values = {"support_contact": facts.settings.support_contact}
    rows = (row(button(session, "to_consent")), row(button(session, "yes", "unlink")))
    return Screen("consent_declined", values, rows)


def agreed(session: Session, facts: Facts) -> Turn:
    turn = welcome(session, facts)
    return Turn(turn.session, turn.screen, (Consent(facts.settings.consent_version), *turn.orders))


def welcome(session: Session, facts: Facts) -> Turn:
    """After sign-in: what was written before it is offered first."""
    if open_draft(session):
        session = session.go("welcome")
        return Turn(session, welcome_screen(session, facts, first=True))
    return rest(session, facts, "welcome")


def welcome_screen(session: Session, facts: Facts, *, first: bool = False) -> Screen:
    """`first`: they have just been signed in, and are greeted. Only the newest bears buttons."""
    draft = draft_of(session)
    values = {
        "first": first,
        "name": given_name(facts.person.name, facts.lang) if facts.person else "",
        "text": draft.pile.words if draft else "",
        "files": draft.pile.count if draft else 0,
        **facts.settings.limits,
        **(draft.pile if draft else Pile("")).left,
    }
    rows = (row(button(session, "draft")), row(button(session, "cancel", "not_needed")))
    return Screen("welcome", values, rows, retires=True)  # the greeting above it says less than this one


def offer(session: Session, facts: Facts) -> Turn:
    session = session.go("offer")
    return Turn(session, offer_screen(session, facts))


def offer_screen(session: Session, facts: Facts) -> Screen:
    """ "Continue your draft?" """
    draft = draft_of(session)
    values = {
        "draft": draft_title(session, facts),
        "text": draft.pile.words if draft else "",
        "files": draft.pile.count if draft else 0,
        **(draft.pile if draft else Pile("")).left,
        "started_at": draft.started_at if draft else None,
        "now": facts.now.isoformat(),
    }
    return Screen("offer", values, (row(button(session, "draft")), row(button(session, "anew"), MENU)))


def cancelled_screen(session: Session, facts: Facts, *, earlier: bool = False) -> Screen:
    """`earlier`: nothing was cancelled now, and what can be brought back is of a time before."""
    kind = dropped_kind(session)
    rows = (row(button(session, "restore", f"restore_{kind}")) if kind else (), home_row(session))
    text = dropped_words(session) if earlier else ""
    values = {"kind": kind, "late": facts.late_news, "earlier": earlier and bool(kind), "text": text}
    return Screen("cancelled", values, tuple(filter(None, rows)))


def one_open_screen(session: Session, facts: Facts) -> Screen:
    """A company allows one open ticket at a time: what can be done instead."""
    tickets = facts.open_tickets[:1]
    give = [button(session, "give")] if open_draft(session) else [Button("add", f"add:{each.id}") for each in tickets]
    values = {
        "title": tickets[0].title if tickets else "",
        "number": tickets[0].number if tickets else "",
        "draft": draft_title(session, facts),
        "support_contact": facts.settings.support_contact,
    }
    rows = (tuple(give), tuple(Button("details", f"t:{each.id}") for each in tickets), (MENU,))
    return Screen("one_open", values, tuple(filter(None, rows)))


def gone_screen(facts: Facts) -> Screen:
    """The directory no longer knows the person."""
    return Screen("gone", {"support_contact": facts.settings.support_contact})


def private_only_screen(support_contact: str = "") -> Screen:
    """The one answer that a group gets."""
    return Screen("private_only", {"support_contact": support_contact})
