"""A death in the middle of a letter: what the server has then."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from tests.smtp_server import SmtpServer

KILLED = """
import sys
from imbot import event_loop
from imbot.mailbox.smtp import Smtp, SmtpSettings
async def main():
    smtp = Smtp(SmtpSettings("127.0.0.1", int(sys.argv[1]), tls="none", hello_name="bot.example.test"))
    await smtp.send("bot@example.test", ["itsm@example.test"], b"Subject: a\\r\\n\\r\\nb\\r\\n")
event_loop.run(main())
"""


@pytest.mark.parametrize("pipelining", [False, True], ids=["one by one", "pipelined"])
@pytest.mark.parametrize(("failpoint", "arrived"), [("smtp_mid_data", 0), ("smtp_250", 1), ("smtp_250:2", 1)])
async def test_failpoints_kill_before_and_after_the_server_has_the_letter(
    monkeypatch: pytest.MonkeyPatch, pipelining: bool, failpoint: str, arrived: int
) -> None:
    monkeypatch.setattr(SmtpServer, "pipelining", pipelining)
    async with SmtpServer() as server:
        environment = {**os.environ, "IMBOT_FAILPOINT": failpoint}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(server.port), env=environment, stderr=subprocess.DEVNULL
        )
        code = await asyncio.wait_for(process.wait(), 20)
        await asyncio.sleep(0)
    assert len(server.letters) == arrived
    assert code == (0 if failpoint.endswith(":2") else -signal.SIGKILL)
