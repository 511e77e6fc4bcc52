"""The pages for whoever watches the server: what is said where they cannot be shown."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from imbot.loops.health import serve
from imbot.loops.pulse import Pulse
from imbot.store.db import Db
from imbot.store.migrate import migrate


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
async def test_a_place_to_listen_that_cannot_be_had_is_told_in_one_line(tmp_path: Path, host: str) -> None:
    migrate(url := f"sqlite:///{tmp_path / 'imbot.db'}")
    db = await Db.open(url)
    try:
        with socket.create_server(("127.0.0.1", 0)) as other, capture_logs() as lines:
            listen = f"{host}:{other.getsockname()[1]}"
            await asyncio.wait_for(serve(asyncio.Event(), listen, db, Pulse(clock), clock), 30)
    finally:
        await db.close()
    (line,) = lines
    assert (line["event"], line["log_level"], line["listen"]) == ("cannot_listen", "error", listen)
    if host == "127.0.0.1":
        assert line["error"] == "Address already in use"
    else:
        assert "Unknown error" not in line["error"]
