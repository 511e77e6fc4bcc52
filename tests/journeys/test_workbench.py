"""What an admin decides about letters, beside the running service: the commands are processes of their own, as in life."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.journeys.office import ANNA, Office
from tests.journeys.test_side_ways import registered

pytestmark = pytest.mark.servers


async def command(office: Office, *arguments: str) -> str:
    config = ("--config", str(office.folder / "config.toml"))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "imbot.cli", "mail", "quarantine", *arguments, *config,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await child.communicate()
    assert child.returncode == 0, out.decode()
    return out.decode()


async def set_aside(office: Office, count: int) -> list[dict[str, object]]:
    """The letters in quarantine, once there are so many."""
    async with asyncio.timeout(30):
        while (
            len(rows := [json.loads(line) for line in (await command(office, "list", "--json")).splitlines()]) < count
        ):
            pass
        return rows


async def test_a_forged_letter_waits_for_an_admin_who_can_bind_it_beside_the_running_service(office: Office) -> None:
    async with office.running():
        letter = await registered(office)
        await office.itsm_says("done", letter, "Заменён картридж", evidence=False)
        (row,) = await set_aside(office, 1)
        page = await command(office, "show", str(row["id"]))
        assert "Origin: NOT believed by auth-results" in page
        assert "were it believed, it would be about IM-CL-1042" in page
        assert not any("картридж" in str(message.get("text")) for message in office.bot_messages(ANNA))
        bound = await command(office, "bind", str(row["id"]), "IM-CL-1042")
        assert f"{row['id']}: applied: by hand: " in bound
        await office.said(ANNA, "Заменён картридж", "выполнена")  # a commit of another process: found by the next look
        assert await set_aside(office, 0) == []


async def test_letters_set_aside_are_told_once_they_are_read_again_under_mended_settings(office: Office) -> None:
    async with office.running():
        letter = await registered(office)
        await office.itsm_says("start", letter, evidence=False)
        await office.itsm_says("done", letter, "Заменён картридж", evidence=False)
        await set_aside(office, 2)
        config = office.folder / "config.toml"
        text = config.read_text("utf-8")
        assert 'kind = "auth-results"' in text
        config.write_text(text.replace('kind = "auth-results"', 'kind = "sender-only"'), "utf-8")
        said = await command(office, "replay", "--all")
        assert said.endswith("2 applied\n")
        office.api.say(ANNA, "/help")
        await office.said(ANNA, "Заменён картридж", "выполнена")
        told = [message for message in office.bot_messages(ANNA) if "поставьте оценку" in str(message.get("text"))]
        assert len(told) == 1
