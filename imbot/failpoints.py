"""Named places where a test kills the process. Without IMBOT_FAILPOINT in the environment, nothing here does anything.

`IMBOT_FAILPOINT=name` kills at the first hit of that place, `name:3` at the third. The kill is SIGKILL: no handler, no
`finally`, no flush runs, as when the power fails. `tests/fire` visits every place that is named in the source.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_NAME, _, _NTH = os.environ.get("IMBOT_FAILPOINT", "").partition(":")
_hits: Counter[str] = Counter()


def awaits(name: str) -> bool:
    """Whether this is the place: what is done in one go may have to be done in two, so that there is a middle to die in."""
    return name == _NAME


def hit(name: str) -> None:
    """Die here and now if this is the place that the environment named when the process started."""
    if name != _NAME:
        return
    _hits[name] += 1
    if _hits[name] == int(_NTH or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
