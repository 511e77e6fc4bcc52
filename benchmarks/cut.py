"""kill -9 in the middle of a journey: a first half in a process of its own, which dies at a named place of imbot's code
(`imbot.failpoints`). What it leaves is gone on with, and looked at, by whoever asked; nothing of it is timed.
`python -m benchmarks.cut MODULE PLACE FOLDER`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.journey import Place, check
from imbot import log

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 300.0  # seconds


def first_half(module: str, place: Place, folder: Path, failpoint: str, nth: int) -> None:
    """`benchmarks.<module>.half(place, folder)` until its `nth` time at `failpoint`. Raises Wrong where it did not die there."""
    asked = [sys.executable, "-m", "benchmarks.cut", module, json.dumps(place), str(folder)]
    env = {**os.environ, "IMBOT_FAILPOINT": f"{failpoint}:{nth}"}
    code = subprocess.run(asked, cwd=_ROOT, env=env, stdout=sys.stderr, timeout=_PATIENCE, check=False).returncode
    check(code == -signal.SIGKILL, f"it did not die at its {nth}. {failpoint} but ended with {code}")


def main() -> None:
    module, place, folder = sys.argv[1:]
    log.set_up("warning")
    importlib.import_module(f"benchmarks.{module}").half(json.loads(place), Path(folder))


if __name__ == "__main__":
    main()
