"""A power failure: the product's folder becomes what its own fsyncs made durable. What `power.c`, preloaded into the process,
has noted is put in the folder's place; bytes and names that nobody synced are gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("power.c")
_NEVER = ("-shm",)  # SQLite's index of the log: no part of what is durable, built anew from the log


def compile_shim(source: Path, shim: Path) -> None:
    """A library to be preloaded. Raises FileNotFoundError where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("no C compiler (on Debian: gcc and libc6-dev)")
    words = [compiler, "-O1", "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl", "-lpthread"]
    subprocess.run(words, check=True, timeout=60)


class Power:
    """Of one `root` folder. `environment` is what the product's process is started with; `picture` before each start,
    `fail` after its death. Raises FileNotFoundError where there is no C compiler."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._shadow, self._shim = root, folder / "shadow", folder / "power.so"
        folder.mkdir(parents=True, exist_ok=True)
        compile_shim(_SOURCE, self._shim)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._shim),
            "RIG_ROOT": str(self._root.resolve()),
            "RIG_SHADOW": str(self._shadow.resolve()),
        }

    def picture(self) -> None:
        """Everything that lies there now is durable."""
        shutil.rmtree(self._shadow, ignore_errors=True)
        for kind in ("files", "names"):
            (self._shadow / kind).mkdir(parents=True)
        for folder, _, names in os.walk(self._root):
            here = Path(folder)
            keys = _keys(here)
            lines = "".join(f"{key} {name}\n" for name, key in keys.items())
            (self._shadow / "names" / str(here.stat().st_ino)).write_text(lines)
            for name in names:
                shutil.copyfile(here / name, self._shadow / "files" / keys[name])

    def fail(self) -> list[str]:
        """Put the durable picture in the folder's place; names of what is gone or has become another."""
        fresh = self._root.with_name(self._root.name + ".durable")
        shutil.rmtree(fresh, ignore_errors=True)
        lost: list[str] = []
        self._restore(self._root, fresh, lost)
        shutil.rmtree(self._root)
        fresh.rename(self._root)
        return lost

    def _restore(self, before: Path, after: Path, lost: list[str]) -> None:
        after.mkdir(mode=before.stat().st_mode & 0o777)
        listed = self._shadow / "names" / str(before.stat().st_ino)
        lines = listed.read_text().splitlines() if listed.exists() else []
        durable = {name: inode for inode, name in (line.split(" ", 1) for line in lines)}
        for path in sorted(before.iterdir()):
            if path.is_dir() and path.name in durable:
                self._restore(path, after / path.name, lost)
        known = {key: before / name for name, key in _keys(before).items()}
        for name, key in durable.items():
            if name.endswith(_NEVER) or (before / name).is_dir():
                continue
            bytes_of = self._shadow / "files" / key
            shutil.copyfile(bytes_of, after / name) if bytes_of.exists() else (after / name).touch()
            (after / name).chmod(known[key].stat().st_mode & 0o777 if key in known else 0o600)
        kept = {path.name: path.read_bytes() for path in after.iterdir() if path.is_file()}
        lost += [
            path.name
            for path in before.iterdir()
            if path.is_file() and not path.name.endswith(_NEVER) and kept.get(path.name) != path.read_bytes()
        ]


def _keys(folder: Path) -> dict[str, str]:
    """Name -> key of all that lies in `folder`, as power.c has it: the inode and, where the file system tells it, the moment
    of its birth (of a file that is gone the inode may come again)."""
    names = sorted(os.listdir(folder))
    if not names:
        return {}
    words = ["stat", "-c", "%i %W %w", "--", *names]
    lines = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: _read_key(line) for name, line in zip(names, lines, strict=True)}


def _read_key(line: str) -> str:
    inode, seconds, told = line.split(" ", 2)
    fraction = told.partition(".")[2][:9]
    birth = int(seconds) * 1_000_000_000 + int(fraction) if fraction.isdigit() and int(seconds) > 0 else 0
    return f"{inode}-{birth}"
