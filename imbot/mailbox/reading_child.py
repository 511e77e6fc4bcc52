"""The reading child: reads letters from its standard input and answers on its standard output, within limits of its own.

Run by `imbot.mailbox.reading` as `python -m imbot.mailbox.reading_child`. A letter may take it down; nothing else is hurt.
A request is a byte (0: the letter follows, 1: the path of its file does), eight bytes of length, and the bytes. An answer is
a frame of JSON (eight bytes of length, the bytes); behind it a frame for each of its blobs, attached files and long texts,
that does not lie in the scratch file instead. An empty frame comes first: it has started. It ends when its input ends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mime.read import ReadLimits, bytes_to_mail
from imbot.mime.wire import mail_to_json

HEAD = struct.Struct(">BQ")
FRAME = struct.Struct(">Q")
BY_PATH = 1
CHUNK = 64 * 1024
_NICE = 5  # people who wait for an answer go before a letter that is being read
INLINE = 64 * 1024  # bytes of a blob that goes through the pipe


def main() -> None:
    """The first argument is JSON: the limits of `ReadLimits`, `memory_mb`, `cpu_seconds` and `scratch`, a descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches us too; our parent decides
    settings = json.loads(sys.argv[1])
    memory, seconds = settings.pop("memory_mb") * 1024 * 1024, settings.pop("cpu_seconds")
    scratch = settings.pop("scratch")
    limits = ReadLimits(**settings)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * limits.size, 4 * limits.size))
    try:
        _serve(sys.stdin.buffer, sys.stdout.buffer, limits, scratch, seconds)
    except BrokenPipeError:  # our parent has died, and says so itself; without a flush, which would fail once more
        os._exit(0)


def _serve(source: BinaryIO, sink: BinaryIO, limits: ReadLimits, scratch: int, seconds: int) -> None:
    sink.write(FRAME.pack(0))
    sink.flush()
    while (request := _receive(source)) is not None:
        _allow(seconds)
        for frame in _answer(request, limits, scratch):
            sink.write(FRAME.pack(len(frame)))
            sink.write(frame)
        sink.flush()
        request = None  # a large letter is let go before the next one comes


def _allow(seconds: int) -> None:
    """CPU time is counted over a process's life: each letter gets its own share."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))


def _receive(source: BinaryIO) -> bytes | Path | None:
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    way, length = HEAD.unpack(head)
    whole = source.read(length)
    return Path(os.fsdecode(whole)) if way == BY_PATH else whole


def _answer(request: bytes | Path, limits: ReadLimits, scratch: int) -> list[bytes]:
    try:
        mail = bytes_to_mail(_raw(request, limits), limits)
        return _told(mail, scratch)
    except LetterRefused as refused:
        return [orjson.dumps({"refused": str(refused)})]
    except MemoryError:
        return [b'{"refused": "takes too much memory"}']
    except OSError as error:
        return [orjson.dumps({"broke": f"its file cannot be read: {error.strerror}"})]


def _raw(request: bytes | Path, limits: ReadLimits) -> bytes:
    if isinstance(request, bytes):
        return request
    if request.stat().st_size > limits.size:
        raise LetterRefused(f"larger than {limits.size} bytes")
    return request.read_bytes()


def _told(mail: InboundMail, scratch: int) -> list[bytes]:
    """Long texts are blobs as well, before the files: JSON of megabytes would hold up the loop that reads it."""
    table: dict[str, Any] = mail_to_json(mail)
    long = [name for name in ("text", "html") if len(table[name]) > INLINE]
    blobs = [table.pop(name).encode() for name in long] + [part.data or b"" for part in mail.attachments]
    places = [(len(blob), -1 if len(blob) <= INLINE else _put(scratch, blob)) for blob in blobs]
    inline = [blob for blob, (_, place) in zip(blobs, places, strict=True) if place < 0]
    return [orjson.dumps({"mail": table, "blobs": places, "long": long}), *inline]


def _put(scratch: int, blob: bytes) -> int:
    """Where in the scratch file the blob lies now; -1 where the disk does not take it."""
    place = os.fstat(scratch).st_size
    try:
        view = memoryview(blob)
        done = 0
        while done < len(view):
            done += os.pwrite(scratch, view[done:], place + done)
    except OSError:
        return -1
    return place


if __name__ == "__main__":
    os.nice(_NICE)
    main()
