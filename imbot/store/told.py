"""Our own words as they may come back: the shapes of our letters, computed once, and the figures and addresses in them that
could name somebody else's request.

That is noted in a transaction of its own right behind the one that put the letter (`store.db`): somebody has pressed Send and
waits for the other. Whoever asks in between is given what is not noted yet as well, so that no answer depends on the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, select, text, update

from imbot.mime.echoes import LONGEST_FIGURE, binding_words, echoes
from imbot.store.schema import letters, tickets, told
from imbot.store.sql import Prepared, insert
from imbot.store.touched import UNTOLD, touch

log = structlog.get_logger(__name__)

Shapes = tuple[tuple[str, ...], tuple[str, ...]]  # of a letter's subject, and of its text
PARTS = ("subject", "text")
_FIRST = 2  # letters of a ticket that are looked at in any case
_UNNOTED = "unnoted"  # in place of `echoes`
_IS_UNNOTED = text("""echoes = '"unnoted"'""")  # word for word as in the index
AT_ONCE = 20  # letters noted in one transaction: the one writer is not to be held up


_OLDEST = Prepared(
    select(letters.c.message_id, letters.c.letter, letters.c.echoes)
    .where(letters.c.ticket_id == bindparam("ticket"))
    .order_by(letters.c.put_at, letters.c.message_id)
    .limit(_FIRST)
)
_NOTE = Prepared(insert("sqlite", told).on_conflict_do_nothing())


_NEW = Prepared(select(letters.c.message_id, letters.c.letter).where(_IS_UNNOTED).limit(bindparam("most")))
_KEEP = Prepared(
    update(letters).where(letters.c.message_id == bindparam("message"), _IS_UNNOTED).values(echoes=bindparam("others"))
)


def put_off(c: Connection) -> str:
    """What stands in `echoes` of a letter until `note_new` has looked at it."""
    touch(c, UNTOLD)
    return _UNNOTED


def note_new(c: Connection) -> bool:
    """Notes what the letters tell that are not noted yet, some twenty of them. True: there may be more."""
    rows = _NEW.all(c, most=AT_ONCE)
    for row in rows:
        others = _others_of(row.letter)
        _KEEP.run(c, message=row.message_id, others=others)
        _note(c, row.message_id, row.letter, others)
    return len(rows) == AT_ONCE


def note_all(c: Connection) -> None:
    """However many they are, at once."""
    while note_new(c):
        pass


def note_again(
    c: Connection, message_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, list[str]]:
    """The letter is another one from now on; what the earlier text told stays told. Returns its `echoes`."""
    if any(before.get(part) != after.get(part) for part in PARTS):
        _note(c, message_id, before, _others_of(before))
    others = _others_of(after)
    _note(c, message_id, after, others)
    return others


def _others_of(letter: Mapping[str, Any]) -> dict[str, list[str]]:
    """What of `echoes` is kept with a letter: those that are not its own words."""
    words = {part: str(letter.get(part, "")) for part in PARTS}
    try:
        return {part: [each for each in echoes(one) if each != one] for part, one in words.items()}
    except Exception:  # the item border: it would stand before all others for ever; its own words count in any case
        log.exception("letter_without_shapes")
        return {}


def _note(c: Connection, message_id: str, letter: Mapping[str, Any], others: Mapping[str, list[str]]) -> None:
    figures, addresses = _words_of(_shapes(letter, others))
    rows = [("figure", word) for word in figures] + [("address", word) for word in addresses]
    _NOTE.run_many(c, ({"kind": kind, "word": word, "message_id": message_id} for kind, word in sorted(rows)))


def _words_of(shapes: Shapes) -> tuple[frozenset[str], frozenset[str]]:
    return binding_words(shape for part in shapes for shape in part)


def write_all(c: Connection) -> None:
    """For letters that were put before there was such a table."""
    for message_id in c.execute(select(letters.c.message_id)).scalars().all():
        letter = c.execute(select(letters.c.letter).where(letters.c.message_id == message_id)).scalar_one()
        others = _others_of(letter)
        c.execute(update(letters).where(letters.c.message_id == message_id).values(echoes=others))
        _note(c, message_id, letter, others)


def _shapes(letter: Mapping[str, Any], kept: Mapping[str, list[str]] | str) -> Shapes:
    others = _others_of(letter) if isinstance(kept, str) else kept
    subject, words = (
        tuple(dict.fromkeys(each for each in (one, *others.get(part, ())) if each))
        for part, one in ((part, str(letter.get(part, ""))) for part in PARTS)
    )
    return subject, words


def said(c: Connection, ticket_id: str, most: int) -> tuple[list[Shapes], bool]:
    """The shapes of the ticket's letters, in the order in which they were put; and whether these are all. Of very many the
    first two are given, and of the rest the newest, until they have `most` characters."""
    oldest = _OLDEST.all(c, ticket=ticket_id)
    if len(oldest) < _FIRST:
        return [_shapes(row.letter, row.echoes) for row in oldest], True
    found = select(letters.c.message_id, letters.c.letter, letters.c.echoes).where(letters.c.ticket_id == ticket_id)
    rest = found.where(letters.c.message_id.not_in([row.message_id for row in oldest]))
    rest = rest.order_by(letters.c.put_at.desc(), letters.c.message_id.desc()).execution_options(yield_per=20)
    newest = c.execute(rest)
    first, last, whole = [_shapes(row.letter, row.echoes) for row in oldest], [], True
    room = most - sum(map(_size, first))
    for row in newest:
        shapes = _shapes(row.letter, row.echoes)
        room -= _size(shapes)
        if room < 0:
            whole = False
            break
        last.append(shapes)
    newest.close()
    return [*first, *reversed(last)], whole


def _size(shapes: Shapes) -> int:
    return sum(len(shape) for part in shapes for shape in part)


def bearing(c: Connection, figure: str, besides: str, limit: int) -> list[Shapes]:
    """The shapes of letters about other tickets than `besides` that bear figures which begin with these: any `limit` of
    them, some perhaps twice. In no order, so that figures which stand in every letter cost no more than others."""
    found = select(letters.c.letter, letters.c.echoes).join(told, told.c.message_id == letters.c.message_id)
    word = told.c.word.between(figure, figure + "9" * LONGEST_FIGURE)
    rows = c.execute(found.where(told.c.kind == "figure", word, letters.c.ticket_id != besides).limit(limit)).all()
    shapes = [_shapes(row.letter, row.echoes) for row in rows]
    theirs = (each for ticket, each in _unnoted(c) if ticket != besides)
    shapes += (each for each in theirs if any(one.startswith(figure) for one in _words_of(each)[0]))
    return shapes[:limit]


def addresses_of_waiting(c: Connection, backend: str, limit: int) -> list[tuple[int, str]]:
    """(person, what stands round an at sign) of letters about requests to which this far end gave no number yet."""
    waiting = (tickets.c.backend == backend, text("tickets.number = ''"))
    found = select(tickets.c.person_id, told.c.word).distinct()
    found = found.join(letters, letters.c.ticket_id == tickets.c.id)
    found = found.join(told, told.c.message_id == letters.c.message_id).where(*waiting, told.c.kind == "address")
    said = [(row.person_id, row.word) for row in c.execute(found.limit(limit))]
    new = _unnoted(c)
    if new:
        asked = select(tickets.c.id, tickets.c.person_id).where(*waiting, tickets.c.id.in_({each for each, _ in new}))
        owners = {row.id: row.person_id for row in c.execute(asked)}
        theirs = {(owners[id], word) for id, shapes in new if id in owners for word in _words_of(shapes)[1]}
        said += sorted(theirs.difference(said))
    return said[:limit]


def _unnoted(c: Connection) -> list[tuple[str, Shapes]]:
    """(ticket, shapes) of the letters that `note_new` has not seen: few, unless the data base takes nothing."""
    found = select(letters.c.ticket_id, letters.c.letter).where(_IS_UNNOTED)
    return [(row.ticket_id, _shapes(row.letter, _UNNOTED)) for row in c.execute(found).all()]
