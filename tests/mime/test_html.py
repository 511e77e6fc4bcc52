"""HTML as text that people can read."""

from __future__ import annotations

from imbot.mime import html_to_text


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
