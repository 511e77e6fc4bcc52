"""Imports two libraries without what they take along for uses that we have not: 13 MiB of memory and a twelfth of a start.

structlog loads rich for tracebacks in colour, httpx (of python-telegram-bot) rich and click for a command line, and
python-telegram-bot cryptography for Telegram Passport. All three go on without where these are not installed; for the moment of
their import they are told so. Whoever needs one of these later imports it as ever.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable

_LIBRARIES = ("structlog", "telegram")
_LEFT_OUT = ("rich", "pygments", "click", "cryptography")


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


import_without(_LIBRARIES, _LEFT_OUT)
