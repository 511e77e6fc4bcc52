"""What is drawn of a run: which share of its gate a ratio uses, and files that say where they come from."""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.charts import _elsewhere, draw, used
from tests.servers import lacks

ABOUT = {"machine": "2 cores", "at": "2026-11-30T05:00:00+00:00", "rounds": 5, "scale": 1.0}
GROWTH = {
    f"{work}_{size}": float(number)
    for number, work in enumerate(("turn_us", "letter_us", "page_us", "start_ms", "clean_up_ms", "clean_up_due_ms"), 1)
    for size in ("x1", "x10", "x100", "x1000")
}


@pytest.mark.parametrize(
    ("gate", "value", "share"),
    [
        ("<= 0.35 (aim 0.23)", 0.7, 2.0),
        (">= 3", 6.0, 0.5),
        (">= 2 <= 10 (aim 5)", 2.5, 0.8),
        (">= 0.75", 0.0, float("inf")),
    ],
)
def test_up_to_one_a_gate_holds_whichever_way_it_is_written(gate: str, value: float, share: float) -> None:
    assert used({"gate": gate, "value": value}) == pytest.approx(share)


def _need_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        lacks("matplotlib, which is of the extra `bench`: make .venv/.bench")


def test_charts_say_machine_command_and_date(tmp_path: Path) -> None:
    _need_matplotlib()
    ratios = [
        {"name": "CPU / python-telegram-bot", "value": 0.33, "gate": "<= 0.35 (aim 0.23)", "ok": True},
        {"name": "p50 / SMTP alone", "value": 6.1, "gate": "<= 3", "ok": False},
        {"name": "for comparison", "value": 2.0, "gate": "", "ok": True},
        {"name": "an aim alone", "value": 1.02, "gate": "(aim 1)", "ok": True},
        {"name": "none at all", "value": 0.0, "gate": "<= 0", "ok": True},
    ]
    results = {"J1": {"ratios": ratios}, "growth": {"ratios": [], "medians": {"imbot": GROWTH}}}
    written = draw(tmp_path / "figures", ABOUT, results)
    assert [file.name for file in written] == ["gates.svg", "gates.png", "growth.svg", "growth.png"]
    assert all(file.stat().st_size > 5000 for file in written)
    again = draw(tmp_path / "again", ABOUT, results)
    assert written[0].read_bytes() == again[0].read_bytes()


def test_the_version_of_a_peer_that_lives_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SQLALCHEMY", sys.executable)
    assert _elsewhere("sqlalchemy") == [f"sqlalchemy {metadata.version('sqlalchemy')}"]
    assert _elsewhere("aiogram") == []


def test_what_was_not_run_is_not_drawn(tmp_path: Path) -> None:
    _need_matplotlib()
    assert draw(tmp_path, ABOUT, {"J4d": {"ratios": [{"name": "x", "value": 1.0, "gate": "", "ok": True}]}}) == []
