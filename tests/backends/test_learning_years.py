"""Learning from numbers that bear a year: the profile goes on when the year ends."""

from __future__ import annotations

import pytest

from imbot.backends.learning import learn
from imbot.backends.understanding import read
from imbot.domain.tickets import Status
from tests.backends.test_learning import UTC, a_letter, a_sample


@pytest.mark.parametrize(
    ("first", "second", "coming"),
    [
        ("ОБР-2026/004512", "ОБР-2026/004490", "ОБР-2027/000001"),
        ("ОБР-2026/004512", "ОБР-2025/004490", "ОБР-2027/000001"),
        ("INC 2026 № 4512", "INC 2026 № 12", "INC 2031 № 1"),
        ("2026/004512", "2026/004490", "2027/000001"),
        ("004512/2026", "004490/2026", "000001/2027"),
        ("SD/26-45", "SD/26-12", "SD/27-1"),
        ("ВН-2045-17", "ВН-2046-3", "ВН-10045-1"),  # far from the letters' own time: no years
    ],
)
def test_the_bridge_goes_on_when_the_year_in_the_number_ends(first: str, second: str, coming: str) -> None:
    date = {"Date": "Fri, 20 Nov 2026 10:10:00 +0300"}
    samples = [
        a_sample("a", "registered", first, f"Обращение {first} зарегистрировано", **date),
        a_sample("b", "resolved", second, f"Обращение {second} выполнено", **date),
    ]
    lesson = learn(samples, {}, "mine")
    report = read(lesson.profile, a_letter(f"Обращение {coming} выполнено"), tz=UTC)
    assert report is not None
    assert (report.status, report.number) == (Status.RESOLVED, coming)
    assert "2026" not in lesson.source
    assert any("any year in it" in note for note in lesson.notes) == ("2026" in first)


def test_a_year_beside_the_number_is_any_year_and_wants_a_look() -> None:
    lesson = learn(
        [
            a_sample("a", "registered", "4512", "Журнал 2026 № 4512 зарегистрировано"),
            a_sample("b", "resolved", "4490", "Журнал 2026 № 4490 выполнено"),
        ],
        {"x": a_letter("№ 4512")},
        "mine",
    )
    report = read(lesson.profile, a_letter("Журнал 2027 № 1 выполнено"), tz=UTC)
    assert report is not None
    assert (report.status, report.number) == (Status.RESOLVED, "1")
    assert any(doubt.startswith("a year stands beside the number") for doubt in lesson.doubts)
