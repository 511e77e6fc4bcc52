"""The demo as a process: ready, ended cleanly by Ctrl-C, kind about a port that is taken."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from imbot.demo import playing, run
from imbot.domain.errors import ImbotError


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    code = f"from pathlib import Path; from imbot.demo import run; run(0, Path({str(tmp_path)!r}))"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "default::ResourceWarning",
        "-c",
        code,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = (await process.stdout.readline()).decode()
        assert "http://127.0.0.1:" in line, line + (await process.communicate())[1].decode()
        yield process, line.split()[3]
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_is_ready_and_ends_cleanly(demo: tuple[asyncio.subprocess.Process, str], how: signal.Signals) -> None:
    process, url = demo
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/api/state") as answer:
            assert (await answer.json())["tickets"] == []
        async with http.post(f"{url}/api/chats/1001/say", json={"text": "/start"}) as answer:
            assert answer.status == 200
        await bot_answers(http, url)
        waiting = asyncio.create_task(http.get(f"{url}/api/changes?since=999999999"))
        process.send_signal(how)
        async with asyncio.timeout(12):
            _, errors = await process.communicate()
        await asyncio.wait({waiting})
    assert process.returncode == 0
    assert errors.decode() == ""


async def bot_answers(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(10):
        version = -1
        while True:
            async with http.get(f"{url}/api/changes?since={version}&timeout=10") as answer:
                version = (await answer.json())["version"]
            async with http.get(f"{url}/api/chats/1001") as answer:
                if any(message["from"] == "bot" for message in (await answer.json())["messages"]):
                    return


async def test_settings_of_a_real_imbot_in_the_environment_do_not_reach_the_play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMBOT_TELEGRAM__API_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("IMBOT_SMTP__HOST", "mail.company.example")
    async with playing(tmp_path) as url, aiohttp.ClientSession() as http:
        async with http.post(f"{url}/api/chats/1001/say", json={"text": "/start"}) as answer:
            assert answer.status == 200
        await bot_answers(http, url)


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ImbotError, match=f"^port {port} is taken; try another one: PORT=8081 make demo$"):
            async with playing(tmp_path, port):
                pytest.fail("it must not start")
    left = list(tmp_path.iterdir())  # noqa: ASYNC240
    assert left == []  # the same folder may be given again, with another port


def test_a_folder_of_an_earlier_play_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(ImbotError, match="not empty"):
        run(0, tmp_path)


async def test_a_folder_named_from_here_is_played_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "play").mkdir()
    async with playing(Path("play")):
        pass
    settings = tomllib.loads((tmp_path / "play" / "config.toml").read_text())
    assert settings["directory"]["file"]["path"] == str(tmp_path / "play" / "directory.toml")
    assert settings["general"]["data_dir"] == str(tmp_path / "play" / "var")


async def test_an_hour_of_silence_is_noticed_without_waiting_for_it(tmp_path: Path) -> None:
    async with playing(tmp_path) as url, aiohttp.ClientSession() as http:
        for _ in range(2):
            before = datetime.now(UTC)
            async with http.post(f"{url}/api/itsm/silence") as answer:
                assert answer.status == 200, await answer.text()
                told = datetime.fromisoformat((await answer.json())["now"])
        assert timedelta(hours=2) <= told - before < timedelta(hours=3)
        async with http.post(f"{url}/api/itsm/silence", json={"hours": 9}) as answer:
            assert answer.status == 400
