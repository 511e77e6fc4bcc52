"""What a mailbox hands over: letters as bytes, and a cursor that says how far we are. IMAP and POP3 share these words.

Both `Imap` and `Pop3` have the same shape: `fetch_new(cursor) -> Batch`, `wait(seconds) -> bool`, `mark(letters)`,
`check() -> str`, `close()`. The cursor is opaque text that the caller keeps; nothing else has to be remembered. The order
that loses nothing: make the letters of a batch durable, *then* the cursor, *then* call `mark`.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TlsMode = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One letter. `cursor`: where to go on once this letter and all before it are durable. `key`: its name on this server
    (`uidvalidity:uid`, or the UIDL). `truncated`: it is over the size limit, `raw` has its headers only; `size` is whole."""

    cursor: str
    key: str
    raw: bytes
    size: int = 0
    truncated: bool = False
    uid: int = 0
    uidvalidity: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters in the order of their arrival. `cursor`: where to go on once all of them are durable (it may move without
    letters: the first run at "now"). `more`: the window was full, ask again at once."""

    letters: Sequence[Fetched]
    cursor: str
    more: bool = False


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies chain and host name, against `ca_file` where given, else the system's authorities.

    Raises OSError (ssl.SSLError among them) if the file cannot be read.
    """
    return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file or None)
