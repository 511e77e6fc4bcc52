"""What people had to send again is found where it had been lost, and not where they were impatient."""

from __future__ import annotations

import pytest

from tests.fire.story import CHAT, MORE, ONE, Story

_REVIEW = f"Проверьте заявку\nДругое\n\n{ONE} мигает"


def filing(*, served: float = 8.0, album: int = 0) -> Story:
    """`album` photos, or words; what of them was lost is sent again when imbot had served for so long."""
    story = Story()
    story.nanny += [{"t": 0, "e": "started", "pid": 1}, {"t": 11 + served, "e": "killed", "pid": 1}]
    story.bot += [{"t": t, "e": "polled", "offset": offset} for t, offset in ((1, None), (11, 20))]
    story.sent(5, text=f"{ONE} мигает", update=4, message=2)
    for turn, t in enumerate((10.0, 20.0)):
        for number in range(album):
            name = f"photo-{number + 1}.png"
            story.sent(
                t + number / 100, "file", files=[name], text="", update=8 + number + 10 * turn, message=3 + number
            )
        if not album:
            story.sent(t, text=f"и шумит {ONE}", update=8 + 10 * turn, message=3)
    return story


def finds(story: Story) -> list[str]:
    return [one.about for one in story.finds("said_once_is_enough")]


@pytest.mark.parametrize(("served", "found"), [(8, 1), (3, 0)])
@pytest.mark.parametrize("album", [0, 2])
def test_what_was_confirmed_and_sent_again_is_found_once_imbot_has_served(
    served: float, found: int, album: int
) -> None:
    story = filing(served=served, album=album)
    story.saw(12, 9, f"{_REVIEW}\nФото: 1")
    assert finds(story) == [str(CHAT)] * found
    story.saw(13, 9, f"{_REVIEW}\nи шумит {ONE}\nФото: 2", edit=True)
    assert finds(story) == []


def test_what_was_not_confirmed_or_could_not_be_shown_may_be_sent_again() -> None:
    story = filing()
    story.drop("bot", lambda one: one.get("offset") == 20)
    assert finds(story) == []
    story = filing()
    story.proxy += [{"t": 12, "e": "freeze", "leg": "telegram"}, {"t": 14, "e": "heal", "leg": "*"}]
    assert finds(story) == []


def test_the_same_photo_for_another_request_is_another() -> None:
    for more in (
        {"kind": "press", "value": "k:cancel", "on": 9},
        {"text": f"{MORE} не включается"},
        {"text": "/cancel"},
    ):
        story = filing(album=2)
        story.sent(15, **more)
        assert finds(story) == [], more


def test_an_edit_that_had_to_be_made_twice_is_found() -> None:
    story = filing(album=0)
    story.drop("bot", lambda one: one["t"] in (10.0, 20.0))
    for t, update, message in ((10.0, 8, 2), (20.0, 9, 2)):
        story.sent(t, "edit", text=f"{ONE} молчит", update=update, message=message)
    assert finds(story) == [str(CHAT)]
    story.saw(12, 9, _REVIEW.replace("мигает", "молчит"))
    assert finds(story) == []
