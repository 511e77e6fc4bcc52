"""What has no room: files and words that are left out are counted, told once, and may come after all."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from imbot.dialog.render import render
from imbot.dialog.slots import draft_of
from imbot.domain.chats import Attached, Commanded, Edited, FileRef, Shared, Typed
from imbot.templates import Templates
from tests.dialog.test_intake import press, shown
from tests.dialog.test_screens import FOLDER
from tests.dialog.world import World


def test_a_hundred_photos_end_in_a_kind_refusal() -> None:
    world = World()
    for number in range(100):
        world.take(Attached(FileRef(f"v{number}", f"u{number}", kind="photo"), message_id=f"m{number}"))
    assert shown(world, "problem") == "too_many"
    assert shown(world, "files") == 30
    assert shown(world, "left_files") == 70
    assert sum(map(len, world.kept.values())) == 100
    line = "Не вошло ещё 70: с одной заявкой принимаем до 30 файлов."
    assert words(world).count(line) == 1
    press(world, "c:advice")
    press(world, "skip")
    assert words(world).count(line) == 1
    assert words(world).count("Не вошло") == 1


def test_beyond_ten_times_the_limit_files_are_only_counted() -> None:
    world = World()
    world.settings = replace(world.settings, max_files=2)
    for number in range(25):
        world.take(Attached(FileRef(f"v{number}", f"u{number}", kind="photo"), message_id=f"m{number}"))
    assert (shown(world, "files"), shown(world, "left_files")) == (2, 23)
    assert sum(map(len, world.kept.values())) == 20


def test_two_piles_that_become_one_keep_to_the_limit_and_count_what_is_left_out() -> None:
    world = World()
    world.settings = replace(world.settings, max_files=2)
    for number in range(2):
        world.take(Attached(FileRef(f"v{number}", f"u{number}", kind="photo"), message_id=f"m{number}"))
    press(world, "c:advice")
    world.take(Commanded("me"))
    for number in range(1, 5):
        world.take(Attached(FileRef(f"v{number}", f"u{number}", kind="photo"), message_id=f"n{number}"))
    assert (shown(world, "files"), shown(world, "left_files")) == (2, 2)
    press(world, "todraft")
    assert (shown(world, "files"), shown(world, "left_files")) == (2, 3)
    assert sorted(kept.reason for kept in world.kept["id00000000000001"]) == ["", "", *["too_many"] * 3]


def test_what_is_pasted_in_pieces_is_one_text_up_to_where_it_is_cut() -> None:
    """Telegram cuts a long text where a message ends, in mid-word if need be."""
    whole = "".join(f"слово{number} " for number in range(1500))[:12_599]
    world = World()
    for number in range(4):
        world.take(Typed(whole[number * 4096 : (number + 1) * 4096], f"m{number}"))
    draft = draft_of(world.session)
    assert draft is not None
    kept = draft.pile.text
    assert len(kept) <= 10_000
    assert kept.endswith(" […]")
    assert whole.startswith(kept.removesuffix(" […]"))
    assert len(kept) > 9_990
    assert shown(world, "left_text") == len(whole) - len(kept) + len(" […]")


def test_however_much_is_pasted_the_missing_characters_are_counted() -> None:
    world = World()
    world.settings = replace(world.settings, max_text=10)
    world.take(Typed("Беда", "m0"))
    for number in range(1, 60):
        world.take(Typed("ж" * 10, f"m{number}"))
    assert shown(world, "left_text") == 589  # one stands in front of the mark
    assert len(world.session.data["draft"]["pile"]["missed"]) <= 21
    assert "Вместе получается больше 10 знаков, и часть текста не вошла (589 знаков)." in words(world)
    world.take(Shared("sticker"))
    assert "Часть текста не вошла (589 знаков). Пришлите её файлом." in words(world)
    world.take(Edited("", "m59"))
    assert shown(world, "left_text") == 579


def words(world: World) -> str:
    assert world.screen is not None
    return render(world.screen, "ru", Templates([FOLDER], ZoneInfo("Europe/Moscow"))).text
