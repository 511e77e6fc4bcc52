"""Templates: folders override one another, languages fall back, moments and figures read well, mistakes are named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.config import packed
from imbot.domain.errors import ConfigError
from imbot.templates import Templates, cut, plural, size_words

MOSCOW = ZoneInfo("Europe/Moscow")


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    own, packed = tmp_path / "own", tmp_path / "packed"
    own.mkdir()
    packed.mkdir()
    return own, packed


def render(folders: tuple[Path, Path], text: str, lang: str = "ru", **values: object) -> str:
    put(folders[1], "t.j2", text)
    return Templates(folders, MOSCOW).render("t.j2", values, lang)


def test_a_company_folder_overrides_one_file_and_leaves_the_rest(folders: tuple[Path, Path]) -> None:
    own, packed = folders
    put(packed, "chat/ru/menu.j2", "packed menu")
    put(packed, "chat/ru/help.j2", "packed help")
    put(own, "chat/ru/menu.j2", "own menu")
    templates = Templates(folders, MOSCOW)
    assert templates.chat("ru", "menu", {}) == "own menu"
    assert templates.chat("ru", "help", {}) == "packed help"
    assert templates.overridden() == ["chat/ru/menu.j2"]


def test_a_language_without_the_file_falls_back_to_the_other(folders: tuple[Path, Path]) -> None:
    put(folders[1], "chat/en/menu.j2", "the menu")
    templates = Templates(folders, MOSCOW)
    assert templates.chat("ru", "menu", {}) == "the menu"
    assert templates.exists("chat/ru/menu.j2")
    assert not templates.exists("chat/ru/nothing.j2")


def test_words_of_both_folders_and_languages_are_joined_key_by_key(folders: tuple[Path, Path]) -> None:
    own, packed = folders
    put(packed, "chat/en/buttons.toml", 'send = "Send"\nonly_en = "Only"\n')
    put(packed, "chat/ru/buttons.toml", 'send = "Отправить"\nback = "Назад"\n')
    put(own, "chat/ru/buttons.toml", 'back = "Вернуться"\n')
    words = Templates(folders, MOSCOW).words("ru")
    assert words == {"send": "Отправить", "back": "Вернуться", "only_en": "Only"}


def test_html_is_escaped_by_file_name_and_text_is_not(folders: tuple[Path, Path]) -> None:
    put(folders[1], "a.html.j2", "{{ x }}")
    put(folders[1], "a.txt.j2", "{{ x }}")
    templates = Templates(folders, MOSCOW)
    assert templates.render("a.html.j2", {"x": "<b>"}) == "&lt;b&gt;"
    assert templates.render("a.txt.j2", {"x": "<b>"}) == "<b>"


def test_none_is_shown_as_nothing(folders: tuple[Path, Path]) -> None:
    assert render(folders, "[{{ x }}]", x=None) == "[]"


@pytest.mark.parametrize(
    "text",
    ["{{ missing }}", "{{ ''.__class__.__mro__ }}", "{{ x.append(1) }}", "{{ 1 / 0 }}", "{% if %}"],
)
def test_a_template_that_is_wrong_or_reaches_out_is_a_named_mistake(folders: tuple[Path, Path], text: str) -> None:
    with pytest.raises(ConfigError, match=r"t\.j2"):
        render(folders, text, x=[1])


def test_a_missing_template_is_named_with_the_folders(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"chat/ru/nothing\.j2 is missing in .*own.*packed"):
        Templates(folders, MOSCOW).chat("ru", "nothing", {})


def test_problems_name_every_file_that_does_not_compile(folders: tuple[Path, Path]) -> None:
    own, packed = folders
    put(packed, "chat/ru/good.j2", "{{ x }}")
    put(own, "chat/ru/bad.j2", "line\n{% if x %}")
    put(own, "chat/en/unknown.j2", "{{ x|nofilter }}")
    put(own, "chat/ru/buttons.toml", "back = ")
    found = Templates(folders, MOSCOW).problems()
    assert len(found) == 3
    assert any("bad.j2:2" in line for line in found)
    assert any("unknown.j2:1" in line and "nofilter" in line for line in found)
    assert any("buttons.toml" in line for line in found)


@pytest.mark.parametrize(
    ("template", "lang", "expected"),
    [
        ("{{ at|clock }}", "ru", "18:00"),
        ("{{ at|day }}", "ru", "24 ноября"),
        ("{{ at|day }}", "en", "24 November"),
        ("{{ at|when }}", "ru", "24 ноября, 18:00"),
        ("{{ at|stamp }}", "ru", "24.11.2026 18:00 МСК"),
        ("{{ at|stamp }}", "en", "24.11.2026 18:00 MSK"),
    ],
)
def test_moments_are_shown_in_the_company_zone(
    folders: tuple[Path, Path], template: str, lang: str, expected: str
) -> None:
    assert render(folders, template, lang, at="2026-11-24T15:00:00+00:00") == expected
    assert render(folders, template, lang, at=datetime(2026, 11, 24, 15, tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-24T06:00:00+00:00", "18:00"),
        ("2026-11-23T06:00:00+00:00", "завтра, 18:00"),
        ("2026-11-25T06:00:00+00:00", "вчера, 18:00"),
        ("2026-11-20T06:00:00+00:00", "24 ноября, 18:00"),
        ("2027-01-20T06:00:00+00:00", "24 ноября 2026, 18:00"),
    ],
)
def test_near_days_have_names_where_now_is_given(folders: tuple[Path, Path], now: str, expected: str) -> None:
    assert render(folders, "{{ at|when }}", at="2026-11-24T15:00:00+00:00", now=now) == expected


def test_plurals_follow_the_language() -> None:
    forms = [plural(n, "заявка", "заявки", "заявок") for n in (0, 1, 2, 5, 11, 12, 21, 104, 111)]
    assert forms == ["заявок", "заявка", "заявки", "заявок", "заявок", "заявок", "заявка", "заявки", "заявок"]
    assert [plural(n, "ticket", "tickets") for n in (0, 1, 2)] == ["tickets", "ticket", "tickets"]


def test_sizes_read_as_people_say_them() -> None:
    assert [size_words(n) for n in (812, 1536, 38 * 1024**2, 20 * 1024**2, 3 * 1024**3)] == [
        "812 байт",
        "1,5 КБ",
        "38 МБ",
        "20 МБ",
        "3 ГБ",
    ]
    assert [size_words(n) for n in (1, 22, 5, 102)] == ["1 байт", "22 байта", "5 байт", "102 байта"]
    assert [size_words(n, "en") for n in (1, 22, 1536)] == ["1 byte", "22 bytes", "1.5 KB"]


@pytest.mark.parametrize(
    ("size", "ru", "en"),
    [
        (20 * 1024**2, "20 МБ", "20 MB"),
        (20 * 1024**2 + 1, "чуть больше 20 МБ", "a little over 20 MB"),
        (21_000_000, "чуть больше 20 МБ", "a little over 20 MB"),
        (21 * 1024**2, "21 МБ", "21 MB"),
        (19 * 1024**2, "19 МБ", "19 MB"),
    ],
)
def test_a_size_beyond_a_limit_never_reads_like_the_limit(size: int, ru: str, en: str) -> None:
    limit = 20 * 1024**2
    assert (size_words(size, "ru", limit), size_words(size, "en", limit)) == (ru, en)


def test_a_cut_ends_at_a_word_and_says_so() -> None:
    assert cut("Принтер мигает красным и не печатает", 24) == "Принтер мигает красным…"
    assert cut("short", 24) == "short"
    assert len(cut("x" * 100, 24)) == 24


def test_words_that_are_asked_for_again_are_kept_and_a_persons_own_are_not() -> None:
    templates = Templates([packed("templates")], ZoneInfo("Europe/Moscow"))
    mine, everybodys = {"text": "мой пароль"}, {"support_contact": ""}
    for _ in range(2):
        templates.chat("ru", "trouble", everybodys)
    templates.chat("ru", "trouble", everybodys | mine)
    kept = list(templates._said)
    assert [screen for _, screen, _ in kept] == ["trouble"]
    assert not any("пароль".encode() in values for _, _, values in kept)


ALERTS = ["quarantine", "quarantine_more", "flood", "flips", "letter_failed", "reopen_silence", "sweep_stopped"]
ALERTS += ["unconfirmed", "addition_waits", "answered", "of_the_future"]


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_the_subject_of_an_alert_is_short_and_whole(lang: str) -> None:
    templates = Templates([packed("templates")], ZoneInfo("Europe/Moscow"))
    long = "Письмо отложено в карантин (от itsm@demo.local, «Заявка № IM-CL-1042 выполнена»): не доказано, что оно от поддержки"

    def subject(*alerts: Mapping[str, object]) -> str:
        values = {"alerts": list(alerts), "title": long}
        return " ".join(templates.render(f"mail/common/{lang}/alert.subject.txt.j2", values, lang).split())

    told = [subject({"name": name, "values": {"leg": "mailbox:glpi"}}) for name in (*ALERTS, "leg_down", "leg_up")]
    assert len(set(told)) == len(told)
    assert all(len(line) <= 60 and line.startswith("imbot: ") and "…" not in line for line in told), told
    more = subject(*({"name": "quarantine", "values": {}} for _ in range(3)))
    assert (
        more
        == {
            "ru": "imbot: письмо отложено в карантин (и ещё 2)",
            "en": "imbot: a letter was set aside (and 2 more)",
        }[lang]
    )
    assert subject() == f"imbot: {long}"  # cut by whoever fills it in


@pytest.mark.parametrize(
    ("now", "lang", "expected"),
    [
        ("2026-11-24T06:00:00+00:00", "ru", "18:00"),
        ("2026-11-23T06:00:00+00:00", "ru", "18:00 (завтра, 24 ноября)"),
        ("2026-11-25T06:00:00+00:00", "en", "18:00 (yesterday, 24 November)"),
        ("2026-11-20T06:00:00+00:00", "ru", "18:00 24 ноября"),
        ("2027-11-20T06:00:00+00:00", "en", "18:00 24 November 2026"),
    ],
)
def test_what_stays_in_a_chat_is_true_the_next_day_too(tmp_path: Path, now: str, lang: str, expected: str) -> None:
    put(tmp_path, "when.j2", f'{{% import "chat/{lang}/_words.j2" as w with context %}}{{{{ w.by(at) }}}}')
    templates = Templates([tmp_path, Path(__file__).parents[1] / "templates"], MOSCOW)
    assert templates.render("when.j2", {"at": "2026-11-24T15:00:00+00:00", "now": now}, lang) == expected


@pytest.mark.parametrize(
    ("lang", "unlinked", "shut"),
    [("ru", "отвязан от вашего адреса", "нажмите /start"), ("en", "is unlinked from your address", "press /start")],
)
def test_news_by_letter_say_why_they_come_by_letter(lang: str, unlinked: str, shut: str) -> None:
    templates = Templates([packed("templates")], MOSCOW)
    values = {"name": "Анна", "words": "Заявка принята.", "bot": "imbot", "support": ""}
    blocked = templates.render(f"mail/common/{lang}/notice.txt.j2", values, lang)
    out = templates.render(f"mail/common/{lang}/notice.txt.j2", values | {"unlinked": True}, lang)
    assert (shut in blocked, unlinked in blocked) == (True, False)
    assert (shut in out, unlinked in out) == (False, True)
