"""How much is done to read something, in lines of Python run: the same on every machine, however busy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class TooMuch(Exception):
    """More lines than were allowed: it would not have ended, or not soon."""


def work(doing: Callable[[], object], most: int = 6_000_000) -> int:
    """Lines run by `doing`, in imbot and beneath it. Raises `TooMuch` above `most`."""
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += 1
        if lines > most:
            raise TooMuch
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        doing()
    finally:
        sys.settrace(before)
    return lines
