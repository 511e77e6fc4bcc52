"""Bytes of any charset, whatever is said of it."""

from __future__ import annotations

from random import Random

import pytest

from imbot.mime.charsets import decode, guess_together


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


@pytest.mark.parametrize(
    "name", ["uft-8", "utf8", "UTF 8", "utf-8mb4", "charset=utf-8", "unicode-1-1-utf-8", "cp65001"]
)
def test_utf_8_is_known_by_its_odd_names(name: str) -> None:
    assert decode("Картридж №5".encode(), name) == "Картридж №5"


@pytest.mark.parametrize(
    ("codec", "name", "text"),
    [
        ("cp866", "ibm866", "Картридж"), ("gb18030", "gb2312", "中文报告镕"), ("cp949", "ks_c_5601-1987", "한국말똠"),
        ("cp932", "x-sjis", "日本①"), ("utf-7", "unicode-1-1-utf-7", "Привет"), ("hz", "hz-gb-2312", "中文"),
        ("iso2022_jp", "iso-2022-jp", "日本"), ("euc_jp", "x-euc-jp", "日本"), ("cp874", "tis-620", "ไทย"),
        ("cp1252", "iso-8859-1", "“5 €”"), ("cp1254", "iso-8859-9", "İş “5”"), ("big5hkscs", "big5", "中文"),
        ("koi8_u", "koi8-ru", "Київ"), ("utf-16", "utf-16", "Привет"),
    ],
)  # fmt: skip
def test_charsets_are_known_by_the_names_that_letters_give_them(codec: str, name: str, text: str) -> None:
    assert decode(text.encode(codec), name) == text


def test_iso_2022_jp_as_windows_writes_it_is_read() -> None:
    assert decode(b"\x1b$B-!F|K\\\x1b(B ok \x1b(I1\x1b(B", "iso-2022-jp") == "①日本 ok ｱ"
    assert decode("日本語".encode(), "iso-2022-jp") == "日本語"


@pytest.mark.parametrize("text", ["Заявка зарегистрирована", "Картридж заменён, печать проверена."])
@pytest.mark.parametrize("truth", ["cp1251", "koi8-r"])
@pytest.mark.parametrize("said", ["koi8-r", "windows-1251", "iso-8859-5", "ibm866"])
def test_a_cyrillic_charset_called_another_one_is_found_out(text: str, truth: str, said: str) -> None:
    assert decode(text.encode(truth), said) == text


@pytest.mark.parametrize("text", ["Да", "ЖЭК", "Київ", "ОПХБЕР", "Србија", "България"])
@pytest.mark.parametrize("charset", ["cp1251", "koi8-u", "iso8859-5"])
def test_a_charset_that_is_named_is_believed_where_nothing_proves_a_lie(text: str, charset: str) -> None:
    data = text.encode(charset, "ignore")
    assert decode(data, charset) == data.decode(charset)


@pytest.mark.parametrize("text", ["Grüße aus München", "Det här är text", "naïve café"])
def test_latin_called_utf_8_is_read_as_latin(text: str) -> None:
    assert decode(text.encode("cp1252"), "utf-8") == text


def test_a_broken_character_in_utf_8_is_shown_as_such() -> None:
    assert decode("Здравствуйте".encode()[:-1], "utf-8") == "Здравствуйт\ufffd"


def test_words_of_one_hand_are_guessed_together() -> None:
    values = ["Да".encode("koi8-r"), "Заявка принята в работу".encode("koi8-r"), b"ascii", "ок".encode()]
    assert decode(values[0], "", guess_together(values)) == "Да"
    assert guess_together([b"ascii", "utf-8 ё".encode(), "Müller".encode("latin-1")]) == ""


@pytest.mark.parametrize(
    "text",
    ["Заявка зарегистрирована", "Картридж заменён, печать проверена.", "Добрый день! Ваша заявка 5 принята в работу."],
)
@pytest.mark.parametrize("truth", ["utf-8", "cp1251", "koi8-r", "iso8859-5", "cp866"])
@pytest.mark.parametrize("said", ["gb2312", "gb18030", "big5", "euc-kr", "shift_jis"])
def test_russian_that_is_called_chinese_japanese_or_korean_is_found_out(text: str, truth: str, said: str) -> None:
    assert decode(text.encode(truth), said) == text


@pytest.mark.parametrize(
    "text",
    [
        "联通",
        "小写",
        "写小说",
        "言语",
        "学习",
        "谢谢",
        "打印机无法打印",
        "需要更多信息",
        "您的请求已被接受，我们会尽快处理。",
    ],
)
def test_chinese_is_not_taken_for_russian(text: str) -> None:
    assert decode(text.encode("gbk"), "gb2312") == text


def test_of_chinese_lines_of_any_common_signs_hardly_one_in_ten_thousand_is_taken_for_russian() -> None:
    draw = Random(1)
    for _ in range(1500):
        pairs = [(draw.randrange(0xB0, 0xD7), draw.randrange(0xA1, 0xFF)) for _ in range(draw.randrange(6, 40))]
        line = bytes(byte for pair in pairs for byte in pair)
        assert decode(line, "gb2312") == line.decode("gb18030")
