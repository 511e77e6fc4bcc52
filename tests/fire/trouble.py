"""A bad machine on order: the product's disk full or read-only, its clock wrong, and a witness of every connection that it
tries. What `trouble.c`, preloaded into the process, does is written into its control file from here."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

from tests.fire.power import compile_shim

_SOURCE = Path(__file__).with_name("trouble.c")
_CONTROL = struct.Struct("<iid112s")  # `struct control` of trouble.c
FULL, READ_ONLY = errno.ENOSPC, errno.EROFS


class Trouble:
    """Of the process whose state lies in `root`. `environment` is what it is started with. Raises FileNotFoundError where there
    is no C compiler."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._shim, self._control, self.connects_path = folder / "trouble.so", folder / "control", folder / "connects"
        self._error, self._below, self._ahead = 0, "", 0.0
        folder.mkdir(parents=True, exist_ok=True)
        compile_shim(_SOURCE, self._shim)
        self._control.write_bytes(bytes(_CONTROL.size))
        self.connects_path.touch()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._shim.resolve()),
            "RIG_ROOT": str(self._root.resolve()),
            "RIG_TROUBLE": str(self._control.resolve()),
            "RIG_CONNECTS": str(self.connects_path.resolve()),
        }

    def disk(self, error: int, below: str = "") -> None:
        """From now on writing fails with this number (`FULL`, `READ_ONLY`), under the folder `below` ("/files") only; 0: all
        is well again."""
        self._error, self._below = error, below
        self._order()

    def clock(self, ahead: float) -> None:
        """The calendar is so many seconds ahead of the truth; less than 0: behind it. Monotonic time goes on as ever."""
        self._ahead = ahead
        self._order()

    def connects(self) -> list[tuple[float, int]]:
        """(monotonic seconds, port) of every connection that was tried."""
        lines = self.connects_path.read_text().splitlines()
        return [(float(t), int(port)) for t, port in (line.split() for line in lines)]

    def _order(self) -> None:
        with self._control.open("r+b", buffering=0) as file:
            file.write(_CONTROL.pack(self._error, 0, self._ahead, self._below.encode()))
