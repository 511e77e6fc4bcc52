from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from imbot.store.blobs import keep_blob
from imbot.store.errors import StoreUnavailable

DATA = b"From: itsm\r\n\r\n" + b"x" * 300_000
SHA = hashlib.sha256(DATA).hexdigest()


def test_a_letter_is_kept_once_under_its_content(tmp_path: Path) -> None:
    path = keep_blob(tmp_path / "mail", DATA, SHA)
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    moment = path.stat().st_mtime_ns
    assert keep_blob(tmp_path / "mail", DATA, SHA) == path
    assert path.stat().st_mtime_ns == moment
    assert [file.name for file in path.parent.iterdir()] == [SHA]


def test_a_file_cut_short_by_a_crash_is_written_again(tmp_path: Path) -> None:
    path = keep_blob(tmp_path, DATA, SHA)
    path.write_bytes(b"half")
    assert keep_blob(tmp_path, DATA, SHA).read_bytes() == DATA


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        keep_blob(tmp_path / "file", DATA, SHA)
