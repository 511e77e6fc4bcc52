"""What keeps imbot's memory small: two libraries without what they take along for uses that we have not (13 MiB, and a twelfth of
a start), and an allocator that gives back what it has.

structlog loads rich for tracebacks in colour and greenlet for its kind of threads, httpx (of python-telegram-bot) rich and click
for a command line, and python-telegram-bot cryptography for Telegram Passport. All three go on without where these are not
installed; for the moment of their import they are told so. Whoever needs one of these later imports it as ever.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Iterable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc; see mallopt(3)
_LARGE = 128 * 1024  # bytes; glibc's own first values, which it raises by itself unless they are set
_LIBRARIES = ("structlog", "telegram")
_LEFT_OUT = ("rich", "pygments", "click", "cryptography", "greenlet")


def import_without(libraries: Iterable[str], left_out: Iterable[str]) -> None:
    """Imports `libraries` while an import of `left_out` fails. One that is loaded already stays as it is. Not for threads:
    another one's import would fail meanwhile."""
    hidden = [name for name in left_out if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # an import of it raises ImportError
    try:
        for name in libraries:
            importlib.import_module(name)
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def keep_memory_together() -> bool:
    """Has glibc serve all threads from two heaps and give back what is free at their ends. Left to itself it makes a heap for
    each thread and keeps ever larger pieces: 5 MiB more in ten minutes of steady work. Before threads are started. False:
    another C library, which has no such habit, or no such switch."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_M_ARENA_MAX, 2), (_M_TRIM_THRESHOLD, _LARGE), (_M_MMAP_THRESHOLD, _LARGE))
    return all(mallopt(name, value) for name, value in wanted)


import_without(_LIBRARIES, _LEFT_OUT)
