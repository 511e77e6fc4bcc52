from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from imbot.dialog.paging import pages_of, units


@given(st.text(alphabet="аб🖨\n ", max_size=400), st.integers(2, 60))
@example("🖨" * 30, 3)
def test_pages_hold_every_word_in_order_and_no_page_is_too_long(text: str, most: int) -> None:
    pages = pages_of(text, most)
    assert "".join("".join(pages).split()) == "".join(text.split())
    assert all(page.strip() and units(page) <= most for page in pages)


def test_a_cut_falls_at_the_end_of_a_line_then_of_a_word() -> None:
    assert pages_of("один два\nтри четыре", 15) == ["один два", "три четыре"]
    assert pages_of("один два три", 9) == ["один два", "три"]
    assert pages_of("безпробелов", 6) == ["безпро", "белов"]
    assert pages_of(" \n ") == []
