#!/usr/bin/env python3
"""Offer no place of earlier requests again: imbot location clear WHO. A thin door: every option is the command's."""

from imbot.cli import door

door("location", "clear")
