"""imbot's config file for the demo: the same keys as in production, pointing at the loopback servers. Pure."""

from __future__ import annotations

import json
from pathlib import Path

from imbot.demo.cast import AUTHSERV_ID, BOT_ADDRESS, DOMAIN, ITSM_ADDRESS, MX_HOST, PLAYERS, TIMEZONE

_TEMPLATE = """\
[general]
name = "imbot"
language = "ru"
timezone = "{timezone}"
data_dir = {data_dir}
support_contact = "00-11"
admins = {admins}
log_level = "warning"

[general.working_hours]  # always: whoever plays on a Sunday wants to see silence noticed as well
days = [1, 2, 3, 4, 5, 6, 7]
from = "00:00"
to = "24:00"

[general.night]  # none: whoever plays at night wants to hear it
from = "00:00"
to = "00:00"

[telegram]
token = {token}
api_base = {telegram_url}

[files]
reserve_bytes = 50_000_000

[directory]
kind = "file"

[directory.file]
path = {directory}

[signin]
domains = ["{domain}"]

[smtp]
host = "127.0.0.1"
port = {smtp_port}
tls = "none"
username = "{bot}"
password = {password}

[mailbox]
kind = "imap"
host = "127.0.0.1"
port = {imap_port}
tls = "none"
username = "{bot}"
password = {password}
poll_seconds = 15
start = "all"

[itsm]
address = "{itsm}"
profile = "inframanager"
senders = ["{itsm}"]
bot_address = "{bot}"
bot_name = "imbot"

[itsm.evidence]
kind = "auth-results"
authserv_id = "{authserv_id}"
own_hosts = ["{mx}"]
"""


def config_toml(
    *, data_dir: Path, directory: Path, telegram_url: str, token: str, smtp_port: int, imap_port: int, password: str
) -> str:
    """The text of config.toml. JSON's strings are TOML's basic strings for the values that occur here."""
    return _TEMPLATE.format(
        data_dir=_quoted(str(data_dir)),
        directory=_quoted(str(directory)),
        telegram_url=_quoted(telegram_url),
        token=_quoted(token),
        smtp_port=smtp_port,
        imap_port=imap_port,
        password=_quoted(password),
        admins=_quoted([player.address for player in PLAYERS if player.role == "admin"]),
        domain=DOMAIN,
        bot=BOT_ADDRESS,
        itsm=ITSM_ADDRESS,
        authserv_id=AUTHSERV_ID,
        mx=MX_HOST,
        timezone=TIMEZONE,
    )


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
