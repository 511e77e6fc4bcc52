"""What sign-in says of an address, whether or not anybody has it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.demo.cast import DOMAIN, PLAYERS
from imbot.dialog.signin import advance, happened
from imbot.domain.chats import Commanded, Edited, Happened, Pressed, Typed
from tests.dialog.test_screens import LANGS, check
from tests.dialog.world import START, World

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


@pytest.mark.parametrize("lang", LANGS)
def test_a_code_that_was_asked_for_long_ago_is_not_said_to_be_on_its_way(lang: str) -> None:
    world = World(person=None, lang=lang)
    coming = {"ru": "код уже идёт", "en": "a code is on its way"}[lang]
    asked = {"ru": "попросили в 09:00. Если он не пришёл", "en": "was asked for at 09:00. If it has not come"}[lang]
    world.take(Typed("ivanova@company.ru", "m1"))
    assert coming in said(world)
    world.now += timedelta(minutes=3)
    world.take(Commanded("start"))
    assert coming in said(world)
    world.now += timedelta(hours=1)
    world.take(Commanded("start"))
    assert asked in said(world)
    assert coming not in said(world)
    assert world.screen is not None
    again = next(key.value for each in world.screen.rows for key in each if key.label == "again")
    world.take(Pressed(again, "m9"))
    assert coming in said(world)


def company(*domains: str, lang: str = "ru") -> World:
    world = World(person=None, lang=lang)
    world.settings = replace(world.settings, domains_hint=domains[0], domains=domains)
    return world


def said(world: World) -> str:
    assert world.screen is not None
    return check(world.screen, world.lang)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("address", ["anna@compny.ru", "x@gmail.com", "anna@ufa.company.ru"])
def test_an_address_of_no_domain_of_the_company_asks_for_no_code_and_hears_the_ending(lang: str, address: str) -> None:
    world = company("company.ru", lang=lang)
    for _ in range(4):
        world.take(Typed(address))
    assert world.asked == 0
    named = {
        "ru": "рабочие адреса здесь кончаются на @company.ru.",
        "en": "work e-mail addresses here end in @company.ru.",
    }
    assert named[lang] in said(world)
    world.take(Typed("anna@company.ru"))
    assert (world.asked, world.session.state) == (1, "code")


def test_while_a_code_is_awaited_an_address_from_elsewhere_changes_nothing() -> None:
    world = company("company.ru")
    world.take(Typed("anna@company.ru", "m1"))
    world.take(Edited("anna@compny.ru", "m1"))
    assert "На anna@compny.ru код прислать нельзя" in said(world)
    assert "уже идёт" not in said(world)
    world.take(Pressed(world.session.value("nomail")))
    world.take(Typed("anna@gmail.com"))
    assert (world.asked, world.session.state) == (1, "code")
    world.settings = replace(world.settings, domains=("firm.ru",))  # the company has moved meanwhile
    world.take(Pressed(world.session.value("again")))
    assert (world.asked, "@firm.ru" in said(world)) == (1, True)


def test_the_ending_is_told_where_access_to_mail_was_the_question_as_well() -> None:
    world = company("company.ru")
    world.settings = replace(world.settings, support_contact="12-00")
    world.take(Typed("привет"))
    world.take(Pressed(world.session.value("nomail")))
    world.take(Typed("anna@gmail.com"))
    assert (world.asked, world.session.state) == (0, "address")


@pytest.mark.parametrize(
    ("lang", "domains", "words"),
    [
        ("ru", "a.ru b.ru", "на @a.ru или @b.ru. "),
        ("en", "a.ru b.ru", "in @a.ru or @b.ru. "),
        ("ru", "a.ru b.ru c.ru d.ru e.ru", "на @a.ru, @b.ru, @c.ru, @d.ru и другие. "),
        ("en", "a.ru b.ru c.ru d.ru e.ru", "in @a.ru, @b.ru, @c.ru, @d.ru and others. "),
    ],
)
def test_several_endings_are_named_and_many_are_not_all(lang: str, domains: str, words: str) -> None:
    world = company(*domains.split(), lang=lang)
    world.take(Typed("anna@gmail.com"))
    assert words in said(world)


@pytest.mark.parametrize(
    ("seconds", "ru", "en"),
    [
        (20, "примерно через минуту, в 09:01.", "in about a minute, at 09:01."),
        (180, "примерно через 3 минуты, в 09:03.", "in about 3 minutes, at 09:03."),
        (22 * 60 + 1, "примерно через 25 минут, в 09:23.", "in about 25 minutes, at 09:23."),
        (3590, "примерно через час, в 10:00.", "in about an hour, at 10:00."),
        (5 * 3600, "примерно через 5 часов, в 14:00.", "in about 5 hours, at 14:00."),
        (23 * 3600, "примерно через 23 часа, в 08:00", "in about 23 hours, at 08:00"),
    ],
)
def test_how_long_it_takes_until_a_code_may_be_asked_for_is_said(seconds: int, ru: str, en: str) -> None:
    until = (START + timedelta(seconds=seconds)).isoformat()
    world = company("company.ru")
    for name, values in (("looked_up", {"allowed": False}), ("code_checked", {"result": "limited"})):
        turn = happened(world.session, Happened(name, {**values, "until": until}), world.facts())
        assert turn.screen is not None
        assert ru in check(turn.screen, "ru")
        assert en in check(turn.screen, "en")
        values = {key: value for key, value in turn.screen.values.items() if key != "wait"}
        assert "после " in check(replace(turn.screen, values=values), "ru")  # of an older version, and still owed
    never = advance(world.session, Typed("привет"), world.facts()).screen
    assert never is not None
    assert never.values["wait"] == 0


@pytest.mark.parametrize("lang", LANGS)
def test_after_a_wrong_code_only_what_helps_is_said(lang: str) -> None:
    world = World(person=None, lang=lang)
    coming, here = {
        "ru": ("код уже идёт", "Пришлите код сюда"),
        "en": ("a code is on its way", "Send the code here"),
    }[lang]
    for text, says in (
        ("ivanova@company.ru", (True, True)),
        ("AAAA2222", (False, False)),
        ("AAAA", (False, False)),
        ("Мышь не едет", (False, True)),
        ("/start", (True, True)),
    ):
        world.take(Typed(text))
        assert (coming in said(world), here in said(world)) == says, text
    world.take(Typed("AAAA2222"))
    assert (
        said(world).splitlines()[1:]
        == {
            "ru": ["То, что вы прислали, сохранено."],
            "en": ["What you sent is kept."],
        }[lang]
    )


@pytest.mark.parametrize("lang", LANGS)
def test_the_example_of_an_address_is_nobodys_in_the_demo(lang: str) -> None:
    world = World(person=None, lang=lang)
    world.settings = replace(world.settings, domains_hint=DOMAIN)
    for text in ("/start", "anna@", "Интернет", "не приходит код"):
        world.take(Commanded("start") if text == "/start" else Typed(text))
        examples = re.findall(rf"[\w.]+@{DOMAIN}", said(world))
        assert len(examples) == 1, text
        assert examples[0] not in {player.address for player in PLAYERS}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("domains", [("demo.local",), ()])
@pytest.mark.parametrize(
    ("typed", "letters"),
    [
        ("anna@demo.l\u043e\u0441al", "\u043e, \u0441."),  # looks like demo.local
        ("мой адрес: \u0430nna@demo.local", "\u0430."),
        ("аня@demo.local", "а, н, я."),
        ("абвгдежзикл@demo.local", "а, б, в, г, д, е, ж, з, и, к "),
    ],
)
def test_cyrillic_letters_in_an_address_are_named(
    lang: str, domains: tuple[str, ...], typed: str, letters: str
) -> None:
    world = World(person=None, lang=lang)
    world.settings = replace(world.settings, domains_hint="demo.local", domains=domains)
    begun = {"ru": f"В адресе русские буквы: {letters}", "en": f"The address has Cyrillic letters in it: {letters}"}[
        lang
    ]
    for _ in range(2):  # at the address, and while a code is waited for
        world.take(Typed(typed))
        text = said(world)
        assert text.startswith(begun)
        assert "xn--" not in text
        asked = world.asked
        world.take(Typed("anna@demo.local"))
        assert world.asked == asked + 1


@pytest.mark.parametrize(
    ("domains", "address", "problem"),
    [
        ((), "anna@почта.рф", ""),  # there are such domains
        (("xn--80a1acny.xn--p1ai",), "anna@почта.рф", ""),
        (("xn--80a1acny.xn--p1ai",), "anna@почтa.рф", "cyrillic"),
        (("xn--80a1acny.xn--p1ai",), "anna@потча.рф", "foreign"),
        (("demo.local",), "anna@почта.рф", "cyrillic"),
        (("demo.local",), "anna@dmeo.local", "foreign"),
    ],
)
def test_a_domain_of_cyrillic_is_one(domains: tuple[str, ...], address: str, problem: str) -> None:
    world = World(person=None)
    world.settings = replace(world.settings, domains=domains)
    world.take(Typed(address))
    assert world.screen is not None
    assert world.screen.values["problem"] == problem
    assert world.asked == (not problem)


@pytest.mark.parametrize("lang", LANGS)
def test_a_mistyped_address_is_told_of_while_a_code_is_waited_for(lang: str) -> None:
    world = World(person=None, lang=lang)
    world.take(Typed("ivanova@company.ru"))
    world.take(Typed("ivanova@company"))
    first = {"ru": "Похоже, в адресе опечатка. Пришлите", "en": "There seems to be a typo in the address. Please"}[lang]
    assert said(world).startswith(first)


@pytest.mark.parametrize("lang", LANGS)
def test_the_address_for_one_request_is_looked_at_as_closely(lang: str) -> None:
    world = World(lang=lang)
    world.take(Typed("Принтер не печатает", "m1"))
    for name in ("c:advice", "change", "ch:mail"):
        world.take(Pressed(world.session.value(name), "s"))
    for number, address in enumerate(("аня@demo.local", "anna@demo.l\u043eсal")):
        world.take(Typed(address, f"n{number}"))
        assert said(world).startswith({"ru": "В адресе русские буквы.", "en": "The address has Cyrillic"}[lang])
    world.take(Typed("anna@demo.local", "m9"))
    assert world.screen is not None
    assert (world.screen.name, world.screen.values["mail"]) == ("review", "anna@demo.local")
