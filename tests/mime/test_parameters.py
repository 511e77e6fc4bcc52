"""Parameters of Content-Type and Content-Disposition."""

from __future__ import annotations

import pytest

from imbot.mime.parameters import read_parameters


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"attachment; filename*=utf-8''%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b"attachment; filename*0*=utf-8''%D1%84; filename*1*=%D0%BE%D1%82%D0%BE; filename*2=.jpg", "фото.jpg"),
        (b'attachment; filename="=?utf-8?B?0YTQvtGC0L4uanBn?="', "фото.jpg"),
        (b"attachment; filename=x.jpg; filename*=utf-8''%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b'attachment; filename="a; b\\"c.txt"', 'a; b"c.txt'),
        (b'attachment; filename="never closed.txt', "never closed.txt"),
        ('attachment; filename="фото.jpg"'.encode("windows-1251"), "фото.jpg"),
        (b"attachment; filename*=koi8-r''%C6%CF%D4%CF.jpg", "фото.jpg"),
        (b"attachment; filename=\"=?utf-8?B?eA==?=\"; filename*=utf-8''%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b"attachment; filename*=utf-8''=?utf-8?B?0YTQvtGC0L4uanBn?=", "фото.jpg"),
        (b'attachment; filename*0="=?utf-8?B?0YTQvtGC"; filename*1="0L4uanBn?="', "фото.jpg"),
        (b'attachment; filename*0="=?utf-8?B?0YTQvtGC?="; filename*1=" =?utf-8?B?0L4uanBn?="', "фото.jpg"),
        (b'attachment; filename="=?utf-8?B?0YTQvtGC?=\r\n =?utf-8?B?0L4uanBn?="', "фото.jpg"),
        (b"attachment; filename==?koi8-r?Q?=C6=CF=D4=CF?=.jpg", "фото.jpg"),
        (b"attachment; filename*=%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b"attachment; filename*1=b.jpg; filename*0=a; filename*x=c; filename*99999=d", "ab.jpg"),
        (b"attachment; filename*=utf-8''a%zz%4.jpg", "a%zz%4.jpg"),
    ],
)
def test_file_names_are_read_in_every_form(raw: bytes, expected: str) -> None:
    assert read_parameters(raw).get("filename") == expected
