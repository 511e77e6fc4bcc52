from __future__ import annotations

from datetime import UTC, datetime

from imbot.loops.checkup import Checkup
from imbot.loops.pulse import Pulse

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def a_pulse() -> Pulse:
    pulse = Pulse(lambda: NOW)
    pulse.ok("smtp")
    pulse.ok("timer poll")
    pulse.wrong("mailbox", "refused")
    return pulse


async def test_details_are_what_is_known_and_poke_nobody() -> None:
    poked: list[str] = []
    legs = await Checkup(a_pulse(), [lambda: poked.append("mailbox")]).look(False)
    assert [(leg["leg"], leg["ok"], leg["error"]) for leg in legs] == [
        ("mailbox", False, "refused"),
        ("smtp", True, ""),
    ]
    assert poked == []


async def test_check_now_waits_for_the_word_of_what_it_poked() -> None:
    pulse = a_pulse()

    def poke() -> None:
        pulse.ok("mailbox")

    legs = await Checkup(pulse, [poke], patience=30).look(True)
    assert [(leg["leg"], leg["ok"]) for leg in legs] == [("mailbox", True), ("smtp", True)]


async def test_a_mailbox_that_says_nothing_is_shown_as_it_was() -> None:
    legs = await Checkup(a_pulse(), [], patience=0.01).look(True)
    assert [(leg["leg"], leg["ok"]) for leg in legs] == [("mailbox", False), ("smtp", True)]
