"""Files that are durable before the data base speaks of them; large raw letters are named by their content."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from imbot.store.errors import StoreUnavailable


def keep_blob(folder: Path, data: bytes, sha256: str) -> Path:
    """Writes `data` to `folder`/<first two>/<sha256> with mode 0600 and syncs file and folder. Idempotent."""
    path = folder / sha256[:2] / sha256
    return write_durable(path, data, folder)


def write_durable(path: Path, data: bytes, root: Path | None = None) -> Path:
    """Writes `data` to `path` with mode 0600, whole or not at all, and syncs file and folder (and `root` above it).
    Idempotent: what is there and as large is not written again."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        if path.is_file() and path.stat().st_size == len(data):
            return path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        for parent in dict.fromkeys((path.parent, root or path.parent)):
            _sync_folder(parent)
    except OSError as error:
        with suppress(OSError):  # whatever stopped the writing may stop this as well
            beside.unlink(missing_ok=True)
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
    return path


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
