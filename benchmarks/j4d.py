"""J4d: a letter parsed: 20 KB multipart, and 7 MB with one attachment. Subject, sender, text and the attachment's bytes.

default, compat32: the standard library, everything decoded. headers: compat32's headers alone, the least that is of use.
imap_tools: its MailMessage. imbot: `imbot.mime`, in this process. child: the same through the reading child, as the watcher
does: batches of small letters; a large one that lies in a file. All figures are CPU time (of child: both processes'), which
a busy machine changes less than the time that passes.
"""

from __future__ import annotations

import base64
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from benchmarks.j4c import large_letter
from benchmarks.journey import Figures, Journey, Missing, Place, Ratio, check
from benchmarks.office import status_letter
from imbot import event_loop
from imbot.mailbox.reading import Reader
from imbot.mime.read import bytes_to_mail

_LARGE = 7 * 1024 * 1024
_SUBJECT = "Заявка № IM-CL-7 выполнена"


def letter_of_20_kb() -> bytes:
    """Text and HTML, and a picture, as a helpdesk's letter is."""
    head = status_letter(7).partition(b"\r\n\r\n")[0]
    head = head.replace(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b"")
    words = "Картридж заменён, печать проверена на двух рабочих местах. " * 30
    html = f"<html><body><table><tr><td><b>Решение</b></td><td>{words}</td></tr></table></body></html>"

    def part(kind: str, data: bytes) -> bytes:
        body = base64.encodebytes(data).replace(b"\n", b"\r\n")
        return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + body

    picture = random.Random(7).randbytes(4200)
    return b"".join(
        [
            head.rstrip(b"\r\n") + b'\r\nContent-Type: multipart/mixed; boundary="m"\r\n\r\n--m\r\n',
            b'Content-Type: multipart/alternative; boundary="a"\r\n\r\n--a\r\n',
            part("text/plain; charset=utf-8", words.encode()) + b"--a\r\n",
            part("text/html; charset=utf-8", html.encode()) + b"--a--\r\n\r\n--m\r\n",
            part('image/png; name="screen.png"', picture) + b"--m--\r\n",
        ]
    )


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        small, large = Path(folder) / "small.eml", Path(folder) / "large.eml"
        small.write_bytes(letter_of_20_kb())
        large.write_bytes(large_letter(max(1 << 20, int(_LARGE * scale)), 7))
        yield {"small": str(small), "large": str(large), "times": max(20, int(1000 * scale))}


def _timed(place: Place, read: Callable[[bytes], tuple[str, str, int]]) -> Figures:
    """`read` gives subject, text and how many bytes the attachment has."""
    found = {}
    for name, times in (("small", place["times"]), ("large", max(2, place["times"] // 100))):
        raw = Path(place[name]).read_bytes()
        subject, text, size = read(raw)
        check(subject == _SUBJECT, f"the subject is {subject!r}")
        check("артридж" in text or size < 0, "the text is another")
        check(size < 0 or size > len(raw) // 6, f"the attachment has {size} bytes of {len(raw)}")
        began = time.process_time()
        for _ in range(times):
            read(raw)
        found[name] = (time.process_time() - began) / times
    return {"small_us": found["small"] * 1e6, "large_ms": found["large"] * 1e3}


def default(place: Place) -> Figures:
    def read(raw: bytes) -> tuple[str, str, int]:
        mail: Any = message_from_bytes(raw, policy=policy.default)
        body = mail.get_body(("plain",))
        files = [part.get_payload(decode=True) for part in mail.iter_attachments()]
        return str(mail["Subject"]), body.get_content(), len(files[0])

    return _timed(place, read)


def compat32(place: Place) -> Figures:
    def read(raw: bytes) -> tuple[str, str, int]:
        mail = message_from_bytes(raw)
        texts, files = [], []
        for part in mail.walk():
            data: Any = part.get_payload(decode=True)
            if part.get_content_type() in ("text/plain", "text/html"):
                texts.append(data.decode(part.get_content_charset() or "utf-8"))
            elif not part.is_multipart():
                files.append(data)
        return str(make_header(decode_header(mail["Subject"]))), texts[0], len(files[0])

    return _timed(place, read)


def headers(place: Place) -> Figures:
    def read(raw: bytes) -> tuple[str, str, int]:
        mail = BytesHeaderParser().parsebytes(raw[: raw.index(b"\r\n\r\n") + 4])
        return str(make_header(decode_header(mail["Subject"]))), "", -1

    return _timed(place, read)


def imap_tools(place: Place) -> Figures:
    try:
        from imap_tools import MailMessage
    except ImportError as error:
        raise Missing("imap-tools") from error

    def read(raw: bytes) -> tuple[str, str, int]:
        mail = MailMessage.from_bytes(raw)
        return mail.subject, mail.text, len(mail.attachments[0].payload)

    return _timed(place, read)


def imbot(place: Place) -> Figures:
    def read(raw: bytes) -> tuple[str, str, int]:
        mail = bytes_to_mail(raw)
        return mail.subject, mail.text, len(mail.attachments[0].data or b"")

    return _timed(place, read)


def child(place: Place) -> Figures:
    return event_loop.run(_child(place))


async def _child(place: Place) -> Figures:
    small, times = Path(place["small"]).read_bytes(), place["times"]
    large = max(2, times // 100)
    async with Reader() as reader:
        mail = await reader.read(small)
        check((mail.subject, len(mail.attachments)) == (_SUBJECT, 1), "the small letter is another")
        began = _cpu(reader)
        read = 0
        for _ in range(0, times, 50):
            read += len(await reader.read_many([small] * 50))
        each = (_cpu(reader) - began) / read
        began = _cpu(reader)
        for _ in range(large):
            mail = await reader.read(Path(place["large"]))
        whole = (_cpu(reader) - began) / large
        check(len(mail.attachments[0].data or b"") == mail.attachments[0].size > mail.size // 6, "half an attachment")
    return {"small_us": each * 1e6, "large_ms": whole * 1e3}


def _cpu(reader: Reader) -> float:
    """Seconds of this process and of the child, which counts in hundredths."""
    fields = Path(f"/proc/{reader.pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


JOURNEY = Journey(
    "J4d",
    "a letter of 20 KB and one of 7 MB parsed",
    prepare,
    {
        "default": default,
        "compat32": compat32,
        "headers": headers,
        "imap_tools": imap_tools,
        "imbot": imbot,
        "child": child,
    },
    (
        Ratio("20 KB: compat32 / imbot", "compat32.small_us", "imbot.small_us", at_least=1),
        Ratio("20 KB: imap-tools / imbot", "imap_tools.small_us", "imbot.small_us", at_least=1),
        Ratio("20 KB: policy.default / imbot", "default.small_us", "imbot.small_us"),
        Ratio("20 KB: compat32 / through the child", "compat32.small_us", "child.small_us"),
        Ratio("7 MB: compat32 / imbot", "compat32.large_ms", "imbot.large_ms", at_least=1),
        Ratio("7 MB: imap-tools / imbot", "imap_tools.large_ms", "imbot.large_ms", at_least=1),
        Ratio("7 MB: policy.default / imbot", "default.large_ms", "imbot.large_ms"),
        Ratio("7 MB: compat32 / through the child", "compat32.large_ms", "child.large_ms"),
    ),
    {"small_us": "us", "large_ms": "ms"},
)
