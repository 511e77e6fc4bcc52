from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imbot.store.errors import StoreError, StoreUnavailable
from imbot.store.lock import InstanceLock


def test_a_second_instance_is_told_of_the_first(tmp_path: Path) -> None:
    words = rf"another imbot \(process {os.getpid()}\) already works with .*var"
    with InstanceLock(tmp_path / "var"), pytest.raises(StoreError, match=words):
        InstanceLock(tmp_path / "var").acquire()
    with InstanceLock(tmp_path / "var") as lock:
        lock.release()
        lock.release()


def test_a_killed_instance_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from imbot.store.lock import InstanceLock\n"
        "InstanceLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=f"process {child.pid}"):
        InstanceLock(tmp_path).acquire()
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=10)
    with InstanceLock(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"cannot write to .*imbot\.lock"):
        InstanceLock(tmp_path / "file").acquire()
