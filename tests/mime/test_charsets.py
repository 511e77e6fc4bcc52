"""Bytes of any charset, whatever is said of it."""

from __future__ import annotations

import pytest

from imbot.mime.charsets import decode


@pytest.mark.parametrize("truth", ["windows-1251", "koi8-r", "utf-8"])
@pytest.mark.parametrize("said", ["", "us-ascii", "iso-8859-1", "unknown-8bit", "x-nothing"])
def test_russian_text_is_read_whatever_is_said_of_its_charset(truth: str, said: str) -> None:
    text = "Заявка принята, обещанное время решения завтра. Картридж заменён."
    assert decode(text.encode(truth), said) == text


@pytest.mark.parametrize(
    "name", ["win-1251", "CP1251", "koi8r", "x-mac-cyrillic", "iso-gb2312", "ks_c_5601-1987", "'utf-8'"]
)
def test_odd_names_of_charsets_are_known(name: str) -> None:
    codecs = {"win-1251": "cp1251", "CP1251": "cp1251", "koi8r": "koi8-r", "x-mac-cyrillic": "mac_cyrillic",
              "iso-gb2312": "gb2312", "ks_c_5601-1987": "cp949", "'utf-8'": "utf-8"}  # fmt: skip
    text = {"iso-gb2312": "中文报告", "ks_c_5601-1987": "한국말"}.get(name, "Картридж")
    assert decode(text.encode(codecs[name]), name) == text


def test_latin_text_is_not_taken_for_russian() -> None:
    for text in ("Grüße aus München", "naïve café, déjà vu", "Årsmøte på fredag"):
        assert decode(text.encode("latin-1")) == text
        assert decode(text.encode("latin-1"), "iso-8859-1") == text


def test_codecs_that_are_no_charsets_are_not_used() -> None:
    for name in ("zlib", "rot13", "idna", "punycode", "unicode_escape", "base64", "../../x", "a" * 999):
        assert decode(b"plain \xd0\x9f\xd1\x80\xd0\xb8", name) == "plain При"
