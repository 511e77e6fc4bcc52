"""A backend has a name of its own. Until now there was one, called by its profile; from now on it is `itsm`, as its section.

A number that two profiles had given to different requests (the profile was changed on the way) stays the later one's; the
earlier goes under a name that no backend can have, and is found by its request only.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("UPDATE tickets SET backend = 'itsm' WHERE backend <> 'desk'")
    op.execute(
        "UPDATE ticket_numbers SET backend = 'itsm' WHERE (backend, number) IN ("
        " SELECT backend, number FROM ("
        "  SELECT backend, number, ROW_NUMBER() OVER (PARTITION BY number ORDER BY at DESC, backend DESC) AS place"
        "  FROM ticket_numbers WHERE backend <> 'desk'"
        " ) AS ranked WHERE place = 1)"
    )
    op.execute("UPDATE ticket_numbers SET backend = 'was ' || backend WHERE backend NOT IN ('itsm', 'desk')")
