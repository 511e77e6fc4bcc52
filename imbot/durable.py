"""Files that outlive a power failure: whole or not at all, and on the disk with their names when the call returns. A leaf: it
knows nobody, and raises OSError alone."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Puts `data` in the place of `path`, for its owner only (0600). Whoever looks meanwhile sees the old file or the new one,
    and so does whoever looks after a power failure; behind this call, the new one."""
    beside = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except BaseException:
        with suppress(OSError):  # whatever stopped the writing may stop this as well
            beside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """The bytes of a file, or the names that stand in a folder, outlive a power failure from now on. A file's own fsync does
    not promise the second (fsync(2))."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
