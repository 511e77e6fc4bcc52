"""When a chat was last heard of, and in which language."""

from __future__ import annotations

from imbot.domain.chats import Commanded
from imbot.store import people
from tests.services.conftest import ANNA, Office


def test_a_chat_that_writes_on_is_noted_once_an_hour_and_when_its_language_changes(office: Office) -> None:
    def seen() -> tuple[str, object]:
        row = people.chat(office.c, ANNA.key)
        assert row is not None
        return row.language, row.seen_at

    began = office.now
    office.command("start")
    assert seen() == ("ru", began)
    office.later(minutes=59)
    office.command("start")
    assert seen() == ("ru", began)
    office.take(ANNA, Commanded("start"), language="en")
    assert seen() == ("en", office.now)
    office.later(minutes=60)
    office.take(ANNA, Commanded("start"), language="en")
    assert seen() == ("en", office.now)
    office.later(days=-2)  # the clock was put back
    office.take(ANNA, Commanded("start"), language="en")
    assert seen() == ("en", office.now)
