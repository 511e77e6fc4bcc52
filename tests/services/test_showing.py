from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from imbot.domain.errors import DeliveryError
from imbot.services import showing

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (DeliveryError("429", kind="throttled", retry_after=2.0), 2),
        (DeliveryError("429", kind="throttled", retry_after=300.0), 300),
        (DeliveryError("502", kind="down"), 60),
    ],
)
def test_a_screen_that_was_put_off_is_due_when_the_channel_said(
    monkeypatch: pytest.MonkeyPatch, error: DeliveryError, seconds: int
) -> None:
    noted: list[Any] = []
    monkeypatch.setattr(showing.sessions, "not_shown", lambda *values: noted.append(values))
    connection: Any = None
    screen: Any = SimpleNamespace(chat_key="telegram:1001", seq=4, attempts=3)
    due = showing.failed(connection, screen, error, NOW)
    assert due == NOW + timedelta(seconds=seconds)
    assert noted == [(None, "telegram:1001", 4, due, str(error))]
