"""Bytes -> text, whatever a letter says of its charset: aliases, lies, unknown names and 8-bit bytes without any name.

The order is: what is declared, if it fits; UTF-8, if it is; then a guess between the Cyrillic charsets and Latin by how
the letters fall. Never raises; the result bears no NUL and no lone surrogate.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_ALIASES = {
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "cp-1251": "cp1251",
    "x-cp1251": "cp1251",
    "windows-1251": "cp1251",
    "koi8r": "koi8_r",
    "koi8-ru": "koi8_u",
    "koi8": "koi8_r",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "x-macintosh": "mac_roman",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "x-windows-949": "cp949",
    "gb2312": "gb18030",
    "iso-gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "big5": "big5hkscs",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-8-e": "iso8859_8",
    "iso-8859-6-i": "iso8859_6",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "windows-874": "cp874",
    "tis-620": "cp874",
    "utf8mb4": "utf-8",
    "utf-8-mac": "utf-8",
    "x-utf-8": "utf-8",
    "x-unicode-2-0-utf-7": "utf-7",
    "unicode-1-1-utf-7": "utf-7",
}
# Codecs that are no charsets, or take more than linear time.
_REFUSED = frozenset(
    ["idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "unicode-escape"]
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,39}")
_STATEFUL = re.compile(r"iso.?2022|hz|utf.?(?:7|16|32)|ucs")
_LATIN = frozenset(["cp1252", "iso8859-1", "iso8859-15", "ascii", "latin_1"])


@lru_cache(maxsize=512)
def codec_of(name: str) -> str:
    """The Python codec for a charset's name in a letter, or "" where there is none that may be used."""
    cleaned = name.strip().strip("\"'").strip().lower()
    cleaned = cleaned.removeprefix("charset=").split("*", 1)[0].split(";", 1)[0].strip()
    if not _NAME.fullmatch(cleaned):
        return ""
    wanted = _ALIASES.get(cleaned, cleaned)
    try:
        info = codecs.lookup(wanted)
    except (LookupError, ValueError):
        return ""
    text = getattr(info, "_is_text_encoding", True)
    return info.name if text and info.name not in _REFUSED else ""


def decode(data: bytes, declared: str = "", hint: str = "") -> str:
    """`declared`: what the letter says of these bytes; `hint`: what it says elsewhere, for bytes that nothing is said of."""
    codec = codec_of(declared)
    if data.isascii() and not (codec and _STATEFUL.match(codec)):
        return _clean(data.decode("ascii"))
    return _clean(_decoded(data, codec, codec_of(hint)))


def _decoded(data: bytes, codec: str, hint: str) -> str:
    if codec in ("utf-8", "utf-8-sig"):
        return _utf8(data)
    if codec and codec not in _LATIN:
        text = _try(data, codec)
        if text is not None:
            return text if not _is_utf8(data) or _STATEFUL.match(codec) else _prefer(text, data)
        if codec.startswith("iso2022_jp") and (text := _try(data, "euc_jp")) is not None:
            return text
        if not _is_utf8(data):
            return data.decode(codec, "replace")
    if _is_utf8(data):
        return data.decode("utf-8")
    if not codec and hint and hint not in _LATIN and hint != "utf-8":
        text = _try(data, hint)
        if text is not None:
            return text
    guess = _guess(data)
    if guess:
        return data.decode(guess, "replace")
    return data.decode(codec if codec in _LATIN and codec != "ascii" else "cp1252", "replace").replace("\ufffd", "?")


def _utf8(data: bytes) -> str:
    """Called UTF-8: a few broken places are shown as such; where nearly all is broken the name is a lie."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken and broken * 4 > sum(byte >= 0x80 for byte in data[:4096]):
        guess = _guess(data)
        if guess:
            return data.decode(guess, "replace")
    return text


def _prefer(text: str, data: bytes) -> str:
    """Both the declared charset and UTF-8 fit. UTF-8 hardly ever fits by chance, once there are a few long characters."""
    other = data.decode("utf-8")
    return other if len(text) - len(other) >= 3 else text


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _try(data: bytes, codec: str) -> str | None:
    try:
        return codecs.decode(data, codec)
    except (UnicodeError, ValueError, OverflowError):
        return None


_COMMON = {
    "cp1251": frozenset("оеаинтсрвлкмдпуОЕАИНТСРВЛКМДПУ".encode("cp1251")),
    "koi8_r": frozenset("оеаинтсрвлкмдпуОЕАИНТСРВЛКМДПУ".encode("koi8_r")),
}


# Quotes, dashes, the number sign and "ё" stand between the letters in windows-1251 and KOI8-R.
_MARKS = frozenset(b"\xa8\xb8\xa3\xb3\x84\x85\x91\x92\x93\x94\x95\x96\x97\xa0\xa7\xab\xb0\xb9\xbb\x9a\x80\x99\xae\xbf")


def _guess(data: bytes) -> str:
    """`cp1251`, `koi8_r`; `gb18030`, where the letters fall too oddly for Russian; "" for Latin words.

    Latin text has lone accented letters between ASCII ones; Cyrillic text has words of nothing but high bytes."""
    sample = data[:8192]
    high = [byte for byte in sample if byte >= 0xC0 or byte in (0xA8, 0xB8, 0xA3, 0xB3)]
    letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in sample)
    runs = sum(len(run) for run in re.findall(rb"[\xa3\xa8\xb3\xb8\xc0-\xff]{3,64}", sample))
    if len(high) < 2 or runs * 2 < len(high) or len(high) * 12 < letters:
        return ""
    scores = {name: sum(byte in common for byte in high) for name, common in _COMMON.items()}
    small = sum(byte >= 0xE0 for byte in high)  # small letters in windows-1251, capitals in KOI8-R
    likely = max(scores.values())
    odd = sum(0x80 <= byte < 0xC0 and byte not in _MARKS for byte in sample)
    if likely * 2 < len(high) or odd * 4 > len(high):
        return "gb18030" if len(high) > max(7, letters) and _try(sample, "gb18030") is not None else ""
    scores["cp1251" if small * 2 > len(high) else "koi8_r"] += max(2, len(high) // 4)
    return max(scores, key=lambda name: scores[name])


def _clean(text: str) -> str:
    """No NUL, no lone surrogate (some codecs give them back), no byte order mark in front."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    text = text.removeprefix("\ufeff")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
