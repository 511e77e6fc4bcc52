"""The history by its time, so that forgetting what is old does not walk all of it."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_ledger_at", "ledger", ["at"])
