"""`python -m benchmarks.bare_idle PORT USER PASSWORD`: a client that does nothing but IDLE. Prints "idle", then the moment
(monotonic seconds, one clock for all processes) of each EXISTS that the server pushes: what no program can be faster than.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.journey import Place

_EXISTS = re.compile(rb"\* \d+ EXISTS")


def idle(port: int, user: str, password: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as wire, wire.makefile("rb") as answers:
        answers.readline()
        wire.sendall(f"a LOGIN {user} {password}\r\nb EXAMINE INBOX\r\n".encode())
        while not answers.readline().startswith(b"b OK"):
            pass
        wire.sendall(b"c IDLE\r\n")
        while line := answers.readline():
            if line.startswith(b"+"):
                print("idle", flush=True)
            elif _EXISTS.match(line):
                print(time.monotonic(), flush=True)


@contextmanager
def beside(place: Place, user: str) -> Iterator[subprocess.Popen[str]]:
    """Such a client in a process of its own, idling; its `stdout` gives the moments."""
    asked = [sys.executable, "-m", "benchmarks.bare_idle", str(place["port"]), user, str(place["password"])]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    idle(int(sys.argv[1]), sys.argv[2], sys.argv[3])
