"""What our own letters told that could name a request when it comes back, and the shapes in which it may."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from imbot.store.told import write_all

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "told",
        sa.Column("message_id", sa.String, sa.ForeignKey("letters.message_id"), primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("word", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_told_word", "told", ["word"])
    op.create_index("ix_tickets_unnumbered", "tickets", ["backend"], sqlite_where=sa.text("number = ''"))
    op.add_column("letters", sa.Column("echoes", sa.Text, nullable=False, server_default="{}"))
    write_all(op.get_bind())
