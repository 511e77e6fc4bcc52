"""The rig's own test: mistakes of the kind that lose, double or invent something, each put on a copy of the code. A rig that
lets one of them pass would let the real one pass as well. Each is caught by a named check."""

from __future__ import annotations

from tests.fire import bugs_of_death, bugs_of_life
from tests.fire.bug import Bug

BUGS: tuple[Bug, ...] = (*bugs_of_death.BUGS, *bugs_of_life.BUGS)
# Caught soonest, and each by another check: for those who have two minutes.
SAMPLE = ("handed_over_before_250", "message_id_of_each_try", "code_reusable", "cursor_before_letters")
