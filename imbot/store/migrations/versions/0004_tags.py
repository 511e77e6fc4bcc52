"""What must come back verbatim in our letters: the number as the ITSM wrote it, and its watermark."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("tag", "watermark"):
        op.add_column("tickets", sa.Column(name, sa.Text, nullable=False, server_default=""))
