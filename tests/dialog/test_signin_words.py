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
    ("address", "domains", "named"),
    [
        ("ivanova@compnay.ru", (), True),
        ("ivanova@company.ru", (), False),
        ("ivanova@xcompany.ru", (), True),
        ("ivanova@ufa.company.ru", (), False),  # a branch may have its own
        ("ivanova@firm.ru", (), False),  # nor is every address that of the bot
        ("ivanova@gmail.com", (), False),
        ("ivanova@compnay.ru", ("firm.ru", "company.ru"), True),
        ("ivanova@ufa.company.ru", ("firm.ru", "company.ru"), True),  # there are no others
        ("ivanova@firm.ru", ("firm.ru", "company.ru"), False),
    ],
)
def test_the_usual_end_of_an_address_is_named_where_it_has_a_slip(
    lang: str, address: str, domains: tuple[str, ...], *, named: bool
) -> None:
    world = World(person=None)
    world.settings = replace(world.settings, domains_hint="company.ru", domains=domains)
    world.take(Typed(address))
    assert world.screen is not None
    assert (_USUAL[lang] in check(world.screen, lang)) is named


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("hint", ["bot.company.ru", ""])
def test_where_the_bot_has_a_domain_of_its_own_the_one_above_it_is_no_slip(lang: str, hint: str) -> None:
    world = World(person=None)
    world.settings = replace(world.settings, domains_hint=hint)
    world.take(Typed("ivanova@company.ru"))
    assert world.screen is not None
    assert world.screen.values["usual"] == ""
    check(world.screen, lang)
