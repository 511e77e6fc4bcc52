"""Each benchmark does its work and checks it, at a tiny size; how long that takes decides nothing here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import JOURNEYS, ROOT, load, ratios, table
from benchmarks.journey import Journey, Missing, Place, Ratio, Wrong, check
from tests.servers import need

TINY = 0.002


@pytest.fixture(params=JOURNEYS)
def journey(request: pytest.FixtureRequest) -> Iterator[tuple[Journey, Place]]:
    if request.param not in ("J1", "J4d", "J5", "J7"):
        need("dovecot", "openssl")
    found = load(request.param)
    with found.prepare(TINY) as place:
        yield found, place


@pytest.mark.servers
def test_every_contestant_does_its_work(journey: tuple[Journey, Place]) -> None:
    of, place = journey
    missing, figures = [], {}
    for name, contestant in of.contestants.items():
        try:
            figures[name] = contestant(place)
        except Missing as peer:
            missing.append(f"{name} needs {peer}")
    assert all(value >= 0 for each in figures.values() for value in each.values())
    assert "imbot" in figures
    for ratio in of.ratios:
        named = [path for path in (ratio.one, ratio.other) if isinstance(path, str)]
        assert all(path.split(".")[1] in figures.get(path.split(".")[0], {path.split(".")[1]: 0}) for path in named)
    if missing:
        pytest.skip("; ".join(missing))


def test_ratios_are_taken_within_a_round_and_the_median_counts() -> None:
    line = Ratio("a / b", "a.x", "b.x", at_least=2, at_most=10, aim=5)
    made = Journey("J", "", lambda _: None, {}, (line, Ratio("a / peer", "a.x", "peer.x")))  # type: ignore[arg-type,return-value]
    rounds = [{"a": {"x": a}, "b": {"x": b}} for a, b in ((1.0, 1.0), (10.0, 2.0), (100.0, 25.0))]
    (found,) = ratios(made, rounds)
    assert (found["value"], found["ok"], found["gate"]) == (4, True, ">= 2 <= 10 (aim 5)")
    assert not line.holds(1.9)
    assert not line.holds(11)
    assert "| a / b | 4 | >= 2 <= 10 (aim 5) | holds |" in table(made, rounds)


def test_work_that_was_not_done_is_no_result() -> None:
    with pytest.raises(Wrong, match="9 letters of 10"):
        check(9 == 10, "9 letters of 10")


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


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
