"""What sign-in says of an address, whether or not anybody has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.domain.chats import Typed
from tests.dialog.test_screens import LANGS, check
from tests.dialog.world import World

_USUAL = {"ru": "обычно кончаются на @company.ru", "en": "usually end in @company.ru"}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    ("address", "unusual"), [("ivanova@compnay.ru", True), ("ivanova@company.ru", False), ("a@xcompany.ru", True)]
)
def test_the_usual_end_of_an_address_is_named_where_it_has_another(lang: str, address: str, *, unusual: bool) -> None:
    world = World(person=None)
    world.settings = replace(world.settings, domains_hint="company.ru")
    world.take(Typed(address))
    assert world.screen is not None
    assert (_USUAL[lang] in check(world.screen, lang)) is unusual
    world.settings = replace(world.settings, domains_hint="")
    world.take(Typed(address))
    assert "@company.ru" not in check(world.screen, lang).replace(address, "")
