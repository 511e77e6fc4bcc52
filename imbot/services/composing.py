"""A letter that waits for nothing is composed with the turn that orders it, so that one commit lies between Send and the mail
server. Whatever has files, is long, or cannot be composed is left to the courier, which does it outside of any transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.domain.errors import ConfigError
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, Parcel
from imbot.services import delivery
from imbot.services.env import Env, Fresh
from imbot.services.letters import Packing, packing

_SHORT = 2_000  # characters of a person's words: the one writer is not to be held up

Claimed = tuple[Parcel, Letter | None]


def at_once(c: Connection, taken: Sequence[Parcel], now: datetime, env: Env, fresh: Fresh) -> tuple[Claimed, ...]:
    """`taken`: what was claimed as it was put. An order of this moment to compose a letter is carried out here; in its place
    stands the letter's parcel, with the letter."""
    claimed: list[Claimed] = []
    for parcel in taken:
        done = None
        if parcel.kind is Kind.PACK and parcel.created_at == now:
            done = _composed(c, parcel, now, env, fresh)
        claimed.append(done or (parcel, None))
    return tuple(claimed)


def _composed(c: Connection, parcel: Parcel, now: datetime, env: Env, fresh: Fresh) -> Claimed | None:
    found = packing(c, parcel.payload, env)
    if env.templates is None or found is None or not _is_light(found):
        return None
    sending = found.backend.sending(parcel.payload["message_id"], now)
    try:
        letter = habits.compose(found.backend.profile, env.templates, found.kind, found.view, sending)
    except ConfigError:  # the courier finds the same, and tells of it
        return None
    following = delivery.letter_packed(c, parcel, found, letter, now, env, fresh)
    return None if following is None else (following, letter)


def _is_light(found: Packing) -> bool:
    words = len(found.view.description) + len(found.view.text)
    return not (found.files or found.too_large or found.left) and words <= _SHORT
