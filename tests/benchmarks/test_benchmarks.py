"""Each benchmark does its work and checks it, at a tiny size; how long that takes decides nothing here."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.__main__ import JOURNEYS, ROOT, failures, load, ratios, table
from benchmarks.j2 import source_rate
from benchmarks.journey import Journey, Missing, Place, Ratio, Wrong, check
from tests.servers import lacks, need

TINY = 0.002
_MAILBOX = ("dovecot", "openssl")
_NEEDS = {"J2": ("postfix",), "J3": _MAILBOX, "J4a": _MAILBOX, "J4c": _MAILBOX, "J4e": _MAILBOX, "J7": _MAILBOX}


@pytest.fixture(params=JOURNEYS)
def journey(request: pytest.FixtureRequest) -> Iterator[tuple[Journey, Place]]:
    need(*_NEEDS.get(request.param, ()))
    found = load(request.param)
    with found.prepare(TINY) as place:
        if place.get("missing"):
            lacks(place["missing"])
        yield found, place


@pytest.mark.servers
def test_every_contestant_does_its_work(journey: tuple[Journey, Place]) -> None:
    of, place = journey
    missing: dict[str, str] = {}
    figures = {}
    for name, contestant in of.contestants.items():
        try:
            figures[name] = contestant(place)
        except Missing as peer:
            missing[name] = f"{name} needs {peer}"
    assert all(value >= 0 for each in figures.values() for value in each.values())
    assert "imbot" in figures
    for ratio in of.ratios:
        named = [path for path in (ratio.one, ratio.other) if isinstance(path, str)]
        assert all(path.split(".")[1] in figures.get(path.split(".")[0], {path.split(".")[1]: 0}) for path in named)
    missing.pop("aiogram", None)  # wants another pydantic than imbot, and so a Python of its own
    if missing:
        lacks("; ".join(missing.values()))


def _journey(*lines: Ratio) -> Journey:
    return Journey("J", "", lambda _: None, {}, lines)  # type: ignore[arg-type,return-value]


def test_ratios_are_taken_within_a_round_and_the_median_counts() -> None:
    line = Ratio("a / b", "a.x", "b.x", at_least=2, at_most=10, aim=5)
    made = _journey(line, Ratio("a / peer", "a.x", "peer.x"))
    rounds = [{"a": {"x": a}, "b": {"x": b}} for a, b in ((1.0, 1.0), (10.0, 2.0), (100.0, 25.0))]
    (found,) = ratios(made, rounds)
    assert (found["value"], found["worst"], found["ok"], found["gate"]) == (4, 1, True, ">= 2 <= 10 (aim 5)")
    assert not line.holds(1.9)
    assert not line.holds(11)
    assert "| a / b | 4 | 1 | >= 2 <= 10 (aim 5) | holds |" in table(made, rounds)
    assert failures(made, rounds) == []


@pytest.mark.parametrize(
    ("bounds", "figures", "worst"),
    [
        ({"at_most": 0}, (0.0, 0.0, 1.0, 0.0, 0.0), 1),
        ({"at_most": 0}, (0.0, 0.0, 0.0), 0),
        ({"at_most": 10}, (4.0, 11.0, 5.0), 11),
        ({"at_least": 3}, (4.0, 2.0, 5.0), 2),
        ({"at_least": 3}, (4.0, 0.0, 5.0), 0),
        ({"at_least": 2, "at_most": 10}, (4.0, 30.0, 1.0), 30),
    ],
)
def test_of_what_must_never_happen_the_worst_round_counts(
    bounds: dict[str, Any], figures: Sequence[float], worst: float
) -> None:
    rounds = [{"a": {"x": figure}} for figure in figures]
    by_median, by_worst = Ratio("a", "a.x", 1.0, **bounds), Ratio("a", "a.x", 1.0, worst=True, **bounds)
    (usual,), (found,) = ratios(_journey(by_median), rounds), ratios(_journey(by_worst), rounds)
    assert (usual["value"], usual["worst"]) == (statistics.median(figures), worst)
    assert (found["value"], found["ok"]) == (worst, by_worst.holds(worst))
    assert "(the worst round counts)" in table(_journey(by_worst), rounds)
    assert bool(failures(_journey(by_worst), rounds)) is not by_worst.holds(worst)


def test_a_refusal_in_one_round_of_five_is_no_gate_that_holds() -> None:
    rounds = [{"imbot": {"refused": refused}} for refused in (0.0, 0.0, 1.0, 0.0, 0.0)]
    assert "refused with 429 is 1, not <= 0" in failures(load("J4b"), rounds)


def test_what_was_not_measured_has_not_held() -> None:
    gated, other = Ratio("a / b", "a.x", "b.x", at_most=2), Ratio("a / peer", "a.x", "peer.x", aim=1.0)
    made = _journey(gated, other)
    unmeasured: tuple[list[dict[str, Any]], ...] = (
        [],
        [{}],
        [{"a": {"x": 1.0}}],
        [{"a": {"y": 1.0}, "b": {"x": 1.0}}],
        [{"a": {"x": 1.0}, "b": {"x": 0.0}}],
    )
    for rounds in unmeasured:
        assert failures(made, rounds) == ["a / b (<= 2) was not measured"]
        assert "| a / b | not measured | | <= 2 | **not measured** |" in table(made, rounds)
    assert failures(made, [{"a": {"x": 4.0}, "b": {"x": 2.0}}]) == []
    assert failures(made, [{"a": {"x": 5.0}, "b": {"x": 2.0}}]) == ["a / b is 2.5, not <= 2"]


def test_a_start_that_took_as_long_as_all_letters_is_no_rate_and_no_mistake() -> None:
    """A few letters on a machine that changes its speed: a run of all may be over before one of the first ones."""
    assert source_rate(3000, 4.0, [0.2, 0.3, 5.0, 0.2]) == pytest.approx(3000 / 3)
    slow_start = source_rate(80, 0.4, [0.1, 0.2, 0.2, 0.1])
    assert slow_start == 0
    rounds = [{"bulk": {"letters_per_s": 500.0, "source_letters_per_s": slow_start}}]
    assert "bulk / smtp-source, 1 sessions is" not in " ".join(failures(load("J2"), rounds))
    assert "bulk / smtp-source, 1 sessions (>= 0.75 (aim 0.85)) was not measured" in failures(load("J2"), rounds)


def test_an_aim_alone_is_no_gate_that_could_hold() -> None:
    made = _journey(Ratio("a", "a.x", 1.0, aim=1.0))
    assert "| a | 3 |  | (aim 1) |  |" in table(made, [{"a": {"x": 3.0}}])


def test_work_that_was_not_done_is_no_result() -> None:
    with pytest.raises(Wrong, match="9 letters of 10"):
        check(bool([]), "9 letters of 10")


def test_the_command_prints_a_table_writes_json_and_refuses_unknown_names(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    asked = ["J4d", "--rounds", "1", "--scale", str(TINY), "--who", "default,imbot", "--json", str(file)]
    done = _run(*asked)
    assert done.returncode == 0, done.stderr
    assert "| 20 KB: policy.default / imbot |" in done.stdout
    written = json.loads(file.read_text("utf-8"))
    assert written["journeys"]["J4d"]["medians"]["imbot"]["small_us"] > 0
    unknown = _run("J99")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no such journey: J99" in unknown.stderr


def test_a_gate_that_nobody_measured_ends_the_command_with_1_and_is_named() -> None:
    asked = ["J4d", "--rounds", "1", "--scale", str(TINY), "--who", "default"]
    assert _run(*asked).returncode == 0
    done = _run(*asked, "--gate")
    assert done.returncode == 1
    assert "J4d: 20 KB: compat32 / imbot (>= 1) was not measured" in done.stderr.splitlines()


def test_a_wrong_result_ends_its_own_journey_and_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, runs = tmp_path / "figures.json", []

    def run(name: str, contestant: str, _place: Place) -> dict[str, float]:
        runs.append(name)
        if runs == ["J1"] * 4:  # of two contestants, the second in its second round
            raise Wrong(f"{name} {contestant}: 9 answers of 10")
        return {"x": float(len(runs))}

    line = Ratio("a / b", "a.x", "b.x", at_most=2)
    made = Journey("J1", "", lambda _: nullcontext({}), dict.fromkeys("ab", lambda _: {}), (line,))
    monkeypatch.setattr(command, "load", lambda name: replace(made, name=name))
    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "J1,J2", "--rounds", "2", "--json", str(file)])
    assert command.main() == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "J1 b: 9 answers of 10; J1 broke off with 1 of 2 rounds whole"
    assert "### J2" in told.out
    written = json.loads(file.read_text("utf-8"))
    assert [len(written["journeys"][name]["rounds"]) for name in ("J1", "J2")] == [1, 2]
    assert written["journeys"]["J1"]["ratios"][0]["value"] == 0.5
    assert written["wrong"] == ["J1 b: 9 answers of 10; J1 broke off with 1 of 2 rounds whole"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
