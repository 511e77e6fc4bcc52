"""An earlier message now reads otherwise: whatever it gave (words, a caption, an answer, a place) follows. After Send the
letter is gone, so the person is told, and the new words can go after it.
"""

from __future__ import annotations

from dataclasses import replace

from imbot.dialog import intake, stray, tickets
from imbot.dialog.draft import Addition, Answer, Draft, Pile, edit, gather, holds
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.form import fields_of
from imbot.dialog.session import Session
from imbot.dialog.slots import (
    addition_of,
    draft_of,
    stray_of,
    with_addition,
    with_draft,
    with_stray,
)
from imbot.dialog.words import told
from imbot.domain.chats import Edited, Typed


def advance(session: Session, event: Edited, facts: Facts) -> Turn:
    """A message that gave nothing changes nothing, and nothing new is shown."""
    draft, pile, addition = draft_of(session), stray_of(session), addition_of(session)
    if draft is not None and holds(draft.pile, event.message_id):
        return _in_draft(session, draft, event, facts)
    if draft is not None and _gave_an_answer(draft, event.message_id):
        return _answer(session, draft, event, facts)
    if addition is not None and holds(addition.pile, event.message_id):
        after, orders, problem = edit(addition.pile, event.message_id, told(event.text), facts.settings)
        session = with_addition(session, replace(addition, pile=after))
        shown = tickets.adding_screen(session, facts, problem) if session.state == "adding" else None
        return Turn(session, shown, orders)
    if pile is not None and holds(pile, event.message_id):
        after, orders, problem = edit(pile, event.message_id, told(event.text), facts.settings)
        session = with_stray(session, after)
        return Turn(session, stray.stray_screen(session, facts, problem) if session.state == "stray" else None, orders)
    return _after_send(session, event, facts)


def _in_draft(session: Session, draft: Draft, event: Edited, facts: Facts) -> Turn:
    pile, orders, problem = edit(draft.pile, event.message_id, told(event.text), facts.settings)
    session = with_draft(session, replace(draft, pile=pile))
    return Turn(session, intake.current(session, facts, problem) if session.state == "form" else None, orders)


def _gave_an_answer(draft: Draft, message_id: str) -> bool:
    places = {draft.place.message_id} if draft.place else set()
    return bool(message_id) and message_id in places | {answer.message_id for answer in draft.answers.values()}


def _answer(session: Session, draft: Draft, event: Edited, facts: Facts) -> Turn:
    """An answer that is none any more stays as it was, and the reason is told."""
    text, problem = told(event.text), ""
    place = draft.place
    if place is not None and place.message_id == event.message_id and 0 < len(text) <= intake.MAX_ANSWER:
        draft = replace(draft, place=replace(place, **{"detail" if place.key or place.detail else "text": text}))
    for field in fields_of(draft, facts):
        given = draft.answers.get(field.key)
        if given is not None and given.message_id == event.message_id:
            answer, problem = intake.read_answer(field, text, facts)
            if answer:
                kept = {**draft.answers, field.key: Answer(answer, message_id=event.message_id)}
                draft = replace(draft, answers=kept)
    session = with_draft(session, draft)
    return Turn(session, intake.current(session, facts, problem) if session.state == "form" else None)


def _after_send(session: Session, event: Edited, facts: Facts) -> Turn:
    """The letter cannot be called back. The new words are laid out as an addition that only waits for Send."""
    sent, text = session.data.get("sent"), told(event.text)
    if not isinstance(sent, dict):
        return Turn(session)
    messages = sent.get("messages")
    if not text or not isinstance(messages, list) or event.message_id not in messages:
        return Turn(session)
    turn = tickets.add_to(session, str(sent.get("ticket", "")), facts)
    addition = addition_of(turn.session) or Addition(Pile(facts.fresh_id), "")
    pile, _, _ = gather(addition.pile, Typed(text, event.message_id), facts.settings)
    session = with_addition(turn.session, replace(addition, pile=pile)).put(problem="edited_late")
    return replace(turn, session=session)
