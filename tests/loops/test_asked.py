from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from imbot.domain.errors import DirectoryUnavailable
from imbot.domain.people import Absence, Entry
from imbot.loops import asked
from imbot.loops.asked import Asked
from imbot.loops.pulse import Pulse

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Directory:
    can_recheck = True

    def __init__(self) -> None:
        self.down, self.times = True, 0

    async def look_up(self, address: str) -> Entry | Absence:
        self.times += 1
        if self.down:
            raise DirectoryUnavailable(f"no answer about {address}")
        return Absence.ABSENT


async def test_each_answer_is_heard_by_the_pulse_and_a_directory_that_is_down_is_left_alone_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, pulse = Directory(), Pulse(lambda: NOW)
    one = Asked(directory, pulse)
    monkeypatch.setattr(asked, "_PAUSE", 0.3)
    with pytest.raises(DirectoryUnavailable, match="no answer about"):
        await one.look_up("anna@company.ru")
    answers = await asyncio.gather(*(one.look_up("tom@company.ru") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, DirectoryUnavailable) for answer in answers)
    assert directory.times == 2, "one of the five waited, the others were refused"
    assert pulse.legs["directory"].since == NOW
    directory.down = False
    assert await one.look_up("anna@company.ru") is Absence.ABSENT
    assert pulse.legs["directory"].since is None
