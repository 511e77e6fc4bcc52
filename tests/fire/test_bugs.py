"""The rig's own test: each mistake that was put on a copy of the code fits it, and the rig catches it by name. The tests take a
sample of them; `python -m tests.fire bugs` plays them all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fire.bug import copy_with, without
from tests.fire.bugs import BUGS, SAMPLE
from tests.fire.campaign import Plan
from tests.fire.checker import CHECKS
from tests.fire.nanny import places
from tests.fire.weather import KINDS

DRAINED = "all_drained"  # said by the campaign itself


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_mistake_still_fits_the_code_and_can_be_imported(bug, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code = copy_with(bug, tmp_path / "code")
    env = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    files = [edit.file for edit in bug.edits]
    done = subprocess.run(
        [sys.executable, "-m", "py_compile", *files], cwd=code, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_there_are_enough_of_them_and_each_is_to_be_caught_by_a_check_that_there_is() -> None:
    assert len(BUGS) >= 20
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert {bug.name for bug in BUGS} > set(SAMPLE)
    for bug in BUGS:
        assert bug.caught <= {*CHECKS, DRAINED}, bug.name
        assert bug.weather in {"", *KINDS}, bug.name


def test_without_its_mistake_a_campaign_dies_where_the_code_can_die() -> None:
    for bug in BUGS:
        sound = without(bug)
        assert (sound.edits, len(sound.places)) == ((), len(bug.places))
        assert {one.partition(":")[0] for one in sound.places} <= {"", *places()}, bug.name
        least = 120 if DRAINED in bug.caught else 300
        assert Plan(**sound.plan).peace >= least, f"{bug.name}: a chat may have a minute's messages to wait for"
