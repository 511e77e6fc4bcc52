"""What our own letters told the far ends that could name somebody's request when it comes back. Reads and writes nothing."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table

from imbot.store.schema_kit import metadata

told = Table(
    "told",
    metadata,
    Column("message_id", ForeignKey("letters.message_id"), primary_key=True),
    Column("kind", String, primary_key=True),  # figure, address
    Column("word", String, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
