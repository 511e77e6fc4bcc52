"""`imbot user delete` and the letters that no ticket has: all of them are read once more, to find those about the person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imbot.cli_base import in_store
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from imbot.config import Settings
    from imbot.services.forgetting import Sorted

_AT_ONCE = 20


def letters_about(settings: Settings, config: Path | None, person_id: int) -> Sorted:
    """Those that are about this person's tickets, and those that only bear the address."""
    from imbot import wiring
    from imbot.cli_mail_bench import bench, raw_of, try_all
    from imbot.services import forgetting
    from imbot.store import inbox

    ids = in_store(settings, inbox.unbound)
    if not ids:
        return forgetting.Sorted()
    desk, env = bench(config), wiring.env(settings, wiring.known_key(settings))
    theirs: list[int] = []
    named: list[int] = []
    for some in _chunks(ids):
        raws = {}
        for id in some:
            with suppress(ImbotError):  # its file was taken away
                raws[id] = raw_of(settings, id)
        answers = try_all([(str(id), raw) for id, raw in raws.items()], desk)
        read = [(int(name), mail) for name, mail in answers if not isinstance(mail, LetterRefused)]
        unread = [(int(name), raws[int(name)]) for name, mail in answers if isinstance(mail, LetterRefused)]
        found = in_store(settings, forgetting.sort, person_id, read, unread, env)
        theirs += found.theirs
        named += found.named
    return forgetting.Sorted(tuple(theirs), tuple(named))


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
