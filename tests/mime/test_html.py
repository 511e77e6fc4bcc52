"""HTML as text that people can read."""

from __future__ import annotations

import pytest

from imbot.mime import bytes_to_mail, html, html_to_text, parts


def test_html_becomes_readable_text() -> None:
    page = (
        "<head><title>no</title><style>no</style></head><p>Заявка <b>принята</b>.</p>"
        "<table><tr><td>Срок:</td><td>21.11.2026 18:00</td></tr><tr><td>a</td><td>b</td></tr></table>"
        "<ul><li>one<li>two</ul><ol><li>x</ol><blockquote>old<br>words</blockquote>"
        '<a href="https://itsm.example/1">open</a><div style="display:none">hidden</div><script>no</script>&nbsp;end'
    )
    assert html_to_text(page) == (
        "Заявка принята.\n\nСрок: 21.11.2026 18:00\na | b\n\n- one\n- two\n\n1. x\n\n> old\n> words\n\n"
        "open <https://itsm.example/1> end"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<table><tr><td><p>Статус</p></td><td><p>Выполнена</p></td></tr>"
            "<tr><td><p>Срок:</p></td><td><p><span>завтра</span></p></td></tr></table><p>Дальше",
            "Статус | Выполнена\nСрок: завтра\n\nДальше",
        ),
        (
            "<table><tr><td><p>Здравствуйте</p></td></tr><tr><td><p>Принято</p></td></tr></table>",
            "Здравствуйте\n\nПринято",
        ),
        (
            "<table><tr><td>Было:</td><td>раз<br>два</td><td>три</td></tr><tr><td>a<td>b</table>",
            "Было: раз\nдва\nтри\na | b",
        ),
        (
            "<table><tr><td><table><tr><td>a<td>b<tr><td>c<td>d</table><td>right</tr><tr><td>e<td>f</table>",
            "a | b\nc | d\n\nright\ne | f",
        ),
        ("<table><tr><th>Имя<th>Размер<tr><td>a.txt<td><td>3</table>", "Имя | Размер\na.txt | 3"),
        ("<ul><li><p>one</p></li><li></li><li><p>two<br>more</p></li></ul>end", "- one\n- two\nmore\n\nend"),
        ("<ul><li>a<ul><li>b<ol start=3><li>c<li>d</ol></ul><li>e</ul>", "- a\n  - b\n    3. c\n    4. d\n- e"),
        ("<ol start=0><li>x</ol><ol start=999999999><li>y</ol>", "1. x\n\n1. y"),
        ("<div>a</div><div>&nbsp;</div><div>b</div><div><br></div><div>c&nbsp;d</div>", "a\n\nb\n\nc d"),
        ("<p>a<br><br><br><br>b<p>&nbsp;<p>&nbsp;<p>c", "a\n\nb\n\nc"),
        ("<pre>a\n  b\n\n\nc</pre>", "a\n  b\n\n\nc"),
        ("<dl><dt>Номер<dd>IM-1<dt>Срок<dd>завтра</dl>", "Номер\nIM-1\nСрок\nзавтра"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>d", "> a\n>\n> > b\n>\n> c\n\nd"),
        ("<p dir=rtl>שלום <b>עולם</b></p>", "שלום עולם"),
        ("a<!-- no --><![if !mso]>b<![endif]><o:p>c</o:p>", "abc"),
    ],
)
def test_tables_lists_and_empty_lines_stay_readable(page: str, text: str) -> None:
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "attribute", ["hidden", 'style="display: none"', "style='VISIBILITY:hidden'", 'style="display:n&#111;ne"']
)
def test_what_is_hidden_is_left_out(attribute: str) -> None:
    assert html_to_text(f"a<div {attribute}>b<p>c</p></div><p>d") == "a\n\nd"


def test_zero_width_characters_and_hard_blanks_go() -> None:
    assert html_to_text("<p>За\u200bяв\u00adка\u00a0№\u00a05  принята\ufeff") == "Заявка № 5 принята"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<?php x?>b", "ab"),
        ("<?x?>", ""),
        ('<?xml version="1.0"?><html><body>Заявка</body></html>', "Заявка"),
        ("<p>a<math><?x?></math>b", "ab"),
        ('<p>a<?xml:namespace prefix = o ns = "urn:schemas-microsoft-com:office:office" />b</p>', "ab"),
        ("<svg><![CDATA[x]]></svg>y", "y"),
    ],
)
def test_processing_instructions_are_no_reason_to_refuse_a_letter(page: str, text: str) -> None:
    mail = bytes_to_mail(f"Content-Type: text/html; charset=utf-8\n\n{page}".encode())
    assert (mail.text, mail.problems) == (text, ())


def test_a_page_that_cannot_be_walked_gives_its_words_and_says_what_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AttributeError("never met before")

    monkeypatch.setattr(html, "_walk", broken)
    mail = bytes_to_mail(b"Content-Type: text/html\n\n<p>Request <b>1</b> is closed")
    assert mail.text == "Request 1 is closed"
    assert mail.problems == ("a page that cannot be walked (AttributeError): its tags were cut out",)


def test_of_pages_beyond_one_long_one_only_the_tags_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LONGEST_PAGE", 60)
    page = "--b\nContent-Type: text/html\n\n<ul><li>a<li>b</ul><p hidden>c</p>\n"
    mail = bytes_to_mail(f"Content-Type: multipart/mixed; boundary=b\n\n{page * 3}--b--\n".encode())
    assert mail.text == "- a\n- b\n\nabc\n\nabc"
