"""Names of files that came from outside, made fit to be shown and stored. Nothing touches the disk here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import count

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


_NUMBERED = re.compile(r"(.*?)(?:-([1-9]\d{0,5}))?(\.[^.]{0,15})?", re.S)


def name_apart(name: str, taken: Collection[str]) -> str:
    """This name where nothing of those `taken` is called so, however it is written; else with the next number that is free:
    фото-1.jpg becomes фото-2.jpg, report.xlsx report-2.xlsx."""
    folded = {one.casefold() for one in taken}
    found = _NUMBERED.fullmatch(name)
    if name.casefold() not in folded or found is None:
        return name
    stem, number, extension = found[1], int(found[2] or 1), found[3] or ""
    names = (_shortened_to(stem, f"-{n}{extension}") for n in count(number + 1))
    return next(one for one in names if one.casefold() not in folded)


def _shortened_to(stem: str, end: str) -> str:
    return stem[: LONGEST - len(end)].rstrip(" .") + end


_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs by their category, and blank
_STREAM = re.compile(r"[:_]{2}\$data\W*$")  # NTFS opens the file itself by this name; with `_` as we have cleaned it


def extension_of(name: str) -> str:
    """By which a system opens the file, in lower case without the dot, "" where it has none: as it looks (full-width letters
    are letters), without what is not seen and without the signs at its end, which some systems drop."""
    text = unicodedata.normalize("NFKC", few_marks(name[:4096]))
    text = "".join(char for char in text if _visible(char) and char not in _FILLERS).lower()
    text = _STREAM.sub("", text)
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    return text[:end].rpartition(".")[2].strip() if "." in text[:end] else ""


def _visible(char: str) -> bool:
    return char in "\t\r\n" or unicodedata.category(char) not in _INVISIBLE


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    stem, dot, extension = text.rpartition(".")
    if not dot or len(extension) > 15:
        return text[:LONGEST].rstrip(" .")
    return f"{stem[: LONGEST - 1 - len(extension)].rstrip(' .')}.{extension}"
