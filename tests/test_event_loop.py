"""The loop that imbot waits in, and what its transports are not."""

from __future__ import annotations

import asyncio

import aiosmtplib
import pytest
import uvloop

from imbot import cli_base, event_loop
from imbot.mailbox import smtp_talk
from tests.smtp_server import SmtpServer


async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def test_tests_wait_in_it_too() -> None:
    assert isinstance(await _loop(), uvloop.Loop)


def test_commands_wait_in_it() -> None:
    assert isinstance(cli_base.wait_for(_loop()), uvloop.Loop)


def test_what_goes_wrong_in_it_is_told() -> None:
    async def fail() -> None:
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        event_loop.run(fail())


async def test_a_connection_of_this_loop_can_be_written_to() -> None:
    """Its class is none of asyncio's: who asks for the class takes a living connection for a lost one."""
    async with SmtpServer() as server:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, use_tls=False, start_tls=False)
        assert smtp_talk.writable(client) is None
        await client.connect()
        transport = smtp_talk.writable(client)
        assert transport is not None
        assert not isinstance(transport, asyncio.WriteTransport)
        talk = smtp_talk.taken_over(client)
        assert not transport.is_closing()
        talk.give_back()
        await client.quit()
