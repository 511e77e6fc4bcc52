"""Until somebody is known: the work address, the code, and what they write meanwhile, which is kept for afterwards. Says the
same for known and unknown addresses.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from imbot.dialog import menu
from imbot.dialog.draft import Pile, Said, begin, edit, gather
from imbot.dialog.facts import DialogSettings, Facts, Turn
from imbot.dialog.layout import OLD, Row, button, row
from imbot.dialog.orders import CheckCode, LookUp, Order
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import DURABLE, anew, draft_of, open_draft, with_draft
from imbot.dialog.words import (
    address_told,
    code_told,
    command_in,
    cyrillic_in,
    like_a_code,
    misses_the_code,
    misspells_an_address,
    mixes_alphabets,
    politeness_in,
    told,
)
from imbot.domain.chats import Attached, Commanded, Edited, Event, Happened, Pressed, Shared, Typed
from imbot.domain.signin import normal_code

_SLIP = 0.85  # how alike two domains are of which one is a slip of the other
_ENDINGS = 4  # so many endings of work addresses are named
_ON_ITS_WAY = timedelta(minutes=3)  # so long a code is said to come
_WORKS = timedelta(minutes=9)  # a code works for ten minutes from its letter on; nobody types that fast
STATES = frozenset({"address", "code", "no_mail"})


def advance(session: Session, event: Event, facts: Facts) -> Turn:
    """One event of somebody who is not linked."""
    if session.state not in STATES:
        session = session.go("code" if _address(session) else "address")
    match event:
        case Commanded():
            return _command(session, event.name, facts)
        case Pressed():
            return _press(session, event.value, facts)
        case Typed():
            command = command_in(event.text)
            return _command(session, command, facts) if command else _typed(session, event, facts)
        case Edited():
            return _edited(session, event, facts)
        case Attached() | Shared() if getattr(event, "kind", "") != "sticker":
            return _keep(session, event, facts)
        case _:
            return current(session, facts)


def current(session: Session, facts: Facts, problem: str = "", **values: Any) -> Turn:
    """The screen of the step that waits."""
    return Turn(session, screen_of(session, facts, problem, **values))


def screen_of(session: Session, facts: Facts, problem: str = "", **values: Any) -> Screen:
    """Only the newest of these screens bears buttons, so that none is left over once somebody is known."""
    draft = open_draft(session)
    told_values = {
        "problem": problem,
        "until": None,
        "left": 0,
        "address": _address(session),
        "asked_at": _asked_long_ago(session, facts),
        "works": _asked_within(_WORKS, session, facts),
        "kept": draft is not None,
        "files": draft.pile.count if draft else 0,
        "support_contact": facts.settings.support_contact,
        "domains_hint": facts.settings.domains_hint,
        "usual": _usual_ending(_address(session), facts.settings),
        "foreign": "",
        "letters": "",
        "endings": list(facts.settings.domains[:_ENDINGS]),
        "more_endings": len(facts.settings.domains) > _ENDINGS,
        "wait": _minutes_until(values.get("until"), facts),
        "now": facts.now.isoformat(),
        **facts.settings.limits,
        **(draft.pile if draft else Pile("")).left,
        **values,
    }
    rows: tuple[Row, ...]
    if session.state == "no_mail":
        rows = (row(button(session, "other", "other_address")), row(button(session, "back")))
        return Screen("no_mail", told_values, rows, retires=True)
    if session.state == "code":
        rows = (
            row(button(session, "other", "other_address"), button(session, "again")),
            row(button(session, "nomail")),
        )
        return Screen("wait_code", told_values, rows, retires=True)
    rows = (row(button(session, "nomail")),) if facts.settings.support_contact else ()
    return Screen("ask_address", told_values, rows, retires=True)


def happened(session: Session, event: Happened, facts: Facts) -> Turn:
    """The outcomes of what was asked for here."""
    result, until = event.values.get("result", ""), _whole_minute(event.values.get("until"))
    if event.name == "looked_up":
        if event.values.get("allowed"):
            asked = session.data.get("pending") or _address(session)
            again = "again" if asked == _address(session) else ""
            signin = {"address": asked, "at": facts.now.isoformat()}
            return current(session.put(signin=signin, pending=None).go("code"), facts, again)
        session = session.put(pending=None)
        session = session if session.state in STATES else session.go("address")
        return current(session, facts, "limited", until=until)
    if event.name == "unlinked":
        return Turn(
            replace(session, state="address"), Screen("unlinked", {"domains_hint": facts.settings.domains_hint})
        )
    if result == "ok":
        return linked(session, facts)
    if facts.person is not None:  # an old link pressed by somebody who is in already
        return menu.rest(session, facts)
    left = event.values.get("left", 0)
    state = "code" if _address(session) else "address"
    checked = "not_now" if result == "limited" else result  # "limited" speaks of codes that were asked for
    problem = f"link_{result}" if event.name == "token_checked" else checked
    return current(session.go(state), facts, problem, left=left if isinstance(left, int) else 0, until=until)


def linked(session: Session, facts: Facts) -> Turn:
    """Somebody is known from now on. Buttons of the sign-in are old ones, and are taken away."""
    session = anew(session.put(signin=None), facts)
    if facts.settings.consent and not facts.consented:
        session = session.go("consent")
        return Turn(session, replace(menu.consent_screen(session, facts), retires=True))
    turn = menu.welcome(session, facts)
    return replace(turn, screen=replace(turn.screen, retires=True) if turn.screen else None)


def is_used_code(session: Session, text: str) -> bool:
    """Whether the whole text is the code that was typed last, with nothing in between."""
    code = normal_code(code_told(told(text)))
    return bool(code) and code == session.data.get("tried")


def keep(session: Session, event: Said, facts: Facts) -> tuple[Session, tuple[Order, ...], str]:
    """What somebody writes before they may file becomes an early draft, kept for a day from what came last."""
    draft = draft_of(session) or begin(facts)
    pile, orders, problem = gather(draft.pile, event, facts.settings)
    draft = replace(draft, pile=pile, early=True, started_at=facts.now.isoformat())
    return (with_draft(session, draft) if draft else session), orders, problem


def _command(session: Session, name: str, facts: Facts) -> Turn:
    if name == "help":
        return Turn(session, menu.help_screen(session, facts))
    if name == "cancel":
        return current(session.put(signin=None).go("address"), facts)
    return current(session, facts, "" if name in ("start", "menu") else "sign_in_first")


def _press(session: Session, value: str, facts: Facts) -> Turn:
    if not screen_of(session, facts).offers(value):
        return current(session, facts, "sign_in_first" if value.partition(":")[0] in DURABLE else OLD)
    match value.partition(":")[2]:
        case "again":
            return _look_up(session, _address(session), facts)
        case "nomail":
            return current(session.go("no_mail"), facts)
        case "other":
            return current(session.put(signin=None).go("address"), facts)
        case _:  # back
            return current(session.go("code" if _address(session) else "address"), facts)


def _typed(session: Session, event: Typed, facts: Facts) -> Turn:
    text = told(event.text)
    code = code_told(text)
    awaited = session.state == "code" or like_a_code(code) or code != text  # also after "another address"
    if normal_code(code) and awaited:
        return Turn(session.put(tried=normal_code(code)), None, (CheckCode(code),))
    address, rest = address_told(text)
    if address:
        turn = _keep(session, replace(event, text=rest), facts) if rest else Turn(session)
        asked = _look_up(turn.session, address, facts)
        return replace(asked, orders=(*turn.orders, *asked.orders))
    if not text or politeness_in(text):
        return current(session, facts)
    if misses_the_code(text):
        return current(session.go("code" if _address(session) else "address"), facts, "no_code")
    if session.state == "code" and ((len(code.split()) == 1 and like_a_code(code)) or code.replace(" ", "").isdigit()):
        return current(session, facts, "not_a_code")
    if misspells_an_address(text):
        letters = cyrillic_in(text)
        return current(session, facts, "cyrillic" if letters else "not_an_address", letters=letters)
    if (
        len(text.split()) == 1
        and session.state == "address"
        and facts.screen is not None
        and facts.screen.name == "ask_address"
    ):
        return current(session, facts, "one_word")  # most likely a slip in what was asked for, hardly a request
    return _keep(session, event, facts)


def _edited(session: Session, event: Edited, facts: Facts) -> Turn:
    """A mistyped address is often mended by an edit."""
    address, rest = address_told(told(event.text))
    if address and address != _address(session):
        return _typed(session, Typed(event.text, event.message_id), facts)
    draft = draft_of(session)
    if draft is None:
        return Turn(session)
    pile, orders, problem = edit(draft.pile, event.message_id, rest, facts.settings)
    session = with_draft(session, replace(draft, pile=pile))
    return Turn(session, screen_of(session, facts, problem) if problem else None, orders)


def _keep(session: Session, event: Said, facts: Facts) -> Turn:
    session, orders, problem = keep(session, event, facts)
    return Turn(session, screen_of(session, facts, problem or ("kept" if open_draft(session) else "")), orders)


def _look_up(session: Session, address: str, facts: Facts) -> Turn:
    """Ask for a code, unless the settings alone say that it can be nobody's: that costs none, and tells nothing of who is
    there."""
    domains, letters = facts.settings.domains, cyrillic_in(address)
    if address.rpartition("@")[2] not in domains:
        latin = bool(domains) and not any("xn--" in each for each in domains)
        if letters and (latin or mixes_alphabets(address)):
            return current(_asking(session), facts, "cyrillic", letters=letters)
        if domains:
            return current(_asking(session), facts, "foreign", foreign=address)
    return Turn(session.put(pending=address), None, (LookUp(address),))


def _asking(session: Session) -> Session:
    """As it stands where an address was typed that cannot be right."""
    return session.go("code" if session.state != "address" and _address(session) else "address")


def _usual_ending(address: str, settings: DialogSettings) -> str:
    """How the address most likely was to end, "" where it may be right. Known from what they typed and from the settings, so it
    tells nothing of who is there."""
    domain, hint = address.rpartition("@")[2], settings.domains_hint
    if not domain or settings.domains:  # of another one no code is asked for
        return ""
    kin = f".{domain}".endswith(f".{hint}") or f".{hint}".endswith(f".{domain}")
    return "" if kin else next(iter(get_close_matches(domain, [hint], 1, _SLIP)), "")


def _whole_minute(until: Any) -> str | None:
    """A moment (ISO 8601) as it is shown, in minutes, and no earlier than it is."""
    if not isinstance(until, str):
        return None
    moment = datetime.fromisoformat(until)
    whole = moment.replace(second=0, microsecond=0)
    return (whole if whole == moment else whole + timedelta(minutes=1)).isoformat()


def _minutes_until(until: str | None, facts: Facts) -> int:
    return -((facts.now - datetime.fromisoformat(until)) // timedelta(minutes=1)) if until else 0


def _asked_long_ago(session: Session, facts: Facts) -> str | None:
    """When the code that is awaited was asked for, where it should have come by now."""
    at = _asked_at(session)
    return at if at and not _asked_within(_ON_ITS_WAY, session, facts) else None


def _asked_within(span: timedelta, session: Session, facts: Facts) -> bool:
    """Whether the code that is awaited was asked for within `span`."""
    at = _asked_at(session)
    return bool(at) and facts.now - datetime.fromisoformat(at) <= span


def _asked_at(session: Session) -> str:
    kept = session.data.get("signin")
    at = kept.get("at") if isinstance(kept, dict) else None
    return at if isinstance(at, str) else ""


def _address(session: Session) -> str:
    kept = session.data.get("signin")
    address = kept.get("address") if isinstance(kept, dict) else None
    return address if isinstance(address, str) else ""
