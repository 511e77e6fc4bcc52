"""Files that are durable before the data base speaks of them; large raw letters are named by their content."""

from __future__ import annotations

from pathlib import Path

from imbot.durable import sync, write_whole
from imbot.store.errors import StoreUnavailable


def keep_blob(folder: Path, data: bytes, sha256: str) -> Path:
    """Writes `data` to `folder`/<first two>/<sha256> with mode 0600 and syncs file and folder. Idempotent."""
    path = folder / sha256[:2] / sha256
    return write_durable(path, data, folder)


def write_durable(path: Path, data: bytes, root: Path | None = None) -> Path:
    """Writes `data` to `path` with mode 0600, whole or not at all, and syncs file and folder (and `root` above it).
    Idempotent: what is there and as large is not written again."""
    try:
        if path.is_file() and path.stat().st_size == len(data):
            return path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
        if root is not None and root != path.parent:
            sync(root)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
    return path
