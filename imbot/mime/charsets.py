"""Bytes -> text, whatever a letter says of its charset: aliases, lies, unknown names and 8-bit bytes without any name.

The order is: what is declared, if it fits and is no plain lie; UTF-8, if it is; then a guess between the Cyrillic charsets
and Latin (`imbot.mime.guessing`). Never raises; the result bears no NUL and no lone surrogate.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from imbot.mime.guessing import CYRILLIC, better_than, guess, is_russian, russian

_SPELLINGS = {
    "cp1251": "win-1251 windows1251 cp-1251 x-cp1251 microsoft-cp1251 ansi-1251 cp1251-windows",
    "koi8_r": "koi8r koi8 koi-8 koi8-r-windows cskoi8r",
    "koi8_u": "koi8-ru koi8u",
    "cp866": "ibm866 dos-866 x-cp866 csibm866 cp-866",
    "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian mac-cyrillic",
    "mac_roman": "macintosh x-macintosh x-mac-roman",
    "mac_latin2": "x-mac-ce x-mac-centraleurroman",
    "cp932": "x-sjis shift_jis shift-jis sjis ms_kanji windows-31j x-ms-cp932 csshiftjis",
    "iso2022_jp_ext": "iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-ms cp50220 cp50221 cp50222 jis csiso2022jp",
    "euc_jp": "x-euc-jp x-euc x-eucjp",
    "cp949": "ks_c_5601-1987 ks_c_5601-1989 ks_c_5601 ksc5601 ks-c-5601 euc-kr euckr x-windows-949 windows-949 cseuckr",
    "gb18030": "gb2312 iso-gb2312 gb_2312-80 gb_2312 x-gb2312 gb-2312 euc-cn x-euc-cn cn-gb gbk x-gbk cp936 windows-936 "
    "ms936 x-gb18030 gb18030-2000 csgb2312",
    "hz": "hz-gb-2312 hz-gb2312",
    "big5hkscs": "big5 x-x-big5 cn-big5 big-5 csbig5 big5-hkscs",
    "cp950": "windows-950 x-windows-950 ms950",
    "iso8859_8": "iso-8859-8-i iso-8859-8-e",
    "iso8859_6": "iso-8859-6-i iso-8859-6-e",
    "cp874": "windows-874 tis-620 iso-8859-11 x-windows-874",
    "cp1254": "iso-8859-9 iso8859-9 latin5",
    "cp1252": "iso-8859-1-windows-1252 x-ansi ansi ansi_x3.110-1983 x-cp1252 windows1252 windows-1252http-equivcontent-type",
    "utf-8": "uft-8 utf8mb3 utf8mb4 utf-8-mac x-utf-8 unicode-1-1-utf-8 utf-8n cp65001 utf-8-unicode",
    "utf-7": "x-unicode-2-0-utf-7 unicode-2-0-utf-7 unicode-1-1-utf-7",
}
_ALIASES = {alias: codec for codec, names in _SPELLINGS.items() for alias in names.split()}
# Codecs that are no charsets, or take more than linear time.
_REFUSED = frozenset(
    ["idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "unicode-escape"]
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,39}")
_STATEFUL = re.compile(r"iso.?2022|hz|utf.?(?:7|16|32)|ucs")
_OF_PAIRS = frozenset(
    ["gb18030", "big5hkscs", "cp950", "cp949", "cp932", "euc_jp", "hz"]
)  # two bytes are one sign of theirs
_LATIN = frozenset(["cp1252", "iso8859-15", "ascii"])
_NAMES_OF_CYRILLIC = {codecs.lookup(name).name: name for name in (*CYRILLIC, "koi8_r")}


@lru_cache(maxsize=512)
def codec_of(name: str) -> str:
    """The Python codec for a charset's name in a letter, or "" where there is none that may be used."""
    cleaned = name.strip().strip("\"'").strip().lower()
    cleaned = cleaned.removeprefix("charset=").split("*", 1)[0].split(";", 1)[0].strip().replace(" ", "-")
    if not _NAME.fullmatch(cleaned):
        return ""
    wanted = _ALIASES.get(cleaned, cleaned)
    try:
        info = codecs.lookup(wanted)
    except (LookupError, ValueError):
        return ""
    if not getattr(info, "_is_text_encoding", True) or info.name in _REFUSED:
        return ""
    return "cp1252" if info.name == "iso8859-1" else info.name  # who says the one often writes the other, its superset


def is_stateful(declared: str) -> bool:
    """Whether a letter's name for a charset means one in which a byte's sense hangs on those before it."""
    return bool(_STATEFUL.match(codec_of(declared)))


def decode(data: bytes, declared: str = "", hint: str = "") -> str:
    """`declared`: what the letter says of these bytes; `hint`: what it says elsewhere, for bytes that nothing is said of."""
    if data.isascii():
        codec = codec_of(declared) if declared else ""
        if not (codec and _STATEFUL.match(codec)):
            if b"\x1b$" not in data:
                return data.decode("ascii").replace("\x00", "")
            codec = "iso2022_jp_ext"
        return _clean(_decoded(data, codec, ""))
    codec = codec_of(declared) if declared else ""
    if codec == "utf-8":
        try:
            return data.decode("utf-8").replace("\x00", "").removeprefix("\ufeff")  # it holds no lone surrogate
        except UnicodeDecodeError:
            pass
    return _clean(_decoded(data, codec, codec_of(hint) if hint else ""))


def _decoded(data: bytes, codec: str, hint: str) -> str:
    if codec in ("utf-8", "utf-8-sig"):
        return _utf8(data)
    if codec and codec not in _LATIN:
        text = _try(data, codec)
        if text is not None:
            return _unless_a_lie(text, data, codec)
        if codec.startswith("iso2022_jp") and (data.isascii() or not is_utf8(data)):
            return _iso2022_jp(data)
        if not is_utf8(data):
            meant = russian(data) if codec in _OF_PAIRS else ""
            return data.decode(meant or codec, "replace")
    if is_utf8(data):
        return data.decode("utf-8")
    if not codec and hint and hint not in _LATIN and hint != "utf-8":
        text = _try(data, hint)
        if text is not None:
            return text
    latin = next((name for name in (codec, hint) if name in _LATIN and name != "ascii"), "")
    guessed = guess(data)
    if guessed and not (guessed == "gb18030" and latin):  # any words of accents alone may be Chinese
        return data.decode(guessed, "replace")
    return data.decode(latin or "cp1252", "replace").replace("\ufffd", "?")


def _utf8(data: bytes) -> str:
    """Called UTF-8: a few broken places are shown as such; where nearly all is broken, or nothing is whole, the name is a
    lie, and what is not Russian is Latin then."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    if broken <= 0:
        return text
    if broken * 4 > sum(byte >= 0x80 for byte in data[:4096]) and (guessed := guess(data)):
        return data.decode(guessed, "replace")
    if data.isascii() or text.replace("\ufffd", "").isascii():
        return data.decode("cp1252", "replace")
    return text


def _unless_a_lie(text: str, data: bytes, codec: str) -> str:
    """The declared charset fits. UTF-8 hardly ever fits by chance, once there are a few long characters; and Russian in
    one Cyrillic charset reads oddly in another. What is called Chinese is of pairs of bytes, as UTF-8 is for Russian."""
    if _STATEFUL.match(codec):
        return text
    if is_utf8(data):
        other = data.decode("utf-8")
        if codec in _OF_PAIRS and is_russian(other):
            return other
        return other if len(text) - len(other) >= 3 else text
    if codec in _NAMES_OF_CYRILLIC:
        better = better_than(_NAMES_OF_CYRILLIC[codec], data)
        return data.decode(better, "replace") if better else text
    if codec in _OF_PAIRS and (meant := russian(data)):
        return data.decode(meant, "replace")
    return text


_LONGEST_SHIFTED = 1_000_000  # bytes that are shifted one by one
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\$\([A-Z]|\([A-Z]|\.[A-Z])")


def _iso2022_jp(data: bytes) -> str:
    """ISO-2022-JP as Windows writes it: with characters of NEC and IBM, which Python's codec has not (RFC 1468, cp50220)."""
    if not data.isascii() and (text := _try(data, "euc_jp")) is not None:
        return text
    out: list[str] = []
    rest = data[_LONGEST_SHIFTED:].decode("iso2022_jp_ext", "replace")
    pieces = _ESCAPE.split(data[:_LONGEST_SHIFTED])
    for escape, piece in zip((b"(B", *pieces[1::2]), pieces[0::2], strict=True):
        if escape in (b"$@", b"$B"):
            out.append(_shifted(piece).decode("cp932", "replace"))
        elif escape == b"(I":
            out.append(bytes(byte | 0x80 for byte in piece).decode("cp932", "replace"))
        else:
            out.append(piece.decode("ascii", "replace"))
    return "".join([*out, rest])


def _shifted(piece: bytes) -> bytes:
    """Pairs of JIS X 0208 as Shift_JIS."""
    out = bytearray()
    position = 0
    while position < len(piece):
        first, second = piece[position], piece[position + 1] if position + 1 < len(piece) else 0
        if not (0x21 <= first <= 0x7E and 0x21 <= second <= 0x7E):
            out.append(first)
            position += 1
            continue
        out.append((first - 0x21) // 2 + (0x81 if first < 0x5F else 0xC1))
        out.append(second + ((0x1F if second < 0x60 else 0x20) if first % 2 else 0x7E))
        position += 2
    return bytes(out)


def guess_together(values: list[bytes]) -> str:
    """The charset of several 8-bit values of one hand, where one alone may be too short to tell; "" for Latin and UTF-8."""
    odd = [value for value in values if not value.isascii() and not is_utf8(value)]
    return guess(b" ".join(odd)) if odd else ""


def is_utf8(data: bytes) -> bool:
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
