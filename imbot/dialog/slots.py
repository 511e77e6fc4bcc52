"""The things a session holds besides its state: the open draft, what came out of the blue, an addition, what was
cancelled and can be brought back. Reads and writes them; decides nothing about them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imbot.dialog.draft import (
    Addition,
    Draft,
    Pile,
    addition_from_json,
    draft_from_json,
    is_stale,
    pile_from_json,
    to_json,
)
from imbot.dialog.facts import Facts
from imbot.dialog.orders import DropDraft, Order
from imbot.dialog.session import Session

DURABLE = frozenset(
    {"menu", "my", "t", "add", "wd", "rs", "rate", "ns", "later", "new"}
)  # no dialog bears such a token
Orders = tuple[Order, ...]


def draft_of(session: Session) -> Draft | None:
    return draft_from_json(session.data.get("draft"))


def with_draft(session: Session, draft: Draft | None) -> Session:
    return session.put(draft=to_json(draft) if draft is not None else None)


def open_draft(session: Session) -> Draft | None:
    """The draft, if there is anything in it that is worth being continued."""
    draft = draft_of(session)
    return draft if draft else None


def stray_of(session: Session) -> Pile | None:
    return pile_from_json(session.data.get("stray"))


def with_stray(session: Session, pile: Pile | None) -> Session:
    return session.put(stray=to_json(pile) if pile is not None else None)


def addition_of(session: Session) -> Addition | None:
    return addition_from_json(session.data.get("addition"))


def with_addition(session: Session, addition: Addition | None) -> Session:
    return session.put(addition=to_json(addition) if addition is not None else None)


def reply_of(session: Session) -> Addition | None:
    """Words on their way into a ticket's thread: within a turn only."""
    return addition_from_json(session.data.get("reply"))


def with_reply(session: Session, reply: Addition | None) -> Session:
    return session.put(reply=to_json(reply) if reply is not None else None)


def extra_of(session: Session) -> Addition | None:
    """What came with a complaint or "not solved" so far, and for which ticket."""
    return addition_from_json(session.data.get("extra"))


def with_extra(session: Session, extra: Addition | None) -> Session:
    return session.put(extra=to_json(extra) if extra is not None else None)


def left_of(session: Session) -> Addition | None:
    """The same once its question is left behind, on its way into the ticket's thread: within a turn only."""
    return addition_from_json(session.data.get("left"))


def about_of(session: Session) -> dict[str, Any]:
    """The ticket that is being spoken of: id, title, number."""
    about = session.data.get("about")
    return {"ticket": "", "title": "", "number": ""} | (about if isinstance(about, dict) else {})


def anew(session: Session, facts: Facts) -> Session:
    """A dialog starts anew: every button shown so far is an old one."""
    fresh = facts.fresh_token if facts.fresh_token not in DURABLE else facts.fresh_token[::-1]
    return replace(session, token=fresh or session.token)


def set_aside(session: Session, kind: str, facts: Facts) -> tuple[Session, Orders]:
    """Take `kind` (draft, stray, addition) out, and keep it so that a mistaken tap loses nothing. What was kept so before
    is dropped for good."""
    orders = dropped_orders(session)
    kept = {"kind": kind, "thing": session.data.get(kind), "at": facts.now.isoformat()}
    return session.put(dropped=kept, **{kind: None}), orders


def bring_back(session: Session, facts: Facts) -> tuple[Session, str, Orders]:
    """The session with what was cancelled last, and its kind ("" if there is nothing). If another of its kind was begun
    since, the two change places."""
    kind = dropped_kind(session)
    if not kind:
        return session, "", ()
    thing = session.data["dropped"]["thing"]
    other = session.data.get(kind)
    session = session.put(dropped=None)
    orders: Orders = ()
    if other is not None:
        session, orders = set_aside(session, kind, facts)
    return session.put(**{kind: thing}), kind, orders


def dropped_kind(session: Session) -> str:
    """What can be brought back: draft, stray, addition or ""."""
    dropped = session.data.get("dropped")
    kind = dropped.get("kind") if isinstance(dropped, dict) else None
    return kind if isinstance(kind, str) and _pile_id(dropped) else ""


def dropped_words(session: Session) -> str:
    """The words of what can be brought back."""
    thing = session.data["dropped"]["thing"] if dropped_kind(session) else {}
    pile = pile_from_json(thing.get("pile", thing))
    return pile.words if pile is not None else ""


def dropped_orders(session: Session) -> Orders:
    """What drops for good what was cancelled last."""
    pile_id = _pile_id(session.data.get("dropped"))
    return (DropDraft(pile_id),) if pile_id else ()


def expire(session: Session, facts: Facts) -> tuple[Session, Orders]:
    """Without what has been kept long enough: what was cancelled, and what was written before a sign-in that never came."""
    orders: Orders = ()
    dropped = session.data.get("dropped")
    if dropped is not None and (not dropped_kind(session) or is_stale(dropped.get("at"), facts)):
        session, orders = session.put(dropped=None), dropped_orders(session)
    kept = session.data.get("draft")
    draft = draft_of(session) if isinstance(kept, dict) and kept.get("early") else None
    if draft is not None and is_stale(draft.started_at, facts):
        session, orders = with_draft(session, None), (*orders, DropDraft(draft.pile.id))
    return session, orders


def drop_all(session: Session) -> tuple[Session, Orders]:
    """Nothing of this person stays in the chat."""
    ids = [_id(session.data.get(kind)) for kind in ("draft", "stray", "addition", "reply", "extra", "left")]
    orders = tuple(DropDraft(pile_id) for pile_id in ids if pile_id)
    return replace(session, data={}), (*orders, *dropped_orders(session))


def _pile_id(dropped: Any) -> str:
    return _id(dropped.get("thing")) if isinstance(dropped, dict) else ""


def _id(thing: Any) -> str:
    pile = thing.get("pile", thing) if isinstance(thing, dict) else None
    found = pile.get("id") if isinstance(pile, dict) else None
    return found if isinstance(found, str) else ""
