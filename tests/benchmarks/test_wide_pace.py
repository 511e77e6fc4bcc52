"""The pace in all of a program that is started with the folder of `wide_pace` on its path, and of one that is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import wide_pace
from benchmarks.__main__ import ROOT

_ASKS = "from imbot.channels.telegram import Meter; print(Meter()._overall, Meter(overall=7)._overall)"


def test_it_is_opened_without_a_word_on_the_command_line(tmp_path: Path) -> None:
    assert _asked(str(ROOT)) == "30 7"
    assert _asked(os.pathsep.join([str(wide_pace.put(tmp_path)), str(ROOT)])) == f"{wide_pace.OVERALL} 7"


def _asked(path: str) -> str:
    asked = [sys.executable, "-c", _ASKS]
    done = subprocess.run(
        asked, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()
