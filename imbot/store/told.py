"""Our own words as they may come back: the shapes of our letters, computed once when a letter is put, and the figures and
addresses in them that could name somebody else's request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update

from imbot.mime.echoes import LONGEST_FIGURE, binding_words, echoes
from imbot.store.schema import letters, tickets, told
from imbot.store.sql import Prepared, insert

Shapes = tuple[tuple[str, ...], tuple[str, ...]]  # of a letter's subject, and of its text
PARTS = ("subject", "text")
_FIRST = 2  # letters of a ticket that are looked at in any case


_OLDEST = Prepared(
    select(letters.c.message_id, letters.c.letter, letters.c.echoes)
    .where(letters.c.ticket_id == bindparam("ticket"))
    .order_by(letters.c.put_at, letters.c.message_id)
    .limit(_FIRST)
)
_NOTE = Prepared(insert("sqlite", told).on_conflict_do_nothing())


def others_of(letter: Mapping[str, Any]) -> dict[str, list[str]]:
    """What of `echoes` is kept with a letter: those that are not its own words."""
    words = {part: str(letter.get(part, "")) for part in PARTS}
    return {part: [each for each in echoes(one) if each != one] for part, one in words.items()}


def note(c: Connection, message_id: str, letter: Mapping[str, Any], others: Mapping[str, list[str]]) -> None:
    """What the letter tells is noted; what an earlier text of it told stays."""
    figures, addresses = binding_words(shape for part in _shapes(letter, others) for shape in part)
    rows = [("figure", word) for word in figures] + [("address", word) for word in addresses]
    _NOTE.run_many(c, ({"kind": kind, "word": word, "message_id": message_id} for kind, word in sorted(rows)))


def write_all(c: Connection) -> None:
    """For letters that were put before there was such a table."""
    for message_id in c.execute(select(letters.c.message_id)).scalars().all():
        letter = c.execute(select(letters.c.letter).where(letters.c.message_id == message_id)).scalar_one()
        others = others_of(letter)
        c.execute(update(letters).where(letters.c.message_id == message_id).values(echoes=others))
        note(c, message_id, letter, others)


def _shapes(letter: Mapping[str, Any], others: Mapping[str, list[str]]) -> Shapes:
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
    rows = c.execute(found.where(told.c.kind == "figure", word, letters.c.ticket_id != besides).limit(limit))
    return [_shapes(row.letter, row.echoes) for row in rows]


def addresses_of_waiting(c: Connection, backend: str, limit: int) -> list[tuple[int, str]]:
    """(person, what stands round an at sign) of letters about requests to which this far end gave no number yet."""
    found = select(tickets.c.person_id, told.c.word).distinct()
    found = found.join(letters, letters.c.ticket_id == tickets.c.id)
    found = found.join(told, told.c.message_id == letters.c.message_id)
    found = found.where(tickets.c.backend == backend, text("tickets.number = ''"), told.c.kind == "address")
    return [(row.person_id, row.word) for row in c.execute(found.limit(limit))]
