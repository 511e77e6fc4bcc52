"""The power failure itself is judged: what was synced stays, what was not is gone, and a data base comes back whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fire.power import Power
from tests.servers import need

WRITER = """
import os, sqlite3, sys
os.chdir(sys.argv[1])
def write(name, text, *, sync):
    with open(name, "w") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
def sync_folder(name):
    folder = os.open(name, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
write("old", "overwritten", sync=False)
write("named", "never synced", sync=False)
write("files/whole", "synced", sync=True)
sync_folder("files")
write("files/nameless", "synced, but its folder was not", sync=True)
write("fresh", "new", sync=True)
c = sqlite3.connect("imbot.db", isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA synchronous=FULL")
c.execute("CREATE TABLE t (n)")
sync_folder(".")
os.replace("fresh", "old2")
for n in range(100):
    c.execute("INSERT INTO t VALUES (?)", (n,))
c.execute("PRAGMA synchronous=OFF")
for n in range(100):
    c.execute("INSERT INTO t VALUES (?)", (n,))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    need("gcc")
    folder = tmp_path / "var"
    (folder / "files").mkdir(parents=True)
    (folder / "old").write_text("as it was")
    return folder


def after_failure(root: Path, folder: Path) -> list[str]:
    power = Power(root, folder / "power")
    power.picture()
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(root)], env={**os.environ, **power.environment}, check=False
    )
    assert done.returncode == -9
    return power.fail()


def test_only_what_was_synced_outlives_a_power_failure(root: Path, tmp_path: Path) -> None:
    lost = after_failure(root, tmp_path)
    assert (root / "old").read_text() == "as it was"
    assert (root / "named").read_text() == ""  # its folder was synced, its bytes were not
    assert (root / "files" / "whole").read_text() == "synced"
    assert not (root / "files" / "nameless").exists()
    assert (root / "fresh").read_text() == "new"  # the renaming was not synced
    assert not (root / "old2").exists()
    assert {"nameless", "named", "old", "old2"} <= set(lost)


def test_a_data_base_comes_back_with_what_it_had_synced(root: Path, tmp_path: Path) -> None:
    after_failure(root, tmp_path)
    c = sqlite3.connect(root / "imbot.db")
    (rows,) = c.execute("SELECT count(*) FROM t").fetchone()
    c.close()
    assert rows == 100


def test_without_a_failure_nothing_changes(root: Path, tmp_path: Path) -> None:
    power = Power(root, tmp_path / "power")
    power.picture()
    before = {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert power.fail() == []
    assert {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    shutil.rmtree(root)


@pytest.mark.parametrize(
    "written", ["write_whole(Path('key'), b'new')", "secret_key(Path())", "write_mark(Path('mark'), 'new')"]
)
def test_what_the_product_says_is_written_outlives_a_power_failure(root: Path, tmp_path: Path, written: str) -> None:
    power = Power(root, tmp_path / "power")
    power.picture()
    code = (
        "import os, sys\nfrom pathlib import Path\nos.chdir(sys.argv[1])\nfrom imbot.app import secret_key\n"
        f"from imbot.durable import write_whole\nfrom imbot.store.epoch import write_mark\n{written}\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], env={**os.environ, **power.environment}, check=False)
    assert done.returncode == -9
    before = {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert len(before) == 2
    assert power.fail() == []
