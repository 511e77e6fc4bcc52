"""What letters show of their origin: the name that `imbot init` proposes, and the proof that `imbot doctor` names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from imbot.cli_origin import signer_in_mailbox
from imbot.config import load
from tests.cli_desk import DONE, Desk
from tests.cli_desk import desk as desk
from tests.journeys.office import open_office
from tests.servers import Certificates, Dovecot, Slapd


def test_a_helpdesk_is_proven_by_a_letter_that_would_be_believed_today(desk: Desk) -> None:
    def helpdesk() -> tuple[str, str]:
        leg = next(row for row in desk("doctor", "--json").rows if row["leg"] == "helpdesk")
        return leg["state"], leg["says"].rpartition(", ")[2] if leg["state"] == "well" else leg["hint"]

    unproven = "unproven: none of its letters was believed by that yet; try `imbot doctor --round-trip`"
    assert helpdesk() == ("note", unproven)
    letter = desk.came(DONE)
    assert helpdesk() == ("well", f"as letter {letter} shows")
    config = desk.folder / "config.toml"
    config.write_text(config.read_text("utf-8").replace("mx.company.ru", "mx2.company.ru"), "utf-8")
    assert helpdesk() == ("note", unproven)


@pytest.mark.servers
async def test_the_newest_letters_tell_how_our_mail_server_signs(
    tmp_path: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates
) -> None:
    async with open_office(tmp_path, dovecot, slapd, certificates) as office:
        text = office.write_config().read_text("utf-8").replace('start = "all"', "")
        (tmp_path / "config.toml").write_text(text, "utf-8")
        settings = load(tmp_path / "config.toml", {})
        assert await signer_in_mailbox(settings) == ""
        letter = b"Authentication-Results: mail.company.ru; none\r\nFrom: a@b.example\r\n\r\nx\r\n"
        await asyncio.to_thread(office.dovecot.deliver, office.bot, letter)
        assert await signer_in_mailbox(settings) == "mail.company.ru"
