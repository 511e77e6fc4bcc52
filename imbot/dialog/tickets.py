"""Tickets that exist: the list, one in detail, adding to it, taking it back; and the screens that come without being asked
for, the receipt and the notices. What they say was true when the values were gathered, never more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from imbot.dialog import menu
from imbot.dialog.draft import Addition, Pile, Said, files_values, gather
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.layout import Row, button, old, row
from imbot.dialog.orders import AddToTicket, ListTickets, Order, ResendTicket, ShowMore, ShowTicket, Withdraw
from imbot.dialog.screen import MAX_BUTTONS, MAX_ROWS, Button, Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import about_of, addition_of, anew, set_aside, with_addition
from imbot.domain.chats import Pressed
from imbot.domain.notices import Notice
from imbot.domain.tickets import ANSWERED

LEDGER_LINES = 12
# Entries of the ledger that its templates have words for.
TOLD_IN_LEDGER = frozenset(
    {"filed", "accepted", "failed", "delayed", "bounced", "resent", "status", "reopened", "registered", "comment"}
    | {"files_came", "file_not_sent", "added", "complained", "withdraw_asked", "reopen_asked", "unconfirmed", "let_go"}
    | {"reopen_silence", "rated", "refused_file"}
)
# What a line of the ledger shows: characters of words, files, characters of a name.
LINE_WORDS, LINE_FILES, LINE_NAME = 200, 5, 60
_SAID = {"comment": ("text",), "status": ("question", "solution")}
MORE = re.compile(r"more:([A-Za-z0-9_-]+):(\d{1,12}):(\d{1,4})")
MOST = 8  # tickets on a page: with the buttons to turn it, as many as a screen holds


def ask_list(session: Session, page: int) -> Turn:
    return Turn(session.go("tickets").put(page=max(page, 0)), None, (ListTickets(max(page, 0)),))


def ask_details(session: Session, ticket: str, state: str = "ticket") -> Turn:
    """The ticket is shown if it is theirs; in a state such as `withdraw` what was wanted with it goes on then."""
    return Turn(session.go(state).put(about={"ticket": ticket}), None, (ShowTicket(ticket),))


def ask_more(session: Session, ticket: str, mail: int, page: int) -> Turn:
    return Turn(session, None, (ShowMore(ticket, mail, page),))


def more_screen(session: Session, values: Mapping[str, Any]) -> Screen:
    """A page of a whole letter of support, or with `mail` 0 of all that they said. `page` counts from 0."""
    shown = _MORE | dict(values)
    ticket, mail, page = shown["ticket"], shown["mail"], int(shown["page"])
    turn = row(
        Button("page_back", f"more:{ticket}:{mail}:{page - 1}") if page > 0 else None,
        Button("page_on", f"more:{ticket}:{mail}:{page + 1}") if page + 1 < shown["pages"] else None,
    )
    act = row(Button("answer", f"add:{ticket}") if shown["can_add"] else None, Button("details", f"t:{ticket}"))
    return Screen("more", shown, tuple(filter(None, (turn, act, menu.home_row(session)))))


def list_screen(session: Session, facts: Facts, values: Mapping[str, Any]) -> Screen:
    """`page` counts from 0."""
    tickets = list(values.get("tickets", ()))[:MOST]
    page, pages = int(values.get("page", 0)), int(values.get("pages", 1))
    first = page * facts.settings.page_size + 1
    items = [
        Button("ticket_line", f"t:{each['id']}", values={"number": number, "title": each["title"]})
        for number, each in enumerate(tickets, first)
    ]
    turn = row(
        Button("page_back", f"my:{page - 1}") if page > 0 else None,
        Button("page_on", f"my:{page + 1}") if page + 1 < pages else None,
    )
    last = (*turn, *menu.home_row(session))[: MAX_BUTTONS - len(items)]
    columns = 1 if len(items) < MAX_ROWS else 2
    rows = [tuple(items[start : start + columns]) for start in range(0, len(items), columns)]
    shown = {"page": page, "pages": pages, "first": first, "tickets": tickets, "late": facts.late_news}
    return Screen("tickets", shown | {"now": facts.now.isoformat()}, (*rows, last))


def details_screen(session: Session, facts: Facts, values: Mapping[str, Any]) -> Screen:
    """One ticket with its ledger in words: the newest lines, in the order in which they happened."""
    ticket = str(values.get("id", ""))
    ledger = [line for line in values.get("ledger", ()) if line["what"] in TOLD_IN_LEDGER]
    shown = (
        _DETAILS
        | dict(values)
        | {
            "ledger": ledger[-LEDGER_LINES:],
            "earlier": max(len(ledger) - LEDGER_LINES, 0),
            "late": facts.late_news,
            "support_contact": facts.settings.support_contact,
            "now": facts.now.isoformat(),
        }
    )
    act = row(
        Button(_adds(shown), f"add:{ticket}") if values.get("can_add") else None,
        Button("withdraw", f"wd:{ticket}") if values.get("can_withdraw") else None,
        Button("resend", f"rs:{ticket}") if values.get("can_resend") else None,
    )
    stars = star_row(ticket) if values.get("can_rate") else ()
    whole = row(Button("show_all", f"more:{ticket}:0:0") if _is_cut(shown["ledger"]) else None)
    again = row(Button("not_solved", f"ns:{ticket}") if values.get("can_reopen") else None)
    if not values.get("can_add"):
        again = (*again, Button("new_linked", f"new:{ticket}"))
    home = row(Button("to_list", "my:0"), *menu.home_row(session)[:1])
    return Screen("ticket", shown, tuple(filter(None, (whole, act, stars, again, home))))


def _adds(shown: Mapping[str, Any]) -> str:
    """What adding to a ticket is called while support waits for an answer, and else."""
    return "answer" if is_answer(shown) and shown["asked"] != ANSWERED else "add"


def _is_cut(ledger: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the lines of the ledger leave out something that support said or sent: templates cut at the same."""
    for line in ledger:
        values = line["values"]
        words = [values.get(name) or "" for name in _SAID.get(line["what"], ())]
        came = line["what"] == "files_came"
        names = [*(values.get("files") or []), *(values.get("refused") or [])] if came else []
        if any(len(" ".join(str(one).split())) > LINE_WORDS for one in words):
            return True
        if len(names) > LINE_FILES or any(len(str(name)) > LINE_NAME for name in names):
            return True
    return False


def star_row(ticket: str) -> Row:
    return tuple(Button("star", f"rate:{ticket}:{stars}", values={"stars": stars}) for stars in range(1, 6))


def add_to(session: Session, ticket: str, facts: Facts) -> Turn:
    """From now on words and files are gathered for this ticket, until Send."""
    open_addition = addition_of(session)
    orders: tuple[Order, ...] = ()
    if open_addition is not None and open_addition.ticket != ticket and open_addition.pile:
        session, orders = set_aside(session, "addition", facts)
        open_addition = None
    if open_addition is None or open_addition.ticket != ticket:
        open_addition = Addition(Pile(facts.fresh_id), ticket)
    turn = ask_details(anew(with_addition(session, open_addition), facts), ticket, "adding")
    return replace(turn, orders=(*orders, *turn.orders))


def adding(session: Session, event: Pressed | Said, facts: Facts) -> Turn:
    """One event while an addition is gathered."""
    addition = addition_of(session)
    if addition is None:
        return menu.rest(session, facts)
    if isinstance(event, Pressed):
        screen = adding_screen(session, facts)
        name = event.value.partition(":")[2] if screen.offers(event.value) else ""
        if name == "send_addition":
            return _send(session, addition)
        return cancel_adding(session, facts) if name == "cancel" else Turn(session, old(screen))
    pile, orders, problem = gather(addition.pile, event, facts.settings)
    session = with_addition(session, replace(addition, pile=pile))
    return Turn(session, adding_screen(session, facts, problem), orders)


def named(addition: Addition, about: Mapping[str, Any], values: Mapping[str, Any]) -> Addition:
    """The addition, now that its ticket is known to be theirs."""
    title, number = str(about["title"]), str(about["number"])
    return replace(addition, title=title, number=number, known=True, answers=is_answer(values))


def is_answer(values: Mapping[str, Any]) -> bool:
    """Whether what is added to a ticket of these values answers a question of support."""
    return values.get("status") == "waiting"


def adding_screen(session: Session, facts: Facts, problem: str = "") -> Screen:
    addition = addition_of(session) or Addition(Pile(""), "")
    values = {
        "title": addition.title,
        "number": addition.number,
        "is_answer": addition.answers,
        "text": addition.pile.words,
        "held": files_values(addition.pile),
        "problem": problem,
        **facts.settings.limits,
        **addition.pile.left,
    }
    send = row(button(session, "send_addition") if addition.pile else None)
    return Screen("adding", values, tuple(filter(None, (send, row(button(session, "cancel"))))), retires=True)


def cancel_adding(session: Session, facts: Facts) -> Turn:
    addition = addition_of(session)
    if addition is None or not addition.pile:
        return menu.rest(with_addition(session, None), facts)
    session, orders = set_aside(session, "addition", facts)
    session = session.go("cancelled")
    return Turn(session, menu.cancelled_screen(session, facts), orders)


def _send(session: Session, addition: Addition) -> Turn:
    order = AddToTicket(addition.ticket, addition.pile.words, addition.pile.id)
    about = {"ticket": addition.ticket, "title": addition.title, "number": addition.number}
    return Turn(session.put(done=session.value("send_addition"), about=about, sending="addition"), None, (order,))


def withdraw_screen(session: Session, facts: Facts) -> Screen:
    rows = (row(button(session, "yes", "withdraw_yes"), button(session, "no", "withdraw_no")),)
    return Screen("withdraw", about_of(session) | {"support_contact": facts.settings.support_contact}, rows)


def withdrawing(session: Session, event: Pressed, facts: Facts) -> Turn:
    screen, ticket = withdraw_screen(session, facts), str(about_of(session)["ticket"])
    if not screen.offers(event.value):
        return Turn(session, old(screen))
    if event.value == session.value("yes"):
        return Turn(session.go("rest").put(done=event.value), None, (Withdraw(ticket),))
    return ask_details(session, ticket)


def resend(session: Session, ticket: str) -> Turn:
    return Turn(session, None, (ResendTicket(ticket),))


def receipt_screen(values: Mapping[str, Any]) -> Screen:
    """The one receipt of a ticket, edited as the truth changes. Values: `ticket, title, number, status, handover` (queued,
    accepted, failed), `created_at, accepted_at, promised_at` (ISO 8601 or None), `failure, support_contact`, `files`
    [{name, kind, size, fate (wanted, stored, attached, follows, refused, failed), reason}], `max_bytes, max_files, can_add,
    can_withdraw`."""
    shown = _RECEIPT | dict(values)
    ticket = shown["ticket"]
    if shown["handover"] == "failed":
        return Screen("receipt", shown, ((Button("resend", f"rs:{ticket}"),),))
    act = row(
        Button(_adds(shown), f"add:{ticket}") if shown["can_add"] else None,
        Button("withdraw", f"wd:{ticket}") if shown["can_withdraw"] else None,
    )
    return Screen("receipt", shown, tuple(filter(None, (act,))))


def notice_screen(notice: Notice, support_contact: str = "") -> Screen:
    """What the requester is told, with the buttons that make sense then."""
    shown = _NOTICE | {"support_contact": support_contact} | dict(notice.values)
    ticket, add = notice.ticket_id, row(Button("add", f"add:{notice.ticket_id}") if shown["can_add"] else None)
    details = Button("details", f"t:{ticket}")
    new = (Button("new_linked", f"new:{ticket}"),)
    rows: tuple[Row, ...]
    match notice.name:
        case "registered" | "number":
            rows = (
                (*add, *row(Button("withdraw", f"wd:{ticket}") if shown["asked"] != "withdraw" else None)),
                (details,),
            )
        case "question" | "comment":
            rows = (row(Button("answer", f"add:{ticket}") if shown["can_add"] else None), (details,))
        case "resolved":
            last = (Button("not_solved", f"ns:{ticket}"), Button("no_rating", f"rate:{ticket}:0"))
            rows = (star_row(ticket), (*last, Button("later", f"later:{ticket}")))
        case "closed":
            rows = (star_row(ticket) if shown["old"] != "resolved" else (), new)
        case "rejected":
            rows = (new, (details,))
        case "reopen_silence":
            rows = (new, (details,))
        case "failed":
            rows = ((Button("resend", f"rs:{ticket}"),),)
        case "unsent":
            rows = ((Button("open_addition", f"add:{ticket}"),),)
        case "refused_file":
            rows = (add,)
        case "file_not_sent":
            rows = (add, (details,))
        case _:  # in_progress, promised, withdrawn, reopened
            rows = ((*add, details) if notice.name == "reopened" else (details,),)
    if shown["more"]:
        rows = ((Button("show_all", f"more:{ticket}:{shown['more']}:0"),), *rows)
    return Screen(f"notice_{notice.name}", shown, tuple(filter(None, rows)), notice.silent)


_DETAILS: dict[str, Any] = {
    "title": "",
    "number": "",
    "status": "new",
    "created_at": None,
    "promised_at": None,
    "description": "",
    "location": "",
    "stars": None,
    "asked": "",
}
_NOTICE: dict[str, Any] = {
    "ticket": "",
    "title": "",
    "number": "",
    "status": "",
    "old": "",
    "new": "",
    "promised_at": None,
    "solution": "",
    "question": "",
    "comment": "",
    "author": "",
    "reason": "",
    "file": "",
    "size": None,
    "max_bytes": None,
    "until": None,
    "accepted_at": None,
    "admin_knows": True,
    "asked": "",
    "can_add": False,
    "letter": "ticket",
    "files": [],
    "refused_files": [],
    "more": 0,
}
_MORE: dict[str, Any] = {
    "ticket": "",
    "title": "",
    "number": "",
    "can_add": False,
    "text": "",
    "page": 0,
    "pages": 1,
    "mail": 0,
    "at": None,
    "gone": False,
    "pictures": 0,
}
_RECEIPT: dict[str, Any] = {
    "ticket": "",
    "title": "",
    "number": "",
    "status": "new",
    "handover": "queued",
    "created_at": None,
    "accepted_at": None,
    "promised_at": None,
    "failure": "",
    "support_contact": "",
    "files": [],
    "max_bytes": None,
    "max_files": None,
    "can_add": True,
    "can_withdraw": True,
    "asked": "",
    "unconfirmed": False,
    "admin_knows": True,
}
