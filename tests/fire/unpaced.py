"""imbot as it is, but for its pace: Telegram's 30 messages a second are what an office meets long before the process does. For
runs that ask how far the process itself goes. `python -m tests.fire.unpaced run --config X` is `imbot run --config X`."""

from __future__ import annotations

from imbot.channels.pacer import Meter
from imbot.cli import main


def _at_once(self: Meter, chat: str, *, dialog: bool, now: float) -> float:
    return now


if __name__ == "__main__":
    setattr(Meter, "ready_at", _at_once)  # noqa: B010 - a method of another is replaced on purpose
    main()
