"""`imbot` and `python -m imbot`."""

from __future__ import annotations

import sys

from imbot.cli_serving import plain_run, serve, told_in_one_line


def main() -> None:
    """The service without the command line, where nothing else was asked for; else the command line."""
    asked = plain_run(sys.argv[1:])
    if asked is None:
        from imbot.cli import main as command_line

        command_line()
        return
    with told_in_one_line():
        serve(*asked)


if __name__ == "__main__":
    main()
