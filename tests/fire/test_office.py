"""The office is down, in small: everybody's request arrives once, with its files, and everybody is told of its number. How long
it took is told by `python -m tests.fire office` and decides nothing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fire import gauge, measures, office
from tests.fire.facts import read_journals
from tests.fire.stage import Report
from tests.fire.story import CHAT, good_day

PERSONS = 40


def counted(folder: Path, told: Report) -> tuple[int, int]:
    """Requests that arrived, and letters; nothing that must not be was found."""
    assert not told.wrong, told.tell()
    journals = read_journals(folder)
    filed = len(journals.requests)
    assert filed == len(journals.request_letters) == len([one for one in journals.letters if one.kind == "request"])
    assert len(measures.handovers(journals)) == len(measures.notices(journals)) == filed
    assert len({int(one["chat"]) for one in journals.bot if one["e"] == "sent"}) == PERSONS
    return filed, len(journals.letters)


async def test_a_small_office_files_everything_at_once(tmp_path: Path) -> None:
    plan = office.Plan(seed=3, persons=PERSONS, seconds=30.0, hand=0.3, photo_side=120, peace=120.0)
    told = await office.play(tmp_path, plan)
    filed, _ = counted(tmp_path, told)
    assert filed == PERSONS - _who_leave(told)
    assert plan.memory == gauge.GIB
    counted_calls = measures.calls(read_journals(tmp_path))
    assert counted_calls["notice"] == filed
    assert measures.paced(counted_calls) >= 6 * filed


async def test_without_limits_it_is_the_same_work(tmp_path: Path) -> None:
    plan = office.Plan(seed=3, persons=PERSONS, unlimited=True, abreast=20, photo_side=120, peace=120.0)
    told = await office.play(tmp_path, plan)
    filed, _ = counted(tmp_path, told)
    assert filed == PERSONS - _who_leave(told)
    assert any(line.startswith("one process: ") for line in told.lines)


def _who_leave(told: Report) -> int:
    """Drawn from the seed, and never all."""
    (line,) = (one for one in told.lines if one.startswith("persons: "))
    words = dict(pair.rsplit(" ", 1) for pair in line.removeprefix("persons: ").split(", "))
    assert int(words["filed with a photo"]) > 0
    assert "gave up" not in words
    return int(words.get("left half way", "0"))


def test_an_answer_that_waits_longer_than_news_and_a_limit_that_was_met_are_told() -> None:
    def missed(answered: float, refused: int) -> list[str]:
        story, told = good_day(), Report()
        story.sent(100, text="/me")
        story.saw(100 + answered, 60, "Иванова Анна")
        story.bot += [{"t": 90.0, "e": "refused", "status": 429, "method": "sendMessage", "chat": CHAT}] * refused
        office._tell_times(told, story.journals(), office.Plan())
        return told.slow

    assert missed(0.2, 0) == []
    (words,) = missed(5, 0)[1:]
    assert words.startswith("who writes waits longer, 5.00 s, than news do")
    assert missed(0.2, 2) == ["2 messages met a limit of Telegram's"]


def test_persons_come_steeply_and_then_fewer() -> None:
    plan = office.Plan(seed=1, persons=1000, seconds=600.0)
    moments = office.arrivals(plan)
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] <= 600
    thirds = [sum(1 for one in moments if n * 200 <= one < (n + 1) * 200) for n in range(3)]
    assert thirds[0] > 500
    assert thirds[0] > thirds[1] > thirds[2] > 0


def test_figures_are_what_they_are_called() -> None:
    figures = measures.spread([float(number) for number in range(1, 101)])
    assert (figures.count, figures.half, figures.p95, figures.p99, figures.worst) == (100, 51.0, 96.0, 100.0, 100.0)
    assert measures.spread([]) == measures.Spread(0, 0.0, 0.0, 0.0, 0.0)
    assert measures.busiest([0.0, 0.1, 0.2, 1.05, 1.15], 1.0) == 3
    assert measures.busiest([], 1.0) == 0
    assert measures.best_rate([0.0, 1.0, 2.0, 3.0], 10.0) == pytest.approx(1.0, rel=0.35)
