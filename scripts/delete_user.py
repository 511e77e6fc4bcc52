#!/usr/bin/env python3
"""Forget a person: imbot user delete WHO. A thin door: every option is the command's."""

from imbot.cli import door

door("user", "delete")
