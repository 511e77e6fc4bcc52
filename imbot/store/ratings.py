"""Ratings: one a ticket. Whether it may still be changed is decided in `domain.tickets`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import ratings
from imbot.store.sql import Prepared, dialect, insert


@dataclass(frozen=True, slots=True)
class RatingRow:
    """`stars`: None where "no rating" was pressed. `rated_at`: the first time, however often it was changed since."""

    ticket_id: str
    stars: int | None
    text: str
    rated_at: datetime


_RATING = Prepared(select(ratings).where(ratings.c.ticket_id == bindparam("ticket")))


@cache
def _rate(dialect: str) -> Insert:
    put = insert(dialect, ratings)
    return put.on_conflict_do_update(index_elements=["ticket_id"], set_={"stars": put.excluded.stars})


def rating(c: Connection, ticket_id: str) -> RatingRow | None:
    row = _RATING.first(c, ticket=ticket_id)
    return None if row is None else RatingRow(**row._asdict())


def rate(c: Connection, ticket_id: str, stars: int | None, now: datetime) -> None:
    """Sets or changes the stars; the first moment and the words stay."""
    c.execute(_rate(dialect(c)), {"ticket_id": ticket_id, "stars": stars, "rated_at": now})


def rating_words(c: Connection, ticket_id: str, text: str) -> bool:
    """What went wrong, in their words. False: nothing was rated yet."""
    return c.execute(update(ratings).where(ratings.c.ticket_id == ticket_id).values(text=text)).rowcount > 0
