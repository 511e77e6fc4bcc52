#!/usr/bin/env python3
"""Offer no place of earlier requests again: imbot location clear WHO. A thin door: every option is the command's."""

import sys

from imbot.cli import main

sys.argv[1:1] = ["location", "clear"]
main()
