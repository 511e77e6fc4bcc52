"""`imbot run`, and how every command ends: what both need without the library that reads a command line.

A service runs for months, and that library, with all commands that it knows, is 2 MiB of it and a tenth of its start.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imbot.domain.errors import ConfigError, ImbotError

if TYPE_CHECKING:
    from imbot.config import Settings
    from imbot.config_mail import Mailbox, Smtp

ODD = re.compile(r"[^\n\t\x20-\x7e\u0400-\u04ff]")  # characters to be looked at one by one
_OPTIONS = ("--config", "-c")


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Errors of ours become one line, whatever else is wrong becomes one line and a way to see more; the process ends with a
    code that is not 0."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        sys.exit(1)
    except ImbotError as error:
        _complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit finds no broken pipe
        sys.exit(1)
    except Exception as error:
        if os.environ.get("IMBOT_DEBUG"):
            raise
        _complain(f"a mistake of imbot itself: {type(error).__name__}: {error} (IMBOT_DEBUG=1 shows where)")
        sys.exit(1)


def _complain(text: str) -> None:
    from imbot.log import mask_secrets

    line = mask_secrets(" ".join(text.split()))
    sys.stderr.write(printable(f"imbot: {line}\n"))


def printable(text: str) -> str:
    """Lines for a terminal: nothing that a stranger wrote can steer it, wherever it stands in them."""
    return ODD.sub(lambda odd: odd[0] if odd[0].isprintable() else " ", text)


@contextmanager
def collecting_paused() -> Iterator[None]:
    """While a thousand modules are loaded nothing is garbage, and looking for it again and again is a fifth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def plain_run(words: Sequence[str]) -> tuple[Path | None] | None:
    """The settings that `imbot run` is to read (None: those that lie here), where that is all that was said. None: it is not,
    and the command line has to make out what it is."""
    named = os.environ.get("IMBOT_CONFIG", "")
    match list(words):
        case ["run"]:
            return (Path(named) if named else None,)
        case ["run", option, config] if option in _OPTIONS and not config.startswith("-"):
            return (Path(config),)
        case _:
            return None


def secrets_of(settings: Settings) -> list[str]:
    """What must never be seen in a line, whoever writes it."""
    servers: list[Smtp | Mailbox] = [settings.smtp, *settings.mailboxes().values()]
    found = [settings.telegram.token, settings.telegram.proxy, settings.directory.ldap.bind_password]
    for server in servers:
        found += [server.password, server.oauth.client_secret, server.oauth.refresh_token]
    return [secret.get_secret_value() for secret in found]


def serve(config: Path | None) -> None:
    """Until SIGTERM or Ctrl-C. Raises ConfigError, ImbotError."""
    with collecting_paused():
        from imbot import app, event_loop, log
        from imbot.config import load

        settings = load(config)
    log.set_up(settings.general.log_level, settings.general.log_format, secrets=secrets_of(settings))
    event_loop.run(app.run(settings))
