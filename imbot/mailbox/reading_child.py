"""The reading child: reads letters from its standard input and answers on its standard output, within limits of its own.

Run by `imbot.mailbox.reading` as `python -m imbot.mailbox.reading_child`. A letter may take it down; nothing else is hurt.
Frames are eight bytes of length, then the bytes. A request is one frame; an answer is a frame of JSON, then a frame for each
attached file. It ends when its input ends.
"""

from __future__ import annotations

import json
import resource
import signal
import struct
import sys
from typing import BinaryIO

from imbot.domain.errors import LetterRefused
from imbot.mime.read import ReadLimits, bytes_to_mail
from imbot.mime.wire import mail_to_json

FRAME = struct.Struct(">Q")


def main() -> None:
    """The first argument is JSON: the limits of `ReadLimits`, `memory_mb` and `cpu_seconds`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches us too; our parent decides
    settings = json.loads(sys.argv[1])
    memory, seconds = settings.pop("memory_mb") * 1024 * 1024, settings.pop("cpu_seconds")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = ReadLimits(**settings)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (raw := _receive(source)) is not None:
        _allow(seconds)
        for frame in _answer(raw, limits):
            sink.write(FRAME.pack(len(frame)))
            sink.write(frame)
        sink.flush()


def _allow(seconds: int) -> None:
    """CPU time is counted over a process's life: each letter gets its own share."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))


def _receive(source: BinaryIO) -> bytes | None:
    head = source.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    (length,) = FRAME.unpack(head)
    return source.read(length)


def _answer(raw: bytes, limits: ReadLimits) -> list[bytes]:
    try:
        mail = bytes_to_mail(raw, limits)
        blobs = [part.data or b"" for part in mail.attachments]
        return [json.dumps({"mail": mail_to_json(mail), "blobs": len(blobs)}).encode(), *blobs]
    except LetterRefused as refused:
        return [json.dumps({"refused": str(refused)}).encode()]
    except MemoryError:
        return [b'{"refused": "takes too much memory"}']


if __name__ == "__main__":
    main()
