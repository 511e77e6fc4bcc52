#!/usr/bin/env python3
"""Remove what has outlived its time: imbot cleanup. A thin door: every option is the command's."""

import sys

from imbot.cli import main

sys.argv[1:1] = ["cleanup"]
main()
