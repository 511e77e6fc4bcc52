#!/usr/bin/env python3
"""Remove what has outlived its time: imbot cleanup. A thin door: every option is the command's."""

from imbot.cli import door

door("cleanup")
