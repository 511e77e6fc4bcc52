"""One step of a conversation: `advance(session, event, facts) -> Turn`. Pure: no clock, no store, no channel. Here is the
way of an event to the part of the dialog that answers it.

    outcome of an order -> outcomes        nobody linked -> signin          consent owed -> `_gate`
    command, durable button -> from any state, what was begun is set aside
    by state: form -> intake, stray -> stray, adding and withdraw -> tickets, complain and not_solved -> rating
    anything else: buttons -> `_plain`, words and files -> stray.take
"""

from __future__ import annotations

import re
from dataclasses import replace

from imbot.dialog import admin, edits, intake, menu, outcomes, rating, replying, requests, signin, stray, taps, tickets
from imbot.dialog.facts import DialogSettings, Facts, TicketBrief, Turn
from imbot.dialog.layout import old
from imbot.dialog.orders import RedeemToken
from imbot.dialog.session import Session
from imbot.dialog.slots import addition_of, anew, bring_back, draft_of, expire, open_draft, stray_of
from imbot.dialog.standing import outdated, screen_of
from imbot.dialog.typed import names_send, says_change, says_fine, says_send, thing_in
from imbot.dialog.words import asks_for_a_human, command_in, politeness_in, yes_or_no
from imbot.domain.chats import Attached, Blocked, Commanded, Edited, Event, Happened, Pressed, Shared, Typed

__all__ = ["DialogSettings", "Facts", "Session", "TicketBrief", "Turn", "advance"]

_DURABLE = re.compile(r"(menu|my|t|add|wd|rs|rate|ns|later|new)(?::([A-Za-z0-9_-]+))?(?::([0-5]))?")
_Said = Pressed | Typed | Attached | Edited | Commanded | Shared
_BUSY = frozenset({"form", "stray", "adding", "complain", "not_solved", "withdraw"})
_SENDS = {"form": "send", "adding": "send_addition"}  # states, and their buttons that send
# Questions that "yes" and "no" answer, and the button that each of them stands for.
_ANSWERS = {
    "withdraw": {"yes": "yes", "no": "no"},
    "unlink": {"yes": "yes", "no": "stay"},
    "welcome": {"yes": "draft", "no": "cancel"},
}
_CONSENT = frozenset({"consent", "consent_declined"})


def advance(session: Session, event: Event, facts: Facts) -> Turn:
    """What becomes of the session, what is shown and what is to be done. Never raises, whatever the event."""
    session, expired = expire(session, facts)
    if not session.token:
        session = anew(session, facts)
    if isinstance(event, Pressed) and taps.is_done(session, event, facts):
        return Turn(session, None, expired)
    if isinstance(event, Typed) and facts.person is not None and signin.is_used_code(session, event.text):
        return Turn(session, screen_of(session, facts), expired)  # sent twice, and no words of a request
    last = taps.last_of(session)
    if not isinstance(event, Happened):
        session = taps.forget(session, event).put(tried=None)
    turn = Turn(session) if isinstance(event, Blocked) else _advance(session, event, facts)
    turn = rating.hand_on(turn)
    if isinstance(event, Pressed):
        turn = taps.note(turn, event, session, last, facts)
    return replace(turn, orders=(*expired, *turn.orders), edit=isinstance(event, Pressed))


def _advance(session: Session, event: _Said | Happened, facts: Facts) -> Turn:
    if isinstance(event, Happened):
        return outcomes.advance(session, event, facts)
    if isinstance(event, Commanded) and event.name == "start" and event.argument:
        return Turn(session, None, (RedeemToken(event.argument),))
    if facts.person is None:
        return signin.advance(session, event, facts)
    if facts.settings.consent and not facts.consented:
        return _gate(session, event, facts)
    if session.state in signin.STATES | _CONSENT:
        session = session.go("rest")
    if isinstance(event, Edited):
        return edits.advance(session, event, facts)
    if isinstance(event, Commanded):
        return _command(session, event.name, facts)
    if isinstance(event, Typed) and command_in(event.text):
        return _command(session, command_in(event.text), facts)
    if isinstance(event, Pressed):
        return _pressed(session, event, facts)
    return _given(session, event, facts)


def _command(session: Session, name: str, facts: Facts) -> Turn:
    match name:
        case "start":
            return menu.offer(session, facts) if open_draft(session) else menu.rest(session, facts, "hello")
        case "menu":
            return menu.rest(session, facts)
        case "newticket" | "new":
            return requests.new(session, facts)
        case "mytickets" | "tickets":
            return tickets.ask_list(session, 0)
        case "me":
            return menu.me(session, facts)
        case "help":
            return menu.help_turn(session, facts)
        case "cancel":
            return _cancel(session, facts)
        case _:
            if session.state in _BUSY:
                return Turn(session, screen_of(session, facts))
            return menu.rest(session, facts, "unknown")


def _cancel(session: Session, facts: Facts) -> Turn:
    match session.state:
        case "stray" if stray_of(session):
            return stray.cancel(session, facts)
        case "adding":
            return tickets.cancel_adding(session, facts)
        case "complain" | "not_solved":
            return rating.leave(session, facts)
        case "form" | "offer" | "welcome" | "rest" if draft_of(session) is not None:
            return intake.cancel(session, facts)
        case _ if stray_of(session):
            return stray.cancel(session, facts)
        case _:
            return menu.rest(session, facts)


def _pressed(session: Session, event: Pressed, facts: Facts) -> Turn:
    if admin.BUTTON.fullmatch(event.value):
        return admin.pressed(session, event, facts)
    letter = tickets.MORE.fullmatch(event.value)
    if letter:
        return tickets.ask_more(session, letter[1], int(letter[2]), int(letter[3]))
    durable = _DURABLE.fullmatch(event.value)
    if durable:
        return _durable(session, durable[1], durable[2] or "", durable[3], facts)
    sends = event.value == session.value(_SENDS.get(session.state, ""))
    if sends and (_is_elsewhere(event, facts) or taps.is_refused(session, event, facts)):
        # More may have come since: it is shown as it is now, and sent by the next tap.
        session = taps.refuse(session, event)
        return intake.to_be_sent(session, facts) if session.state == "form" else outdated(session, facts)
    match session.state:
        case "form":
            return intake.advance(session, event, facts)
        case "stray":
            return stray.advance(session, event, facts)
        case "adding":
            return tickets.adding(session, event, facts)
        case "withdraw":
            return tickets.withdrawing(session, event, facts)
        case "complain" | "not_solved":
            return rating.asking(session, event, facts)
        case _:
            token, _, name = event.value.partition(":")
            return _plain(session, name, facts) if token == session.token else outdated(session, facts)


def _is_elsewhere(event: Pressed, facts: Facts) -> bool:
    """Whether the button is not on the message that bears the current screen, as far as both are known."""
    return bool(event.message_id and facts.screen_id) and event.message_id != facts.screen_id


def _durable(session: Session, name: str, what: str, figure: str | None, facts: Facts) -> Turn:
    """Buttons that work at any time. Whose ticket it is, is checked where the order is carried out."""
    match name:
        case "menu":
            return menu.rest(session, facts)
        case "my":
            return tickets.ask_list(session, int(what) if what.isdecimal() and len(what) < 6 else 0)
        case "add":
            return tickets.add_to(session, what, facts)
        case "wd":
            return tickets.ask_details(session, what, "withdraw")
        case "rs":
            return tickets.resend(session, what)
        case "rate" if figure is not None:
            return rating.rate(session, what, int(figure))
        case "ns":
            return tickets.ask_details(session, what, "not_solved")
        case "later":
            return tickets.ask_details(session, what, "later")
        case "new":
            return tickets.ask_details(session, what, "linked")
        case _:
            return tickets.ask_details(session, what)


def _plain(session: Session, name: str, facts: Facts) -> Turn:
    """A button of this dialog while nothing is being asked."""
    match name, session.state:
        case "new", _:
            return requests.new(session, facts)
        case "me" | "stay", _:
            return menu.me(session, facts)
        case "help", _:
            return menu.help_turn(session, facts)
        case "draft", "welcome":
            return requests.go_on(session, facts)
        case "draft", _ if open_draft(session):
            return intake.resume(session, facts)
        case "addition", _ if addition_of(session):
            return Turn(session.go("adding"), tickets.adding_screen(session, facts))
        case "stray", _ if stray_of(session):
            return Turn(session.go("stray"), stray.stray_screen(session, facts))
        case "send_addition", _ if addition_of(session):
            return Turn(session.go("adding"), old(tickets.adding_screen(session, facts)))
        case "send", state if state != "one_open" and open_draft(session):
            return intake.to_be_sent(session, facts)
        case "restore", _:
            return _restore(session, facts)
        case "cancel", "welcome":
            return intake.cancel(session, facts)
        case "anew", "offer":
            return requests.start_anew(session, facts)
        case "give", "one_open":
            return requests.give(session, facts)
        case "unlink", "me":
            return Turn(session.go("unlink"), menu.unlink_screen(session.go("unlink"), facts))
        case "yes", "unlink":
            return menu.unlink(session)
        case _, "me" if name.removeprefix("lang:") in facts.settings.languages:
            return menu.set_language(session, facts, name.removeprefix("lang:"))
        case _:
            return outdated(session, facts)


def _restore(session: Session, facts: Facts) -> Turn:
    """What was cancelled is back, where it was."""
    session, kind, orders = bring_back(session, facts)
    if kind == "draft":
        turn = intake.resume(session, facts)
        return replace(turn, orders=(*orders, *turn.orders))
    if kind:
        session = session.go("adding" if kind == "addition" else "stray")
    return Turn(session, screen_of(session, facts), orders)


def _given(session: Session, event: Typed | Attached | Shared, facts: Facts) -> Turn:
    """Words, a file or something else that somebody sent."""
    if isinstance(event, Shared) and event.kind == "sticker":
        return _nod(session, "nod", facts)
    polite = politeness_in(event.text) if isinstance(event, Typed) else ""
    if facts.replied_ticket and not (polite and not _waits_for_answer(facts)):
        here = addition_of(session)
        if session.state != "adding" or here is None or here.ticket != facts.replied_ticket:
            return replying.reply_to(session, event, facts)
    button = _button_in(session, event.text, facts) if isinstance(event, Typed) else ""
    if button:
        return _pressed(session, Pressed(session.value(button), ""), facts)
    if session.state == "adding":
        return tickets.adding(session, event, facts)
    if (polite or _only_nods(session, event)) and not _asks_for_words(session, facts):
        return _nod(session, polite, facts)
    human = isinstance(event, Typed) and bool(facts.settings.support_contact) and asks_for_a_human(event.text)
    match session.state:
        case "form":
            return intake.advance(session, event, facts)
        case "stray" if not human:
            return stray.advance(session, event, facts)
        case "complain" | "not_solved":
            return rating.asking(session, event, facts)
        case "welcome":
            session, orders, _ = signin.keep(session, event, facts)
            return Turn(session, menu.welcome_screen(session, facts), orders)
        case _ if human:
            return menu.rest(session, facts, "human")
        case _:
            named = _named(event, facts)
            return tickets.ask_details(session, named) if named else stray.take(session, event, facts)


def _button_in(session: Session, text: str, facts: Facts) -> str:
    """The button that was typed in place of a tap; "" where the words are an answer, or part of what is being told."""
    if session.state in _ANSWERS:
        return _ANSWERS[session.state].get(yes_or_no(text), "")
    match _step(session):
        case "review":
            return "send" if says_send(text) and _is_shown("review", facts) else "change" if says_change(text) else ""
        case "change":
            return "review" if says_send(text) else thing_in(text)
    addition = addition_of(session) if session.state == "adding" and not facts.replied_ticket else None
    told = addition is not None and addition.pile and _is_shown("adding", facts)
    return "send_addition" if told and says_send(text) else ""


def _is_shown(name: str, facts: Facts) -> bool:
    """Whether that screen, as it is now, stands in the chat: nobody sends what they have not seen."""
    return bool(facts.screen_id) and facts.screen is not None and facts.screen.name == name


def _only_nods(session: Session, event: Typed | Attached | Shared) -> bool:
    """Whether it is a word that stands for no button and is no part of a request. A "yes", "no" or "that is right" while it
    is looked through may be meant for news that have come since; a button's word, said once more, answers no question."""
    step, text = _step(session), event.text if isinstance(event, Typed) else ""
    if step in ("review", "change"):
        return bool(yes_or_no(text)) or says_fine(text) or names_send(text) or says_change(text)
    draft = draft_of(session)
    changing = draft is not None and (draft.returning or step in ("phone", "mail", "files"))
    return bool(step) and changing and (names_send(text) or says_change(text) or bool(thing_in(text)))


def _step(session: Session) -> str:
    """The question of the form that stands open, or ""."""
    draft = draft_of(session) if session.state == "form" else None
    return draft.step if draft is not None else ""


def _named(event: Typed | Attached | Shared, facts: Facts) -> str:
    """The ticket whose number is all that was written; "" where it is none of theirs that is open or was done just now."""
    text = event.text.strip(" .!?№#").casefold() if isinstance(event, Typed) else ""
    known = (*facts.open_tickets, *facts.recent_tickets)
    return next((each.id for each in known if each.number and each.number.casefold() == text), "")


def _nod(session: Session, greeting: str, facts: Facts) -> Turn:
    """A greeting, thanks or a sticker: the menu, or the question that waits. Never part of a request."""
    if session.state in _BUSY | {"welcome", "offer"}:
        return Turn(session, screen_of(session, facts))
    return menu.rest(session, facts, greeting)


def _waits_for_answer(facts: Facts) -> bool:
    """Whether support asked something about the ticket that is replied to: then "ok" is an answer."""
    return any(each.id == facts.replied_ticket and each.status == "waiting" for each in facts.open_tickets)


def _asks_for_words(session: Session, facts: Facts) -> bool:
    """Whether a field of the form waits for any words: "ok" may be the answer."""
    draft = draft_of(session) if session.state == "form" else None
    return draft is not None and intake.takes_any_words(draft, facts)


def _gate(session: Session, event: Event, facts: Facts) -> Turn:
    """Nothing goes on before consent; what is written meanwhile is kept."""
    if session.state not in _CONSENT:
        session = session.go("consent")
    declined = session.state == "consent_declined"
    screen = menu.consent_declined_screen(session, facts) if declined else menu.consent_screen(session, facts)
    match event:
        case Pressed() if screen.offers(event.value):
            return _consent_pressed(session, event.value.partition(":")[2], facts)
        case Pressed() if not _DURABLE.fullmatch(event.value):
            return Turn(session, old(screen))
        case Commanded(name="help"):
            return Turn(session, menu.help_screen(session, facts))
        case Typed() | Attached() | Shared() if not _is_small_talk(event):
            session, orders, _ = signin.keep(session, event, facts)
            session = session.go("consent")
            return Turn(session, menu.consent_screen(session, facts), orders)
        case _:
            return Turn(session, screen)


def _consent_pressed(session: Session, name: str, facts: Facts) -> Turn:
    match name:
        case "agree":
            return menu.agreed(session, facts)
        case "not_now":
            session = session.go("consent_declined")
            return Turn(session, menu.consent_declined_screen(session, facts))
        case "to_consent":
            session = session.go("consent")
            return Turn(session, menu.consent_screen(session, facts))
        case _:  # unlink
            return menu.unlink(session)


def _is_small_talk(event: Typed | Attached | Shared) -> bool:
    if isinstance(event, Typed):
        return bool(command_in(event.text) or politeness_in(event.text))
    return isinstance(event, Shared) and event.kind == "sticker"
