"""What a config may say wrongly, and how each mistake is named."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from pathlib import Path

import pytest

from imbot import config, wiring
from imbot.config import checked, load
from imbot.domain.errors import ConfigError
from tests.config_files import SMALL, Write, problems

ROOT = Path(__file__).resolve().parent.parent
WRONG: tuple[object, ...] = (
    *(3, -1, 10**30, 1.5, float("nan"), float("inf"), True, "x", "", "https://[x", "9" * 5000, "\ud800"),
    *([], ["x"], [3], [[]], [{}], {}, {"x": 3}),
    *(date(2026, 1, 1), datetime(2026, 1, 1, 10), time(9)),
)  # fmt: skip


def test_every_mistake_is_named_at_once_with_its_place(write: Write) -> None:
    text = """
    [general]
    timezone = "Mars/Phobos"
    nmae = "x"
    admins = ["tom@company.ru", "nobody"]
    working_hours = { from = "9", to = "18:00" }
    [telegram]
    token = "abc"
    proxy = "ftp://user:geheim@host:1"
    [directory]
    kind = "ldap"
    [smpt]
    host = "a"
    [smtp]
    host = "a"
    port = 99999
    password = 12
    [mailbox]
    kind = "imapp"
    [itsm]
    senders = []
    """
    found = problems(write(text), {"IMBOT_SMPT__HOST": "b"})
    for expected in (
        "[general] timezone: 'Mars/Phobos' is not a time zone such as Europe/Moscow",
        "[general] nmae: there is no such key; did you mean name?",
        "[general] admins, entry 2: 'nobody' is not a mail address",
        "[general.working_hours] from: '9' is not a time such as 09:00",
        "[telegram] token: is not a bot token: copy the one that @BotFather gave, digits:letters",
        "[smtp] port: 99999 is not a port (1-65535)",
        "[smtp] password: is not text: write it in quotes",
        "[smpt]: there is no such section; did you mean smtp?",
        "[mailbox] kind: must be one of 'imap' or 'pop3'; did you mean imap?",
        "[mailbox] host: is missing",
        "[itsm] address: is missing",
        "[itsm] senders: must not be empty",
        "[itsm.evidence]: is missing",
        '[directory]: kind = "ldap" needs [directory.ldap] uris, [directory.ldap] base, [directory.ldap] bind_dn, '
        "[directory.ldap] bind_password",
        "IMBOT_SMPT__HOST in the environment: there is no such section; did you mean IMBOT_SMTP?",
    ):
        assert expected in found
    assert not any("geheim" in problem for problem in found)
    assert any(problem.startswith("[telegram] proxy: is not a proxy") for problem in found)


def test_what_stands_behind_another_mistake_is_named_at_once(write: Write, tmp_path: Path) -> None:
    text = """
    [general]
    catalogue = "nowhere.toml"
    locations = "places.toml"
    templates_dir = "own"
    [telegram]
    token = "123456789:AAEhBOweik6ad9r_QXMENQ"
    [directory]
    kind = "ldap"
    [directory.ldap]
    uris = ["ldap://dc1.company.ru"]
    bind_dn = "cn=bot"
    [smtp]
    host = "mail.company.ru"
    port = 99999
    username = "bot"
    [mailbox]
    host = "mail.company.ru"
    username = "bot"
    poll_seconds = 1
    [itsm]
    address = "bot@company.ru"
    senders = "support"
    bot_address = "bot@company.ru"
    [itsm.evidence]
    relays = 3
    """
    assert sorted(problems(write(text))) == sorted(
        [
            f"[general] catalogue: there is no file {tmp_path}/nowhere.toml",
            f"[general] locations: there is no file {tmp_path}/places.toml",
            f"[general] templates_dir: there is no folder {tmp_path}/own",
            "[directory.ldap]: ldap:// sends the password in plain text: use ldaps://, or starttls = true",
            '[directory]: kind = "ldap" needs [directory.ldap] base, [directory.ldap] bind_password',
            "[smtp] port: 99999 is not a port (1-65535)",
            "[smtp]: username and password go together: give both, or neither",
            "[mailbox] poll_seconds: must be at least 5",
            "[mailbox]: password is missing (or password_file, or the section oauth)",
            "[itsm] senders, entry 1: 'support' is not a mail address",
            "[itsm]: address and bot_address are the same mailbox: imbot would write to itself",
            "[itsm.evidence] relays: is not a list",
            '[itsm.evidence]: kind = "auth-results" needs authserv_id: the name your own mail server writes first in '
            "Authentication-Results",
        ]
    )


@pytest.mark.parametrize(
    ("old", "new", "near"),
    [
        (
            'kind = "domain"',
            'kind = "ldpa"',
            "[directory] kind: must be one of 'ldap', 'file' or 'domain'; did you mean ldap?",
        ),
        (
            "[smtp]",
            '[smtp]\ntls = "startls"',
            "[smtp] tls: must be one of 'tls', 'starttls' or 'none'; did you mean starttls?",
        ),
        (
            "[smtp]",
            '[general]\ntimezone = "Europe/Mosscow"\n[smtp]',
            "such as Europe/Moscow; did you mean Europe/Moscow?",
        ),
        ("[smtp]", '[general]\ntimezone = "Moscow"\n[smtp]', "such as Europe/Moscow; did you mean Europe/Moscow?"),
        ("[smtp]", '[general]\ntimezone = "MSK"\n[smtp]', "'MSK' is not a time zone such as Europe/Moscow"),
        ("[smtp]", '[general]\ntimezone = "GMT+3"\n[smtp]', "'GMT+3' is not a time zone such as Europe/Moscow"),
        ("[smtp]", '[general]\nlanguage = "rus"\n[smtp]', "imbot speaks: ru, en; did you mean ru?"),
    ],
)
def test_a_value_that_is_nearly_right_is_told_with_the_right_one(write: Write, old: str, new: str, near: str) -> None:
    (problem,) = problems(write(SMALL.replace(old, new)))
    assert problem.endswith(near)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_whatever_stands_where_it_cannot_is_told_in_our_words(wrong: object) -> None:
    for key in config.keys():  # noqa: SIM118  it is no dict
        tree = tomllib.loads(SMALL)
        *place, last = key.replace("*", "glpi").split(".")
        table = tree
        for name in place:
            table = table.setdefault(name, {})
        table[last] = wrong
        try:
            checked(tree)
        except ConfigError as error:
            said = " ".join(error.problems)
            assert not re.search(
                "Input should|Unable to|[Vv]alid |out of range|Datetimes|datetime|timezone-aware", said
            ), said


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ('"1.1.2026"', "entry 1: '1.1.2026' is not a day such as 2026-01-09"),
        ('"2026-02-30"', "entry 1: '2026-02-30' is not a day such as 2026-01-09"),
        ('"x"', "entry 1: 'x' is not a day such as 2026-01-09"),
        ("5", "entry 1: 5 is not a day such as 2026-01-09"),
        ("2026-01-01, 2026-01-02T10:00:00", "entry 2: 2026-01-02 10:00:00 is not a day such as 2026-01-09"),
    ],
)
def test_a_holiday_that_is_no_day_is_told_with_one(write: Write, days: str, says: str) -> None:
    text = SMALL + f"[general.working_hours]\nholidays = [{days}]\n"
    assert problems(write(text)) == [f"[general.working_hours] holidays, {says}"]


def test_holidays_may_be_dates_or_texts(write: Write) -> None:
    text = SMALL + '[general.working_hours]\nholidays = [2026-01-01, "2026-01-02"]\n'
    assert load(write(text), {}).general.working_hours.holidays == (date(2026, 1, 1), date(2026, 1, 2))


def test_a_profile_and_a_helpdesk_that_are_nearly_right_are_told_with_the_right_one(write: Write) -> None:
    text = SMALL.replace("[itsm]", '[itsm]\nprofile = "inframanger"')
    with pytest.raises(
        ConfigError, match=r"\[itsm\] profile: there is no 'inframanger'; .*; did you mean inframanager\?"
    ):
        wiring.env(load(write(text), {}), b"")
    assert problems(write(text.replace('host = "mail.company.ru"', "", 1)))[-1].endswith("; did you mean inframanager?")
    catalogue = '[[category]]\nkey = "it"\nlabel = "ИТ"\nbackend = "itms"\n'
    path = write(SMALL + '[general]\ncatalogue = "own.toml"\n', **{"own.toml": catalogue})
    with pytest.raises(ConfigError, match=r"there is no helpdesk 'itms'; there are itsm; did you mean itsm\?"):
        wiring.env(load(path, {}), b"")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[smtp]", '[smtp]\nusername = "bot"\npassword = 3'),
        ("[smtp]", '[smtp]\ntls = "ssl"'),
        ("[smtp]", '[general.working_hours]\nfrom = "19:00"\nto = "zz"\n[smtp]'),
        ('kind = "domain"', 'kind = "ladp"'),
        ('authserv_id = "mail.company.ru"', 'kind = "auth"'),
        ('authserv_id = "mail.company.ru"', "authserv_id = 3"),
        ('password = "secret"', "password = 3"),
        ('bot_address = "bot@company.ru"', 'bot_address = "bot"'),
        ("[smtp]", '[directory.ldap]\nstarttls = true\nuris = ["dc1.company.ru"]\n[smtp]'),
    ],
)
def test_nothing_is_said_that_only_a_stand_in_has_caused(write: Write, old: str, new: str) -> None:
    found = problems(write(SMALL.replace(old, new)))
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('bot_address = "bot@company.ru"', 'bot_address = "support@company.ru"', "imbot would write to itself"),
        ('senders = ["support@company.ru"', 'senders = ["bot@company.ru"', "must not name bot_address"),
        ('authserv_id = "mail.company.ru"', 'kind = "trusted-relay"', "needs relays"),
        ('authserv_id = "mail.company.ru"', "", "needs authserv_id"),
        ('password = "secret"', "", "password is missing"),
        ('authserv_id = "mail.company.ru"', 'authserv_id = "*"', "names strangers' servers as well"),
        ('authserv_id = "mail.company.ru"', 'authserv_id = "mx.*.ru"', "names strangers' servers as well"),
        ('authserv_id = "mail.company.ru"', 'authserv_id = "*.ru"', "names strangers' servers as well"),
        (
            'authserv_id = "mail.company.ru"',
            'kind = "trusted-relay"\nrelays = ["0.0.0.0/0"]\nown_hosts = [".company.ru"]',
            "0.0.0.0/0 names strangers' servers",
        ),
        (
            "[smtp]",
            '[smtp]\nhello_name = "bot\\r\\nMAIL FROM:<a@b.example>"',
            "[smtp] hello_name: has a control character in it",
        ),
        ("[smtp]", '[smtp]\nusername = "bot\\u0001auth=x"\npassword = "y"', "[smtp] username: has a control"),
        ('host = "mail.company.ru"\n[mailbox]', 'host = "mail\\ncompany.ru"\n[mailbox]', "[smtp] host: has a control"),
        (
            "[smtp]",
            '[general]\ndata_dir = ""\n[smtp]',
            "[general] data_dir: is empty: name the folder where imbot keeps",
        ),
        (
            "[smtp]",
            '[general]\ndata_dir = " "\n[smtp]',
            "[general] data_dir: is empty: name the folder where imbot keeps",
        ),
        (
            '[mailbox]\nhost = "mail',
            '[mailbox]\nhost = "mail\\r',
            "[mailbox] host: has a control character in it (U+000D, the 5.",
        ),
        ('username = "bot@company.ru"', 'username = "bot@company.ru\\u0001x"', "[mailbox] username: has a control"),
        ('password = "secret"', 'password = "secret\\r\\nDELE 1"', "[mailbox] password: has a control"),
        ("[mailbox]", '[mailbox]\nfolder = "A\\nB"', "[mailbox] folder: has a control character in it (U+000A"),
        ("[mailbox]", '[mailbox]\nprocessed_folder = "A\\u0085B"', "[mailbox] processed_folder: has a control"),
        (
            "[itsm.evidence]",
            'profile = "../../x"\n[itsm.evidence]',
            "[itsm] profile: '../../x' cannot be the name of a profile",
        ),
        ("[itsm.evidence]", 'profile = ".hidden"\n[itsm.evidence]', "a-z, 0-9, dot, _ and -, and no dot in front"),
        ("[itsm.evidence]", 'profile = "a/b"\n[itsm.evidence]', "[itsm] profile: 'a/b' cannot"),
        ("[mailbox]", '[mailbox]\nkind = "pop3"\nfolder = "X"', "POP3 knows no folders"),
        ("[mailbox]", "[mailbox]\ndelete_after_days = 3", "delete_after_days is for POP3"),
        ("[smtp]", '[smtp]\nusername = "bot"', "username and password go together"),
        ('bot_address = "bot@', 'from_mode = "plus"\nbot_address = "bot+x@', "which has a + already"),
        ("[telegram]", "[files]\nmax_bytes = 30000000\n[telegram]", "[files] max_bytes: Telegram hands at most 20 MB"),
        ('domains = ["company.ru"]', 'domains = ["company"]', "is not a domain such as company.ru"),
        ('domains = ["company.ru"]', 'domains = ["фирма..рф"]', "'фирма..рф' is not a domain such as company.ru"),
        ("[smtp]", '[server]\nlisten = "9090"\n[smtp]', "is not a place to listen"),
        ("[smtp]", '[files]\nrefused_types = ["a b"]\n[smtp]', "is not a file extension"),
        ("[smtp]", '[general.working_hours]\nfrom = "19:00"\n[smtp]', "there is no working time"),
        ("[smtp]", '[directory.ldap]\nuris = ["ldap://dc"]\n[smtp]', "in plain text"),
        (
            "[smtp]",
            '[directory.ldap]\nuris = ["ldaps://dc:66000"]\n[smtp]',
            "'ldaps://dc:66000' is not an address such as",
        ),
        ("[smtp]", '[directory.ldap]\nuris = ["ldaps://[dc"]\n[smtp]', "'ldaps://[dc' is not an address such as"),
        ("[smtp]", '[directory.ldap]\nfilter = "(mail=x)"\n[smtp]', "must bear {address}"),
    ],
)
def test_what_contradicts_itself_is_refused(write: Write, old: str, new: str, says: str) -> None:
    text = SMALL.replace(old, new)
    assert text != SMALL
    assert any(says in problem for problem in problems(write(text)))


def test_files_that_run_or_lead_elsewhere_when_they_are_opened_are_refused_unless_told_otherwise(write: Write) -> None:
    refused = set(load(write(), {}).files.refused_types)
    assert refused >= {
        "url",
        "library-ms",
        "settingcontent-ms",
        "chm",
        "xll",
        "vhd",
        "vhdx",
        "msix",
        "appref-ms",
        "scf",
    }
    assert refused >= {
        "msc",
        "jnlp",
        "application",
        "sct",
        "wsc",
        "vb",
        "py",
        "pyw",
        "cab",
        "msu",
        "diagcab",
        "inf",
        "job",
    }
    assert refused >= {
        "gadget",
        "iqy",
        "slk",
        "mde",
        "accde",
        "ps1xml",
        "psm1",
        "search-ms",
        "website",
        "rdp",
        "command",
    }
    assert refused >= {"dmg", "pkg", "ade", "shb", "xbap", "desktop", "webloc"}
    office = {
        "doc",
        "docx",
        "docm",
        "xls",
        "xlsx",
        "xlsm",
        "ppt",
        "pptx",
        "odt",
        "ods",
        "rtf",
        "csv",
        "pdf",
        "vsdx",
        "one",
    }
    assert not refused & office
    assert not refused & {
        "zip",
        "7z",
        "rar",
        "gz",
        "log",
        "txt",
        "eml",
        "msg",
        "png",
        "jpg",
        "heic",
        "mp4",
        "cer",
        "xml",
    }
