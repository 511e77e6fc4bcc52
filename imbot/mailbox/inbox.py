"""What a mailbox hands over: letters as bytes, and a cursor that says how far we are. IMAP and POP3 share these words.

Both `Imap` and `Pop3` have the same shape: `fetch_new(cursor) -> Batch`, `wait(seconds) -> bool`, `mark(letters)`,
`check() -> str`, `close()`. The cursor is opaque text that the caller keeps; nothing else has to be remembered. The order
that loses nothing: make the letters of a batch durable, *then* the cursor, *then* call `mark`.
"""

from __future__ import annotations

import ssl
from typing import Literal

from imbot.domain.letters import Batch as Batch
from imbot.domain.letters import Fetched as Fetched

TlsMode = Literal["tls", "starttls", "none"]


_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})  # X509_V_ERR_*: self-signed, or signed by somebody unknown


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate is refused, and what to do where its authority is the company's own."""
    hint = "; if it is of your own authority, name the authority's certificate in ca_file"
    known = error.verify_code not in _UNKNOWN_AUTHORITY
    return f"the server's certificate is not trusted: {error.verify_message}{'' if known else hint}"


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies chain and host name, against `ca_file` where given, else the system's authorities.

    Raises OSError (ssl.SSLError among them) if the file cannot be read.
    """
    return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file or None)
