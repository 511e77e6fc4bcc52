"""A campaign of hours that is told to end is judged all the same."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fire import __main__ as command
from tests.fire.__main__ import _until_interrupted, unreached
from tests.fire.around import around
from tests.fire.campaign import COLD, Plan, Result, kill_often
from tests.fire.facts import Finding
from tests.fire.nanny import places


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_it_and_the_second_breaks_off(sign: signal.Signals) -> None:
    enough = _until_interrupted()
    assert not enough.is_set()
    os.kill(os.getpid(), sign)
    await asyncio.wait_for(enough.wait(), 10)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert handlers == (signal.default_int_handler,) * 2  # each comes as Ctrl-C does: what runs is ended on the way out


async def test_no_life_begins_behind_it(tmp_path: Path) -> None:
    (tmp_path / "botapi.jsonl").touch()
    world: Any = SimpleNamespace(journals={"botapi": tmp_path / "botapi.jsonl"})
    nanny: Any = None  # which nobody asks for a life
    enough = asyncio.Event()
    enough.set()
    row, lost = await kill_often(world, nanny, Plan(kills=5), random.Random(1), None, enough)
    assert (row.total(), lost.total()) == (0, 0)


def test_a_place_that_many_deaths_never_reached_is_named_and_counts() -> None:
    live = sorted(set(places()) - COLD)
    assert unreached(Counter(dict.fromkeys(live, 5))) == ([], True)
    assert unreached(Counter(dict.fromkeys(live[1:], 5) | {"random": 9})) == (live[:1], True)
    assert unreached(Counter(dict.fromkeys(live[1:], 1) | {"random": 9})) == (live[:1], False)
    assert unreached(Counter(dict.fromkeys(live[4:], 2) | {"random": 9})) == (live[:4], False)
    assert unreached(Counter(dict.fromkeys(live[5:], 2) | {"random": 11})) == (live[:5], True)


def test_what_was_found_is_what_a_run_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "world-5" / "botapi.jsonl", {"t": 20, "e": "sent", "chat": 11})
    write(tmp_path / "world-5" / "nanny.jsonl", {"t": 21, "e": "killed"}, {"t": 60, "e": "killed"})

    async def play(_folder: Path, plan: Plan) -> Result:
        findings = [Finding("in_order", "11", "the number came before the receipt")] if plan.seed == 5 else []
        return Result(
            findings,
            f"table of {plan.seed}",
            Counter({"random": plan.kills}),
            Counter({"added": 2}),
            Counter(),
            Counter(),
        )

    async def side_by_side(campaigns: Sequence[tuple[Path, Plan]]) -> list[Result]:
        return [await play(*one) for one in campaigns]

    monkeypatch.setattr(command, "_side_by_side", side_by_side)
    monkeypatch.setattr("sys.argv", ["fire", "kills", "--kills", "4", "--seed", "5", "--folder", str(tmp_path)])
    assert command.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert said.index("table of 6") < len(said) - 4
    assert said[-4:-1] == [
        "world-5: in_order 11: the number came before the receipt",
        '  20.00 botapi: {"e": "sent", "chat": 11}',
        '  21.00 nanny: {"e": "killed"}',
    ]


@pytest.mark.parametrize(
    ("about", "words", "seen"),
    [
        ("11", "at 20.00 there was nothing", ["20.00 botapi", "27.00 nanny"]),
        ("fire0000007", "it was lost", ["11.00 itsm", "11.50 nanny", "40.00 itsm"]),
        ("telegram", "something of fire0000007 at 39.50", ["40.00 itsm"]),
    ],
)
def test_what_the_witnesses_wrote_around_it_stands_below(
    tmp_path: Path, about: str, words: str, seen: list[str]
) -> None:
    write(tmp_path / "journals" / "botapi.jsonl", {"t": 11, "chat": 11}, {"t": 20, "chat": 11}, {"t": 20, "chat": 110})
    write(
        tmp_path / "journals" / "itsm.jsonl",
        *({"t": t, "text": "Мышь fire0000007"} for t in (11, 40)),
        {"t": 20, "n": 11},
    )
    write(tmp_path / "journals" / "nanny.jsonl", *({"t": t, "e": "killed"} for t in (11.5, 27, 60)))
    lines = around(tmp_path, Finding("in_order", about, words))
    assert [line.partition(":")[0].strip() for line in lines] == seen


def write(path: Path, *events: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
