"""Names of files that came from outside, made fit to be shown and stored. Nothing touches the disk here."""

from __future__ import annotations

import re
import unicodedata

from imbot.mime.marks import few_marks

LONGEST = 150
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)")
_FORBIDDEN = re.compile(r'[<>:"|?*/\\]')
_INVISIBLE = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])


def clean_file_name(name: str, fallback: str = "file") -> str:
    """NFC, few marks, no path, no control, format or bidi characters, no reserved names, at most 150 characters with
    its extension."""
    text = unicodedata.normalize("NFC", few_marks(name[:4096]))
    text = "".join(" " if char in "\t\r\n" else char for char in text if _visible(char))
    text = text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    text = _FORBIDDEN.sub("_", " ".join(text.split()))
    hidden = text.lstrip().startswith(".")
    text = text.strip(" .")
    if hidden and text and "." not in text:
        text = f"_.{text}"  # ".env" would be hidden; its words stay
    if not text:
        return fallback
    if _RESERVED.match(text):
        text = f"_{text}"
    return _shortened(text)


def _visible(char: str) -> bool:
    return char in "\t\r\n" or unicodedata.category(char) not in _INVISIBLE


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    stem, dot, extension = text.rpartition(".")
    if not dot or len(extension) > 15:
        return text[:LONGEST].rstrip(" .")
    return f"{stem[: LONGEST - 1 - len(extension)].rstrip(' .')}.{extension}"
