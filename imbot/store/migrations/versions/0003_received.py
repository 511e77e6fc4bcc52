"""What letters of the far end bring: their files, their whole text, the small pictures that come again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "received_files",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("mail_id", sa.Integer, sa.ForeignKey("mails.id"), nullable=False),
        _count("place"),
        _text("name"),
        _count("size"),
        _text("content_type"),
        _text("sha256"),
        _text("fate"),
        _text("reason"),
        _text("path"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    for column in ("ticket_id", "mail_id", "created_at"):
        op.create_index(f"ix_received_files_{column}", "received_files", [column])
    op.create_table(
        "letter_texts",
        sa.Column("mail_id", sa.Integer, sa.ForeignKey("mails.id"), primary_key=True),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        _text("text"),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    for column in ("ticket_id", "at"):
        op.create_index(f"ix_letter_texts_{column}", "letter_texts", [column])
    op.create_table(
        "seen_pictures",
        sa.Column("backend", sa.String, primary_key=True),
        sa.Column("sha256", sa.String, primary_key=True),
        _count("letters"),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")
