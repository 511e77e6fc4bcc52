"""imbot as it is, but for its pace: Telegram's 30 messages a second are what an office meets long before the process does. For
runs that ask how far the process itself goes. `python -m tests.fire.unpaced run --config X` is `imbot run --config X`."""

from __future__ import annotations

from imbot.channels.pacer import Meter
from imbot.cli import main


def _any(self: Meter, *, dialog: bool) -> float:
    return float("-inf")


def _chat(self: Meter, chat: str, *, dialog: bool) -> float:
    return float("-inf")


if __name__ == "__main__":
    setattr(Meter, "any_ready_at", _any)  # noqa: B010 - methods of another are replaced on purpose
    setattr(Meter, "chat_ready_at", _chat)  # noqa: B010
    main()
