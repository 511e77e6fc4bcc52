"""Named places where a test kills the process. Without IMBOT_FAILPOINT in the environment, nothing here does anything.

`IMBOT_FAILPOINT=name` kills at the first hit of that place, `name:3` at the third. The kill is SIGKILL: no handler, no
`finally`, no flush runs, as when the power fails.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_hits: Counter[str] = Counter()


def hit(name: str) -> None:
    """Die here and now if this is the place that the environment names."""
    wanted = os.environ.get("IMBOT_FAILPOINT", "")
    if not wanted:
        return
    wanted_name, _, nth = wanted.partition(":")
    if wanted_name != name:
        return
    _hits[name] += 1
    if _hits[name] == int(nth or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
