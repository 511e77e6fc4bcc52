"""A soak of less than a minute, killed once and then gone on with; and the figures of a long one, worked out from samples that
were made up."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from tests.fire import soak, soaked
from tests.fire.facts import read_journals
from tests.fire.stage import Report
from tests.fire.trend import Point, chart, longest, settled, slope

MIB = 1024 * 1024


async def test_a_short_soak_loses_nothing_and_is_gone_on_with(tmp_path: Path) -> None:
    plan = soak.Plan(seed=4, seconds=25.0, persons=30, every=2.0, kills=1, warm_up=2.0, serving=60.0, peace=180.0)
    told = await soak.play(tmp_path, plan)
    assert not told.wrong, told.tell()
    journals = read_journals(tmp_path / "leg-1")
    assert len(journals.kills) == 1
    assert journals.requests
    assert set(journals.requests) == set(journals.request_letters)
    (leg,) = soaked.legs(tmp_path)
    assert len({one["life"] for one in leg.samples}) >= 1
    assert leg.sizes["rows"]["tickets"] == len(journals.requests)
    again = await soak.play(tmp_path, soak.Plan(seed=4, seconds=leg.seconds, persons=30))  # nothing is left of it
    assert len(soaked.legs(tmp_path)) == 1
    assert any("done before" in line for line in again.lines)


def made_up(growth: float, minutes: int = 90) -> list[dict[str, Any]]:
    """Samples of two lives, noise and an outlier in them; `growth` bytes in ten minutes."""
    dice, found = random.Random(1), []
    for number in range(minutes * 2):
        life, t = number * 30 // (minutes * 30) + 1, number * 30.0
        since = t - (0 if life == 1 else minutes * 30.0)
        rss = 100 * MIB + 20 * MIB * (1 - math.exp(-since / 100)) + growth * since / 600 + dice.uniform(-1, 1) * MIB / 4
        if number == 60:
            rss += 500 * MIB
        found.append(
            {"e": "sample", "t": t, "begun": 0.0, "life": life, "rss": rss, "children_rss": 24 * MIB, "cpu": t / 4,
             "descriptors": 30 + number % 2, "threads": 7, "letters": number, "load": 1.0, "database": number * 1000,
             "wal": 4096, "files": 3, "files_bytes": 300}
        )  # fmt: skip
    return found


def told_of(growth: float) -> Report:
    told = Report()
    soaked.tell(told, [soaked.Leg(made_up(growth), {})], 600.0)
    return told


def test_a_data_base_that_is_larger_than_promised_is_found() -> None:
    def told_of_bytes(whole: int, mails: int, tickets: int = 1000) -> list[str]:
        rows = {"tickets": tickets, "parcels": 9, "ledger": 9, "letters": 0, "mails": 4000}
        told = Report()
        soaked.tell(told, [soaked.Leg(made_up(0.0), {"rows": rows, "bytes": whole, "tables": {"mails": mails}})], 600.0)
        return [one.about for one in told.findings]

    assert told_of_bytes(27_000_000, 12_600_000) == []
    assert told_of_bytes(31_000_000, 12_600_000) == ["request"]
    assert told_of_bytes(27_000_000, 14_400_000) == ["letter that came"]
    assert told_of_bytes(27_000_000, 14_400_000, tickets=100) == []  # what an empty data base takes would be most of it


def test_growth_is_seen_through_noise_a_kill_and_an_outlier() -> None:
    assert told_of(0.0).good
    assert told_of(0.5 * MIB).good
    (slow,) = told_of(1.5 * MIB).slow
    assert slow.startswith("rss grows by 1.")


def test_a_short_run_is_told_and_not_judged() -> None:
    told = Report()
    soaked.tell(told, [soaked.Leg(made_up(50 * MIB)[:12], {})], 60.0)
    assert told.good
    assert any("too short to judge" in line for line in told.lines)
    empty = Report()
    soaked.tell(empty, [], 60.0)
    assert empty.lines == ["no samples: the run was too short"]


def test_the_slope_is_taken_within_lives_only() -> None:
    first = [Point(1, float(t), 100.0 + t) for t in range(10)]
    second = [Point(2, float(t), 2.0 * t) for t in range(100, 110)]
    assert slope(first) == 1.0
    assert slope(first + second) == 1.5
    assert slope([first[0], second[0]]) is None
    assert [one.t for one in settled(first + second, 8.0)] == [8.0, 9.0, 108.0, 109.0]
    assert longest(first + second) == 9.0
    assert longest([]) == 0.0


def test_a_curve_can_be_read() -> None:
    assert chart([]) == []
    assert chart([5.0, 5.0]) == ["", "", "", "▁▁"]
    lines = chart([float(number) for number in range(200)], width=10, height=2)
    assert len(lines) == 2
    assert lines[1][-1] == lines[0][-1] == "█"
    assert lines[0][:4] == "    "
    assert len(lines[1]) == 10
