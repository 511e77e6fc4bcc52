"""Settings of further helpdesks, each with what is its own, and of tokens that stand for passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from imbot import wiring
from imbot.config import load, warnings
from imbot.domain.errors import ConfigError
from tests.config_files import SMALL, Write, problems

SECOND = """
[backends.glpi]
address = "glpi@company.ru"
profile = "glpi"
senders = ["glpi@company.ru"]
[backends.glpi.evidence]
authserv_id = "mx.glpi.company.ru"
"""
OWN_MAILBOX = """
[backends.glpi.mailbox]
host = "mail.company.ru"
username = "glpi-bot@company.ru"
password_file = "glpi.secret"
ca_file = "own.crt"
"""


def test_a_further_helpdesk_has_the_keys_of_the_first_and_its_address_of_the_bot(write: Write) -> None:
    settings = load(write(SMALL + SECOND), {"IMBOT_BACKENDS__GLPI__BOT_NAME": "Заявки"})
    assert list(settings.helpdesks()) == ["itsm", "backends.glpi"]
    desk = settings.helpdesks()["backends.glpi"]
    assert (desk.bot_address, desk.bot_name, desk.evidence.authserv_id) == (
        "bot@company.ru",
        "Заявки",
        "mx.glpi.company.ru",
    )
    assert list(settings.mailboxes()) == ["mailbox"]


def test_a_further_helpdesk_may_have_a_mailbox_with_secrets_and_paths_of_its_own(write: Write, tmp_path: Path) -> None:
    text = SMALL + SECOND.replace("[backends.glpi.ev", 'bot_address = "glpi-bot@company.ru"\n[backends.glpi.ev')
    box = load(write(text + OWN_MAILBOX, **{"glpi.secret": "s3cret\n"}), {}).mailboxes()["backends.glpi.mailbox"]
    assert (box.password.get_secret_value(), box.ca_file) == ("s3cret", str(tmp_path / "own.crt"))
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "backends__glpi__mailbox__password").write_text("other")
    plain = text + OWN_MAILBOX.replace('password_file = "glpi.secret"', "")
    box = load(write(plain), {"CREDENTIALS_DIRECTORY": str(folder)}).mailboxes()["backends.glpi.mailbox"]
    assert box.password.get_secret_value() == "other"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'senders = ["glpi@company.ru"]',
            'senders = ["support@company.ru"]',
            "[backends.glpi] senders: support@company.ru speaks for [itsm] as well (support@company.ru)",
        ),
        (
            'senders = ["glpi@company.ru"]',
            'senders = ["x@itsm.company.ru"]',
            "[backends.glpi] senders: x@itsm.company.ru speaks for [itsm] as well (*@itsm.company.ru)",
        ),
        (
            'senders = ["glpi@company.ru"]',
            'senders = ["*@company.ru"]',
            "[backends.glpi] senders: *@company.ru speaks for [itsm] as well (support@company.ru)",
        ),
        ("backends.glpi", "backends.desk", "[backends.desk]: 'desk' cannot be its name"),
        ("backends.glpi", "backends.G_L", "[backends.G_L]: 'G_L' cannot be its name"),
        ('address = "glpi@', 'address = "bot@', "[backends.glpi]: address and bot_address are the same mailbox"),
        (
            'profile = "glpi"',
            'porfile = "glpi"',
            "[backends.glpi] porfile: there is no such key; did you mean profile?",
        ),
        ('authserv_id = "mx.glpi.company.ru"', "", '[backends.glpi.evidence]: kind = "auth-results" needs authserv_id'),
        ("[backends.glpi.evidence]", "[backends.glpi.mailbox]", "[backends.glpi.evidence]: is missing"),
        (
            "[backends.glpi.evidence]",
            OWN_MAILBOX.replace('password_file = "glpi.secret"', 'password = "x"') + "[backends.glpi.evidence]",
            "[backends.glpi]: bot_address is missing: its letters are to arrive in [backends.glpi.mailbox]",
        ),
    ],
)
def test_helpdesks_that_contradict_one_another_are_refused(write: Write, old: str, new: str, says: str) -> None:
    text = SECOND.replace(old, new)
    assert text != SECOND
    assert any(problem.startswith(says) for problem in problems(write(SMALL + text)))


def test_what_is_wrong_with_helpdesks_is_told_in_one_round(write: Write) -> None:
    building = """
[backends.building]
address = "building@company.ru"
profile = "no-such"
senders = ["glpi@company.ru"]
"""
    text = SMALL + SECOND.replace('authserv_id = "mx.glpi.company.ru"', "") + building
    assert [one.partition("; there are")[0].partition(" needs ")[0] for one in problems(write(text))] == [
        '[backends.glpi.evidence]: kind = "auth-results"',
        "[backends.building.evidence]: is missing",
        "[backends.building] senders: glpi@company.ru speaks for [backends.glpi] as well (glpi@company.ru): one sender, "
        "one helpdesk",
        "[backends.building] profile: there is no 'no-such'",
    ]
    whole = building + '[backends.building.evidence]\nauthserv_id = "mx.company.ru"\n'
    assert len(problems(write(SMALL + SECOND + whole))) == 2


def test_a_section_with_a_name_in_cyrillic_is_told_how_to_write_it(write: Write) -> None:
    (told,) = problems(write(SMALL + SECOND.replace("backends.glpi]", "backends.Здание]")))
    assert told.endswith("the name in [backends.Здание] must be written in Latin letters, as in [backends.building]")


def test_one_folder_has_one_reader(write: Write) -> None:
    text = OWN_MAILBOX.replace('password_file = "glpi.secret"', 'password = "x"').replace("glpi-bot@", "bot@")
    text = SECOND.replace("[backends.glpi.ev", 'bot_address = "glpi-bot@company.ru"\n[backends.glpi.ev') + text
    assert problems(write(SMALL + text)) == [
        "[backends.glpi.mailbox] is the same folder as [mailbox]: leave one of the two out"
    ]


def test_what_is_dangerous_is_said_of_each_helpdesk(write: Write) -> None:
    text = SECOND.replace('authserv_id = "mx.glpi.company.ru"', 'kind = "sender-only"')
    found = warnings(load(write(SMALL + text), {}))
    assert any(text.startswith('[backends.glpi.evidence] kind = "sender-only"') for text in found)


TOKEN = """
[mailbox.oauth]
token_url = "https://login.example/token"
client_id = "imbot"
client_secret_file = "app.secret"
"""


def test_a_token_stands_for_the_password(write: Write) -> None:
    plain = SMALL.replace('password = "secret"\n', "")
    oauth = load(write(plain + TOKEN, **{"app.secret": "geheim\n"}), {}).mailbox.oauth
    assert (oauth.on, oauth.client_secret.get_secret_value(), oauth.grant) == (True, "geheim", "client_credentials")
    assert "geheim" not in repr(oauth)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('client_secret_file = "app.secret"', "", 'grant = "client_credentials" needs client_secret'),
        ('client_secret_file = "app.secret"', 'grant = "refresh_token"', 'grant = "refresh_token" needs refresh_token'),
        ("https://login.example", "http://login.example", "is not an address that begins with https://"),
        ('token_url = "https://login.example/token"', "", "token_url is missing"),
        ('client_secret_file = "app.secret"', 'client_secret = "a"', "two ways to sign in: keep one of them"),
    ],
)
def test_a_token_that_cannot_be_had_is_refused(write: Write, old: str, new: str, says: str) -> None:
    text = TOKEN.replace(old, new)
    assert text != TOKEN
    assert any(says in problem for problem in problems(write(SMALL + text)))


def test_a_catalogue_that_names_no_helpdesk_is_refused_with_every_mistake_at_once(write: Write, tmp_path: Path) -> None:
    catalogue = """
    [[category]]
    key = "it"
    label = "IT"
    backend = "gpli"
    [[category.sub]]
    key = "a"
    label = "A"
    backend = "inframanager"
    [[category.sub]]
    key = "b"
    label = "B"
    backend = "glpi"
    """
    text = SMALL + SECOND.replace('profile = "glpi"', 'profile = "glpy"') + '[general]\ncatalogue = "own.toml"\n'
    settings = load(write(text, **{"own.toml": catalogue}), {})
    with pytest.raises(ConfigError) as caught:
        wiring.env(settings, b"")
    assert [problem.partition("; there are")[0] for problem in caught.value.problems] == [
        "[backends.glpi] profile: there is no 'glpy'",
        "catalogue: category 'it': there is no helpdesk 'gpli'",
        "catalogue: kind 'a': there is no helpdesk 'inframanager'",
    ]


def test_each_helpdesk_is_built_with_what_is_its_own(write: Write) -> None:
    text = SECOND.replace('profile = "glpi"', 'profile = "glpi"\nlanguage = "en"\ncomplaints_to = "boss@company.ru"')
    env = wiring.env(load(write(SMALL + text), {}), b"")
    first, second = env.backends["itsm"], env.backends["glpi"]
    assert env.default_backend == "itsm"
    assert (first.profile.name, first.profile.language, first.to) == ("inframanager", "ru", "support@company.ru")
    assert (second.profile.name, second.profile.language, second.to) == ("glpi", "en", "glpi@company.ru")
    assert (second.name, second.sender, second.complaints_to) == ("glpi", "bot@company.ru", "boss@company.ru")
    assert (second.profile.senders, second.evidence.authserv_id) == (("glpi@company.ru",), "mx.glpi.company.ru")
    assert first.mailbox == second.mailbox
