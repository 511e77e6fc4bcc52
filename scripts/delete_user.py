#!/usr/bin/env python3
"""Forget a person: imbot user delete WHO. A thin door: every option is the command's."""

import sys

from imbot.cli import main

sys.argv[1:1] = ["user", "delete"]
main()
