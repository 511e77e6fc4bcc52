"""Which words may name a folder of ours, so that no name leads out of the folder above it."""

from __future__ import annotations

import re

WHAT_IT_MAY_BE = "a-z, 0-9, dot, _ and -, and no dot in front"
_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,99}")


def is_folder_name(text: str) -> bool:
    """Whether `text` may be joined to a path as one folder; what it may be is `WHAT_IT_MAY_BE`."""
    return _NAME.fullmatch(text) is not None
