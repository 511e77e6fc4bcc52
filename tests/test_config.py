"""Settings: where they may come from, and that every mistake is named in the words of an admin."""

from __future__ import annotations

import re
import tomllib
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot import config, config_sections, wiring
from imbot.config import Settings, checked, load, packed, warnings
from imbot.domain.errors import ConfigError
from imbot.mime import ReadLimits
from tests.config_files import SMALL, Write, problems

ROOT = Path(__file__).resolve().parent.parent


def test_a_short_config_is_enough_and_the_rest_has_defaults(write: Write, tmp_path: Path) -> None:
    settings = load(write(), {})
    assert (settings.smtp.port, settings.smtp.tls, settings.mailbox.port) == (587, "starttls", 993)
    assert settings.general.data_dir == tmp_path / "data" / "var"
    assert settings.itsm.evidence.kind == "auth-results"
    assert (settings.files.max_bytes, settings.signin.tries, settings.retention.photos_days) == (20971520, 5, 180)


def test_ports_follow_protocol_and_encryption(write: Write) -> None:
    text = SMALL.replace("[mailbox]\n", '[mailbox]\nkind = "pop3"\ntls = "starttls"\n')
    settings = load(write(text.replace("[smtp]\n", '[smtp]\ntls = "tls"\n')), {})
    assert (settings.mailbox.port, settings.smtp.port) == (110, 465)


def test_the_environment_wins_over_the_file_and_lists_may_be_words(write: Write) -> None:
    settings = load(
        write(),
        {
            "IMBOT_SMTP__HOST": "relay",
            "IMBOT_SMTP__PORT": "2525",
            "IMBOT_SMTP__USERNAME": "bot",
            "IMBOT_SMTP__PASSWORD": "0123",
            "IMBOT_GENERAL__ADMINS": "tom@company.ru, anna@company.ru",
            "IMBOT_DIRECTORY__DOMAIN__DOMAINS": '["a.ru", "b.ru"]',
            "IMBOT_GENERAL__WORKING_HOURS__FROM": "08:30",
            "IMBOT_MAILBOX__IDLE": "false",
        },
    )
    assert (settings.smtp.host, settings.smtp.port) == ("relay", 2525)
    assert settings.smtp.password.get_secret_value() == "0123"
    assert settings.general.admins == ("tom@company.ru", "anna@company.ru")
    assert settings.directory.domain.domains == ("a.ru", "b.ru")
    assert str(settings.general.working_hours.start) == "08:30:00"
    assert settings.mailbox.idle is False


def test_work_may_go_on_around_the_clock(write: Write) -> None:
    always = '[general.working_hours]\ndays = [1, 2, 3, 4, 5, 6, 7]\nfrom = "00:00"\nto = "24:00"\n[smtp]'
    settings = load(write(SMALL.replace("[smtp]", always)), {})
    assert (settings.general.working_hours.start, settings.general.working_hours.end) == (time(0), time(0))


def test_a_misspelt_variable_is_not_passed_over(write: Write) -> None:
    says = "[smtp] hots: there is no such key; did you mean host? (from the environment: IMBOT_SMTP__HOTS)"
    assert problems(write(), {"IMBOT_SMTP__HOTS": "x"}) == [says]


def test_a_wrong_value_that_is_not_in_the_config_is_told_with_where_it_is_from(write: Write, tmp_path: Path) -> None:
    (tmp_path / "telegram__token").write_text("abc")
    environ = {
        "IMBOT_SECRETS_DIR": str(tmp_path),
        "IMBOT_GENERAL__PAGE_SIZE": "zz",
        "IMBOT_GENERAL__WORKING_HOURS__FROM": "9",
        "imbot_itsm__senders": "support",
    }
    text = SMALL.replace('password = "secret"', 'password_file = "mail.secret"').replace(
        "[itsm]", "[itsm]\nfrom_mode = 1"
    )
    found = problems(write(text, **{"mail.secret": "se\ncret"}), environ)
    for says in (
        "[general] page_size: is not a whole number (from the environment: IMBOT_GENERAL__PAGE_SIZE)",
        "[general.working_hours] from: '9' is not a time such as 09:00 (from the environment: "
        "IMBOT_GENERAL__WORKING_HOURS__FROM)",
        "[telegram] token: is not a bot token: copy the one that @BotFather gave, digits:letters (from the file "
        f"{tmp_path}/telegram__token)",
        "[itsm] senders, entry 1: 'support' is not a mail address (from the environment: imbot_itsm__senders)",
        "[itsm] from_mode: must be one of 'bot', 'plus' or 'employee'",
    ):
        assert says in found
    control = next(one for one in found if one.startswith("[mailbox] password: has a control"))
    assert control.endswith(f" (from the file {tmp_path}/mail.secret)")


def test_a_list_whose_only_entry_is_wrong_is_not_called_empty(write: Write) -> None:
    text = SMALL.replace('senders = ["support@company.ru", "*@itsm.company.ru"]', 'senders = "support"')
    assert problems(write(text)) == ["[itsm] senders, entry 1: 'support' is not a mail address"]


def test_secrets_come_from_files(write: Write, tmp_path: Path) -> None:
    text = SMALL.replace('password = "secret"', 'password_file = "mail.secret"')
    secrets = tmp_path / "credentials"
    secrets.mkdir()
    (secrets / "telegram__token").write_text("987654321:BBEhBOweik6ad9r_QXMENQ\n")
    settings = load(write(text, **{"mail.secret": "s3cret\n"}), {"CREDENTIALS_DIRECTORY": str(secrets)})
    assert settings.mailbox.password.get_secret_value() == "s3cret"
    assert settings.telegram.token.get_secret_value() == "987654321:BBEhBOweik6ad9r_QXMENQ"


def test_a_folder_of_secrets_that_is_not_there_and_a_misnamed_secret_are_named(write: Write, tmp_path: Path) -> None:
    assert problems(write(), {"IMBOT_SECRETS_DIR": str(tmp_path / "nowhere")}) == [
        f"IMBOT_SECRETS_DIR: {tmp_path / 'nowhere'} cannot be read (No such file or directory)"
    ]
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "telegram_token").write_text("987654321:BBEhBOweik6ad9r_QXMENQ\n")
    (secrets / "ca.pem").write_text("somebody else's\n")
    assert problems(write(), {"IMBOT_SECRETS_DIR": str(secrets)}) == [
        f"{secrets / 'telegram_token'} is no secret that imbot knows; did you mean telegram__token?"
    ]


def test_a_server_without_a_name_is_no_server(write: Write) -> None:
    wrong = re.sub('host = "[^"]*"', 'host = ""', SMALL)
    assert {"[smtp] host: is empty: name the server", "[mailbox] host: is empty: name the server"} <= set(
        problems(write(wrong))
    )


def test_a_secret_file_that_is_missing_or_doubled_is_named(write: Write) -> None:
    missing = problems(write(SMALL.replace('password = "secret"', 'password_file = "nowhere"')))
    assert "[mailbox] password_file: nowhere cannot be read (No such file or directory)" in missing
    doubled = problems(write(SMALL.replace('password = "secret"', 'password = "a"\npassword_file = "b"')))
    assert doubled == ["[mailbox] password_file: password is given as well; keep one of them"]


def test_a_file_that_is_missing_or_no_toml_is_said_so(write: Write, tmp_path: Path) -> None:
    assert "does not exist" in problems(tmp_path / "nowhere.toml")[0]
    assert "is not TOML" in problems(write("[smtp\n"))[0]


def test_a_file_of_an_editor_that_puts_a_mark_in_front_or_ends_lines_otherwise_is_read(
    write: Write, tmp_path: Path
) -> None:
    path = write(SMALL.replace('password = "secret"', 'password_file = "mail.secret"'))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "mail.secret").write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    (tmp_path / "telegram__token").write_bytes(b"\xef\xbb\xbf987654321:BBEhBOweik6ad9r_QXMENQ\r\n")
    settings = load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert settings.mailbox.password.get_secret_value() == "s3cret"
    assert settings.telegram.token.get_secret_value() == "987654321:BBEhBOweik6ad9r_QXMENQ"


def test_a_file_in_another_encoding_is_told_where_and_what_to_do(write: Write) -> None:
    path = write()
    path.write_bytes(SMALL.replace("[smtp]", "# Почта\n[smtp]").encode("cp1251"))
    assert problems(path) == [f"{path} is not UTF-8 (byte 0xCF at line 8): save it as UTF-8"]
    path.write_text(SMALL, "utf-16")
    assert problems(path) == [f"{path} is not UTF-8 (byte 0xFF at line 1): save it as UTF-8"]


def test_paths_are_meant_from_the_folder_of_the_config(write: Write, tmp_path: Path) -> None:
    text = SMALL + '[general]\ntemplates_dir = "own"\ncatalogue = "/etc/imbot/catalogue.toml"\n'
    settings = load(write(text), {})
    assert settings.general.templates_dir == str(tmp_path / "own")
    assert settings.general.catalogue == "/etc/imbot/catalogue.toml"


def test_a_command_is_told_where_the_settings_are_unless_it_finds_them(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    assert load(path, {}).config_option == f" --config {path}"
    assert load(None, {"IMBOT_CONFIG": str(path)}).config_option == f" --config {path}"
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).config_option == checked(tomllib.loads(SMALL)).config_option == ""


def test_secrets_never_show_and_nothing_changes_after_loading(write: Write) -> None:
    settings = load(
        write(SMALL + '[general]\nname = "x"\n'), {"IMBOT_TELEGRAM__PROXY": "socks5://u:pa55word@host:1080"}
    )
    assert "pa55word" not in repr(settings)
    assert "AAEhBO" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.smtp.host = "other"


def test_plain_settings_read_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBOT_SMTP__HOST", "elsewhere")
    assert Settings(**tomllib.loads(SMALL)).smtp.host == "mail.company.ru"


def test_what_is_allowed_but_dangerous_is_said(write: Write) -> None:
    text = SMALL.replace('authserv_id = "mail.company.ru"', 'kind = "sender-only"').replace(
        "[itsm]\n", '[itsm]\nfrom_mode = "employee"\n'
    )
    found = " ".join(warnings(load(write(text.replace("[mailbox]\n", '[mailbox]\ntls = "none"\n')), {})))
    for word in ("sender-only", 'kind = "domain"', "employee", "travel in the clear", "support_contact"):
        assert word in found


def test_the_example_loads_and_names_every_key(tmp_path: Path) -> None:
    example = ROOT / "config.example.toml"
    settings = load(example, {})
    assert settings.itsm.profile == "inframanager"
    text = re.sub(r"(?m)^# (?=\[backends\.|\w+ = )", "", example.read_text(encoding="utf-8"))
    named: set[str] = set()

    def walk(table: dict[str, Any], prefix: str) -> None:
        for key, value in table.items():
            name = f"{prefix}{key}"
            open_table = name in {"directory.ldap.roles", "directory.ldap.attributes.extra"}
            if isinstance(value, dict) and not open_table:
                walk(value, f"{name}.")
            else:
                named.add(name)

    walk(tomllib.loads(text), "")
    of_mailbox = "backends.*.mailbox."  # the same as those of [mailbox], and not said again
    wanted = {key for key in config.keys() if not key.startswith(of_mailbox)}  # noqa: SIM118  it is no dict
    assert {key.removeprefix(of_mailbox) for key in config.keys() if key.startswith(of_mailbox)} == {  # noqa: SIM118
        key.removeprefix("mailbox.") for key in wanted if key.startswith("mailbox.")
    }
    assert {key.replace("backends.glpi.", "backends.*.") for key in named} == wanted


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    """Who copies the whole example must not change anything unawares."""
    example = load(ROOT / "config.example.toml", {})
    for name in ("signin", "files", "retention", "reading", "server"):
        assert getattr(example, name) == type(getattr(example, name))()
    assert example.general.working_hours == config_sections.WorkingHours()
    assert example.general.night == config_sections.Night()


def test_the_example_of_an_address_ends_as_one_of_the_company_does(write: Write) -> None:
    assert wiring.env(load(write(), {}), b"").dialog.domains_hint == "company.ru"
    other = load(write(SMALL.replace('bot_address = "bot@company.ru"', 'bot_address = "bot@helpdesk.company.ru"')), {})
    assert wiring.env(other, b"").dialog.domains_hint == "company.ru"


def test_all_endings_of_work_addresses_can_be_named_for_any_directory(write: Write) -> None:
    persons = SMALL.replace('kind = "domain"', 'kind = "file"').replace(
        '[directory.domain]\ndomains = ["company.ru"]', ""
    )
    persons = persons.replace('kind = "file"', 'kind = "file"\n[directory.file]\npath = "persons.toml"')
    assert wiring.env(load(write(persons), {}), b"").dialog.domains == ()
    named = load(write(persons + '[signin]\ndomains = ["@Firm.ru", "company.ru"]\n'), {})
    assert wiring.env(named, b"").dialog.domains == ("firm.ru", "company.ru")


def test_the_bounds_of_reading_reach_the_reader_and_the_mailbox(write: Write) -> None:
    assert wiring.read_limits(load(write(), {})) == ReadLimits()
    text = (
        SMALL
        + """
    [reading]
    max_bytes = 1000000
    max_parts = 7
    max_depth = 6
    max_headers = 500
    max_header_bytes = 4000
    """
    )
    settings = load(write(text), {})
    assert wiring.read_limits(settings) == ReadLimits(1_000_000, 7, 6, 500, 4000)
    assert (settings.reading.cpu_seconds, settings.reading.wall_seconds, settings.reading.memory_mb) == (10, 20.0, 512)
    assert problems(write(SMALL + "[reading]\nmax_parts = 0\nmemory_mb = 1\n")) == [
        "[reading] max_parts: 0 is too small: at least 1 is needed",
        "[reading] memory_mb: must be at least 128",
    ]


def test_what_is_shipped_is_found_in_the_checkout() -> None:
    assert (packed("data") / "directory.example.toml").is_file()
    assert (packed("templates") / "mail").is_dir()


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load(path, {})
