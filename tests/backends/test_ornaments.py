from __future__ import annotations

import os
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.backends.ornaments import SMALL, Place, dress_of, place_of
from imbot.domain.errors import LetterRefused
from imbot.domain.letters import MailPart
from imbot.mime import bytes_to_mail
from tests.mime.work import work

MAILS = Path(__file__).resolve().parents[3] / "shared" / "mails" / "corpus"


def a_gif(width: int, height: int, size: int = 100) -> bytes:
    return (b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")).ljust(size, b"x")


def a_part(data: bytes, *, inline: bool = True, content_id: str = "x@y", name: str = "image001.gif") -> MailPart:
    return MailPart(name, "image/gif", len(data), sha256(data).hexdigest(), inline, content_id, data)


LOGO, SHOT = a_part(a_gif(180, 60)), a_part(a_gif(400, 300))
IMG = '<img src="cid:x@y">'


@pytest.mark.parametrize(
    "html",
    [
        f"<p>Готово.</p><p>С уважением,<br>Том</p>{IMG}",
        f"<div>Done.</div><div>--&nbsp;</div>{IMG}",
        f"<div>Done.</div><div>-- </div><div>{IMG}</div>",
        f"<p>Done</p><p>Kind regards</p>{IMG}",
        f'<p>Done</p><div class="gmail_signature">{IMG}</div>',
        f'<p>Done</p><div id="Signature">{IMG}</div>',
        f'<p>Done</p><div class="gmail_quote">On Monday: {IMG}</div>',
        f"<p>Done</p><blockquote>{IMG}</blockquote>",
        f"<p>Готово</p><div><b>От:</b> Анна</div><div>{IMG}</div>",
        f"<p>Готово</p><p>-----Исходное сообщение-----</p>{IMG}",
        "<p>Готово</p><p>С уважением</p><img src='cid:x%40y'>",
    ],
)
def test_a_narrow_picture_below_the_last_word_is_a_logo_and_a_screenshot_never_is(html: str) -> None:
    assert place_of(LOGO, dress_of(html)) is Place.LOGO
    assert place_of(SHOT, dress_of(html)) is Place.PICTURE


@pytest.mark.parametrize(
    "html", ["", f"<p>Нажмите {IMG} и ждите</p><p>С уважением</p>", f"{IMG}<p>С уважением</p>{IMG}"]
)
def test_what_stands_in_the_words_is_no_logo(html: str) -> None:
    assert place_of(LOGO, dress_of(html)) is Place.ICON
    assert place_of(SHOT, dress_of(html)) is Place.PICTURE


@pytest.mark.parametrize(
    "part",
    [
        a_part(a_gif(180, 60), inline=False, content_id=""),
        a_part(a_gif(180, 60), inline=False, content_id="other@y"),
        a_part(a_gif(180, 60, SMALL)),
        a_part(b"%PDF"),
        a_part(b""),
    ],
    ids=["attached", "not referenced", "large", "no picture", "empty"],
)
def test_these_are_files_like_any_other(part: MailPart) -> None:
    assert place_of(part, dress_of(f"<p>С уважением</p>{IMG}")) is Place.FILE


def test_a_counting_pixel_is_known_wherever_it_stands() -> None:
    assert place_of(a_part(a_gif(1, 1)), dress_of(IMG)) is Place.PIXEL
    assert place_of(a_part(a_gif(1, 400)), dress_of("")) is Place.PIXEL


@given(st.text(max_size=2000), st.integers(101, 5000), st.integers(101, 5000))
def test_a_picture_with_room_for_a_message_is_never_dress(html: str, width: int, height: int) -> None:
    assert place_of(a_part(a_gif(width, height)), dress_of(html + IMG)) is Place.PICTURE


@pytest.mark.parametrize("before", [65_500, 65_520, 65_536, 131_072, 200_000])
def test_the_end_of_what_is_new_is_found_however_far_down_it_stands(before: int) -> None:
    html = f"{'x' * before}<p class='my fine signature'>{IMG}"
    assert place_of(LOGO, dress_of(html)) is Place.LOGO
    assert place_of(LOGO, dress_of(IMG + html)) is Place.ICON


def test_the_html_is_looked_at_once_however_many_pictures_there_are() -> None:
    """Lines of Python run, not seconds: the HTML itself is gone over by C, in one pass."""
    html = "<img src=cid:other>" * 2000 + IMG
    parts = [a_part(a_gif(180, 60), content_id=f"{number}@y") for number in range(100)]

    def judge(count: int) -> None:
        dress = dress_of(html)
        for part in parts[:count]:
            place_of(part, dress)

    judge(1)
    assert work(lambda: judge(100)) - work(lambda: judge(1)) < 100 * 200


@pytest.mark.corpus
@pytest.mark.skipif(not MAILS.is_dir() and not os.environ.get("CI"), reason="the letters of ../shared are not here")
def test_of_real_letters_no_attached_and_no_large_picture_is_taken_for_dress() -> None:
    found: Counter[Place] = Counter()
    for path in sorted(MAILS.glob("*/*")):
        try:
            mail = bytes_to_mail(path.read_bytes())
        except LetterRefused:
            continue
        for part in mail.attachments:
            place = place_of(part, dress_of(mail.html))
            found[place] += 1
            referenced = bool(part.content_id) and part.content_id in mail.html
            if part.size >= SMALL or not (part.inline or referenced):
                assert place is Place.FILE, (path.name, part.name)
    assert found[Place.FILE] > 500
    assert found[Place.PICTURE] > 10
    assert found[Place.ICON] > 30
    assert found[Place.LOGO] + found[Place.PIXEL] < 10
