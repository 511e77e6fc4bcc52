"""What follows when a screen could not be shown."""

from __future__ import annotations

from datetime import timedelta

from imbot.domain.errors import DeliveryError
from imbot.services import showing
from imbot.store import people, sessions
from tests.services.conftest import ANNA, Office


def fail(office: Office, error: DeliveryError) -> float | None:
    """Seconds until the screen that Anna is owed is tried again, as it is told and as it is kept."""
    office.link()
    office.command("newticket")
    owed, _ = showing.owed(office.c, ANNA.key, office.env)
    assert owed is not None
    due = showing.failed(office.c, owed, error, office.now)
    if due is None:
        assert sessions.owed_to(office.c, ANNA.key) is None
        return None
    just_before = due - timedelta(milliseconds=1)
    assert sessions.owed(office.c, just_before, 10) == []
    assert [one.chat_key for one in sessions.owed(office.c, due, 10)] == [ANNA.key]
    return (due - office.now).total_seconds()


def test_a_limit_is_over_when_it_says_so(office: Office) -> None:
    assert fail(office, DeliveryError("Too Many Requests", kind="throttled", retry_after=1.0)) == 1.0


def test_a_failure_is_tried_again_later(office: Office) -> None:
    assert fail(office, DeliveryError("Bad Gateway", kind="down")) == 5.0


def test_a_limit_that_does_not_say_when_is_a_failure(office: Office) -> None:
    assert fail(office, DeliveryError("Too Many Requests", kind="throttled")) == 5.0


def test_who_has_shut_us_out_is_owed_nothing(office: Office) -> None:
    assert fail(office, DeliveryError("bot was blocked by the user", kind="blocked", permanent=True)) is None
    row = people.chat(office.c, ANNA.key)
    assert row is not None
    assert row.blocked
