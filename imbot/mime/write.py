"""`Letter` -> bytes (RFC 5322, 2045, 2047, 2231). The one place where letters are built.

Deterministic: the same letter gives the same bytes, so that another try sends what the first one sent. Text fields lose
line breaks, controls and lone surrogates; what is no address, no Message-ID or no header name is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from email.utils import format_datetime

from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Attachment, Letter
from imbot.mime.names import clean_file_name

_CRLF = b"\r\n"
_ASCII = bytes(range(0x80))
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # Cc, Zl and Zp of Unicode
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,70}/[a-z0-9][a-z0-9!#$&^_.+-]{0,70}")
_OURS = frozenset(
    ["from", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references", "reply-to", "mime-version",
     "content-type", "content-transfer-encoding", "content-disposition", "sender", "return-path", "received"]
)  # fmt: skip


def letter_to_bytes(letter: Letter) -> bytes:
    """The bytes to send, lines ended by CRLF. Attachments with a path are read from disk here.

    Raises `DeliveryError` (permanent, `refused`) where a field cannot be sent, `gone` where a file is no longer there.
    """
    headers = [
        ("From", _mailbox(letter.sender_name, letter.sender)),
        ("To", _address(letter.to)),
        ("Subject", _words(letter.subject, len("Subject: "))),
        ("Date", format_datetime(letter.date)),
        ("Message-ID", _message_id(letter.message_id)),
    ]
    if letter.reply_to:
        headers.append(("Reply-To", _address(letter.reply_to)))
    if letter.in_reply_to:
        headers.append(("In-Reply-To", _message_id(letter.in_reply_to)))
    if letter.references:
        headers.append(("References", "\r\n ".join(_message_id(each) for each in letter.references)))
    headers += [(_header_name(name), _words(value, len(name) + 2)) for name, value in letter.headers]
    headers.append(("MIME-Version", "1.0"))
    return _fields(headers) + _content(letter)


def _content(letter: Letter) -> bytes:
    seed = hashlib.sha256(letter.message_id.encode("utf-8", "replace")).hexdigest()
    body = _text_part(letter.text, "plain")
    if letter.html:
        body = _multipart("alternative", f"=_alt_{seed[:24]}", [body, _text_part(letter.html, "html")])
    if letter.attachments:
        files = [_file_part(attachment) for attachment in letter.attachments]
        body = _multipart("mixed", f"=_mix_{seed[24:48]}", [body, *files])
    return body


def _multipart(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    """`=_` comes neither in quoted-printable nor in base64, so no content can hold the boundary."""
    head = _fields([("Content-Type", f'multipart/{kind};\r\n boundary="{boundary}"')]) + _CRLF
    mark = b"--" + boundary.encode("ascii")
    pieces = [head]
    for part in parts:
        pieces += [mark, _CRLF, part, _CRLF]
    return b"".join([*pieces, mark, b"--", _CRLF])


def _text_part(text: str, kind: str) -> bytes:
    """UTF-8. Soft line breaks of the encoding are all the wrapping there is."""
    data = _sound(text).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode("utf-8")
    data = data if data.endswith(b"\n") else data + b"\n"
    sample = data[:20_000]
    if len(sample.translate(None, _ASCII)) * 6 > len(sample):  # of mostly other letters
        encoding, body = "base64", _lines64(data.replace(b"\n", _CRLF))
    else:
        encoding = "quoted-printable"
        body = binascii.b2a_qp(data, istext=True).replace(b"\r\n", b"\n").replace(b"\n", _CRLF)
    head = [("Content-Type", f"text/{kind}; charset=utf-8"), ("Content-Transfer-Encoding", encoding)]
    return _fields(head) + _CRLF + body


def _file_part(attachment: Attachment) -> bytes:
    name = clean_file_name(_sound(attachment.name))
    kind = attachment.content_type.strip().lower()
    if not _CONTENT_TYPE.fullmatch(kind) or kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"
    head = [
        ("Content-Type", f"{kind};\r\n {_old_name(name)}"),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"attachment;\r\n {_file_name(name)}"),
    ]
    return _fields(head) + _CRLF + _lines64(_data(attachment))


def _data(attachment: Attachment) -> bytes:
    if attachment.data is not None:
        return attachment.data
    if attachment.path is None:
        raise DeliveryError(f"the file {attachment.name} has neither data nor a path", permanent=True, kind="gone")
    try:
        return attachment.path.read_bytes()
    except OSError as error:
        reason = f"the file {attachment.name} cannot be read: {error.strerror}"
        raise DeliveryError(reason, permanent=isinstance(error, FileNotFoundError), kind="gone") from error


def _lines64(data: bytes) -> bytes:
    coded = base64.b64encode(data)
    return _CRLF.join(coded[start : start + 76] for start in range(0, len(coded), 76)) + _CRLF


def _old_name(name: str) -> str:
    """`name` of Content-Type as Outlook reads it: encoded words in quotes."""
    if name.isascii():
        return f'name="{name}"'
    return 'name="' + _words(name, 7).replace("\r\n ", "\r\n  ") + '"'


def _file_name(name: str) -> str:
    """`filename` by RFC 2231, in continuations where it is long."""
    if name.isascii():
        return f'filename="{name}"'
    coded = [
        "".join(chr(byte) if _is_attribute_char(byte) else f"%{byte:02X}" for byte in char.encode()) for char in name
    ]
    pieces, current = [], "utf-8''"
    for char in coded:
        if len(current) + len(char) > 58:
            pieces.append(current)
            current = ""
        current += char
    pieces.append(current)
    if len(pieces) == 1:
        return f"filename*={pieces[0]}"
    return ";\r\n ".join(f"filename*{index}*={piece}" for index, piece in enumerate(pieces))


def _is_attribute_char(byte: int) -> bool:
    return chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "!#$&+-.^_`{|}~")


def _fields(headers: list[tuple[str, str]]) -> bytes:
    return b"".join(f"{name}: {value}".encode("ascii") + _CRLF for name, value in headers)


def _sound(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-8", "replace").decode("utf-8") if text.isascii() else _paired(text)


def _paired(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _line(text: str) -> str:
    """One line: whatever breaks lines or controls terminals becomes a blank."""
    return " ".join(_BREAKS.sub(" ", _sound(text)).split())


def _words(text: str, used: int) -> str:
    """An unstructured value: as it is where it is short ASCII, else encoded words of at most 75 characters a line."""
    text = _line(text)
    if text.isascii() and "=?" not in text:
        return _folded(text, used)
    data, pieces, start, room = text.encode(), [], 0, max(12, (75 - used - 12) // 4 * 3)
    while start < len(data):
        end = start + room
        while end < len(data) and data[end] & 0xC0 == 0x80:  # never within a character
            end -= 1
        pieces.append(data[start:end])
        start, room = end, 45
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(piece).decode('ascii')}?=" for piece in pieces)


def _folded(text: str, used: int) -> str:
    """Broken at blanks so that lines stay below 78 characters; a word of more than 900 is encoded."""
    lines, length = [""], used
    for word in text.split(" "):
        if len(word) > 900:
            raise DeliveryError("a header bears a word of more than 900 characters", permanent=True, kind="refused")
        if lines[-1] and length + 1 + len(word) > 76:
            lines.append("")
            length = 0
        lines[-1] += (" " if lines[-1] else "") + word
        length += 1 + len(word)
    return "\r\n ".join(lines)


def _mailbox(name: str, address: str) -> str:
    name = _line(name)
    if not name:
        return _address(address)
    if not name.isascii() or "=?" in name:
        return f"{_words(name, 6)} <{_address(address)}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')[:200]
    return f'"{quoted}" <{_address(address)}>'


def _address(address: str) -> str:
    """A bare address, its domain in ASCII. Anything else is refused: it could hold a header of its own."""
    local, at, domain = address.strip(" ").rpartition("@")
    if domain and not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    if not at or len(address) > 320 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise DeliveryError(f"{address[:80]!r} is no address", permanent=True, kind="refused")
    return f"{local}@{domain}"


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise DeliveryError(f"{text[:80]!r} is no Message-ID", permanent=True, kind="refused")
    return text


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
        raise DeliveryError(f"{name[:80]!r} may not be a further header", permanent=True, kind="refused")
    return name
