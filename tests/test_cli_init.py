"""`imbot init`: what it asks, keeps and writes."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imbot import cli_doctor, cli_origin
from imbot.config import Settings, load
from imbot.domain.errors import DeliveryError
from tests.company import Answer


@pytest.mark.parametrize(
    ("answers", "grant", "imap", "token_url"),
    [
        (
            ("microsoft", "t-1", "app-1", "s-1", "", ""),
            "client_credentials",
            "outlook.office365.com",
            "https://login.microsoftonline.com/t-1/oauth2/v2.0/token",
        ),
        (("yandex", "app-1", "s-1", "r-1", "", ""), "refresh_token", "imap.yandex.ru", "https://oauth.yandex.ru/token"),
        (
            ("other", "https://id.company.ru/token", "mail", "app-1", "s-1", "r-1", "mx.company.ru", ""),
            "refresh_token",
            "mx.company.ru",
            "https://id.company.ru/token",
        ),
    ],
)
def test_init_offers_to_sign_in_by_token_and_asks_no_server_that_is_known(
    imbot: Callable[..., Answer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: tuple[str, ...],
    grant: str,
    imap: str,
    token_url: str,
) -> None:
    before = (
        "12-34",
        "tom@company.ru",
        "",
        "123456789:AAEhBOweik6ad9r_QXMENQ",
        "domain",
        "company.ru",
        "bot@company.ru",
        *("", "", "", "y"),  # Enter by mistake leads back to the password
    )
    after = ("support@company.ru", "", "", "", "mx.company.ru")
    typed = "\n".join([*before, *answers, *after, ""])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    path = tmp_path / "config.toml"
    answer = imbot("init", str(path), "--no-check")
    assert answer.code == 0, answer.err
    assert "Servers are tried" not in answer.out
    assert answer.out.count("No password: does it sign in by a token") == 2
    settings = load(path, {})
    for server in (settings.smtp, settings.mailbox):
        assert (server.username, server.password.get_secret_value()) == ("bot@company.ru", "")
        assert (server.oauth.grant, server.oauth.token_url, server.oauth.client_id) == (grant, token_url, "app-1")
        assert server.oauth.client_secret.get_secret_value() == "s-1"
    assert settings.mailbox.host == imap


def test_init_writes_a_short_config_that_loads(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        *("12-34", "", "tom", "tom@company.ru"),  # human, admin: Enter takes nobody's address, a name is none
        *("Omsk", "", "", "Asia/Omsk"),  # no time zone: the group is asked again
        "not a token",  # refused: the group is asked again
        "123456789:AAEhBOweik6ad9r_QXMENQ",
        *("domain", "company.ru"),
        *("bot", "bot@company.ru", 's"ecret', "mail.company.ru:465", ""),
        *("support@company.ru", "", "", "", "mx.company.ru"),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    path = tmp_path / "config.toml"
    answer = imbot("init", str(path), "--no-check")
    assert answer.code == 0, answer.err
    assert "is not a bot token" in answer.out
    assert (
        "Open any letter in the bot's mailbox as source" in answer.out
    )  # and no host is proposed that no letter bears
    assert "mail [mail.company.ru]" not in answer.out
    assert "such as admin@company.ru" in answer.out
    assert answer.out.index("'bot' is not a mail address") < answer.out.index("Its password")
    assert "[bot]" not in answer.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = load(path, {})
    assert settings.smtp.password.get_secret_value() == 's"ecret'
    assert (settings.smtp.port, settings.smtp.tls) == (465, "tls")
    assert settings.general.timezone == "Asia/Omsk"
    assert settings.itsm.evidence.authserv_id == "mx.company.ru"
    assert (settings.mailbox.host, settings.itsm.senders) == ("mail.company.ru", ("support@company.ru",))
    assert imbot("init", str(path)).code == 1


def test_init_keeps_what_was_answered_and_asks_what_may_mend_a_failure(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    async def telegram(settings: Settings) -> str:
        tries.append(settings.telegram.token.get_secret_value())
        if len(tries) == 1:
            raise DeliveryError("Telegram: timed out")
        return "well"

    async def smtp(settings: Settings) -> str:
        if settings.smtp.tls != "none":
            raise DeliveryError("SMTP mx.company.ru:587: STARTTLS extension not supported by server.")
        return "well"

    async def well(_: Settings) -> str:
        return "well"

    async def signed(_: Settings) -> str:
        return "mx.company.ru"

    for name, question in (("telegram", telegram), ("smtp", smtp), ("directory", well), ("mailbox", well)):
        monkeypatch.setattr(cli_doctor, f"ask_{name}", question)
    monkeypatch.setattr(cli_origin, "signer_in_mailbox", signed)
    answers = [
        *("12-34", "", "tom@company.ru", ""),
        *("", "123456789:AAEhBOweik6ad9r_QXMENQ", "n", "", ""),  # kept, and no proxy
        *("domain", "company.ru"),
        *("bot@company.ru", "secret", "mx.company.ru", "", "нет", "n"),
        *("", "", "", "none", ""),
        *("bot@company.ru", "support@company.ru", "bot@company.ru", "", "glpy", "glpi", "", ""),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    answer = imbot("init", str(tmp_path / "config.toml"))
    assert answer.code == 0, answer.err
    assert "Servers are tried at once." in answer.out
    assert answer.out.count("An answer is needed here") == 2
    assert "'нет' is neither: answer y (yes) or n (no), Enter says n\n" in answer.out
    assert answer.out.count("[kept]") == 2
    assert "secret" not in answer.out
    assert answer.out.index("the bot's own mailbox: imbot would") < answer.out.index("The address its status letters")
    assert "'bot@company.ru' is the bot itself" in answer.out
    settings = load(tmp_path / "config.toml", {})
    assert tries == ["123456789:AAEhBOweik6ad9r_QXMENQ"] * 2
    assert (settings.smtp.tls, settings.smtp.port, settings.smtp.host) == ("none", 587, "mx.company.ru")
    assert (settings.mailbox.tls, settings.mailbox.password.get_secret_value()) == ("tls", "secret")
    assert (settings.itsm.profile, settings.itsm.evidence.authserv_id) == ("glpi", "mx.company.ru")


def test_init_keeps_the_application_of_a_mailbox_by_token(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def smtp(settings: Settings) -> str:
        if settings.smtp.port != 2525:
            raise DeliveryError("SMTP smtp.office365.com:587: timed out")
        return "well"

    async def well(_: Settings) -> str:
        return "well"

    for name, question in (("telegram", well), ("smtp", smtp), ("directory", well), ("mailbox", well)):
        monkeypatch.setattr(cli_doctor, f"ask_{name}", question)
    answers = [
        *("12-34", "tom@company.ru", "", "123456789:AAEhBOweik6ad9r_QXMENQ", "domain", "company.ru"),
        *("bot@company.ru", "", "y", "microsoft", "t-1", "app-1", "s-1", "", "", "n"),
        *("", "", "y", "", "", "", "", "smtp.office365.com:2525", "", ""),
        *("support@company.ru", "", "", "sender-only"),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    answer = imbot("init", str(tmp_path / "config.toml"))
    assert answer.code == 0, answer.out
    oauth = load(tmp_path / "config.toml", {}).smtp.oauth
    assert oauth.token_url == "https://login.microsoftonline.com/t-1/oauth2/v2.0/token"
    assert (oauth.client_id, oauth.client_secret.get_secret_value()) == ("app-1", "s-1")


def test_init_means_paths_from_the_configs_folder_and_offers_again_what_was_not_refused(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        *("12-34", "tom@company.ru", "", "123456789:AAEhBOweik6ad9r_QXMENQ", "file", "people.toml"),
        *("bot@company.ru", "secret", "mx.company.ru:99999", ""),  # no such port: the group is asked again
        *("", "secret", "", "imap.company.ru:994"),
        *("support@company.ru", "", "", "", "mx.company.ru"),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    answer = imbot("init", "etc/config.toml", "--no-check")
    assert answer.code == 0, answer.err
    assert "[smtp] port: 99999 is not a port" in answer.out
    settings = load(tmp_path / "etc" / "config.toml", {})
    assert settings.directory.file.path == str(tmp_path / "etc" / "people.toml")
    assert settings.itsm.bot_address == "bot@company.ru"
    assert (settings.smtp.host, settings.smtp.port, settings.mailbox.port) == ("mx.company.ru", 587, 994)


@pytest.mark.parametrize(
    ("answers", "problem", "found"),
    [
        (
            (
                "ldap",
                "dc1.company.ru",
                "cn=bot",
                "geheim",
                "dc=company",
                "NO ",
                "",
                "ldaps://dc1.company.ru",
                *[""] * 4,
            ),
            "[directory.ldap] uris: 'dc1.company.ru' is not an address such as ldaps://dc1.company.ru",
            {"uris": ("ldaps://dc1.company.ru",), "bind_dn": "cn=bot", "base": "dc=company", "disabled_bit": False},
        ),
        (
            ("ldap", "dc1", "cn=bot", "geheim", "dc=company", "", "domain", "company", "", "company.ru"),
            "[directory.domain] domains, entry 1: 'company' is not a domain such as company.ru",
            {},
        ),
    ],
)
def test_init_goes_on_where_an_answer_about_the_directory_makes_no_sense(
    imbot: Callable[..., Answer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: tuple[str, ...],
    problem: str,
    found: dict[str, object],
) -> None:
    before = ("12-34", "tom@company.ru", "", "123456789:AAEhBOweik6ad9r_QXMENQ")
    after = ("bot@company.ru", "secret", "mx.company.ru", "", "support@company.ru", "", "", "", "mx.company.ru")
    typed = "\n".join([*before, *answers, *after, ""])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    answer = imbot("init", str(tmp_path / "config.toml"), "--no-check")
    assert answer.code == 0, answer.err
    assert problem in answer.out
    directory = load(tmp_path / "config.toml", {}).directory
    assert {key: getattr(directory.ldap, key) for key in found} == found
    assert directory.ldap.bind_password.get_secret_value() == ("geheim" if found else "")
    assert directory.domain.domains == (() if found else ("company.ru",))


def test_init_asks_again_for_a_tenant_that_makes_no_sense(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        *("12-34", "tom@company.ru", "", "123456789:AAEhBOweik6ad9r_QXMENQ", "domain", "company.ru"),
        *("bot@company.ru", "", "y", "microsoft", "t\x01", "app-1", "s-1", "", ""),
        *("", "", "y", "microsoft", "t-1", "app-1", "s-1", "", ""),
        *("support@company.ru", "", "", "sender-only"),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*answers, ""]).encode())))
    answer = imbot("init", str(tmp_path / "config.toml"), "--no-check")
    assert answer.code == 0, answer.err
    assert "token_url: has a control character" in answer.out
    assert "/t-1/" in load(tmp_path / "config.toml", {}).smtp.oauth.token_url


@pytest.mark.parametrize("typed", ["", "12-34\n"])
def test_init_without_answers_writes_nothing_and_says_so(
    imbot: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    path = tmp_path / "config.toml"
    path.write_text("# kept", encoding="utf-8")
    answer = imbot("init", str(path), "--no-check", "--force")
    assert (answer.code, answer.err) == (1, "imbot: init: no answer, nothing was written\n")
    assert answer.out.endswith("\n")
    assert [one.read_text("utf-8") for one in tmp_path.iterdir()] == ["# kept"]
