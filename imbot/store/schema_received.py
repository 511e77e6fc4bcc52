"""The tables of what letters of the far end brought: their files, their whole text, the small pictures that come again."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from imbot.store.columns import Moment
from imbot.store.schema_kit import count_column as _count
from imbot.store.schema_kit import metadata
from imbot.store.schema_kit import moment_column as _moment
from imbot.store.schema_kit import text_column as _text

received_files = Table(
    "received_files",
    metadata,
    Column("id", String, primary_key=True),  # its name on the disk as well
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    Column("mail_id", ForeignKey("mails.id"), nullable=False, index=True),
    _count("place"),  # in the letter, from 0
    _text("name"),
    _count("size"),
    _text("content_type"),
    _text("sha256"),
    _text("fate"),
    _text("reason"),
    _text("path"),
    Column("created_at", Moment, nullable=False, index=True),
)

letter_texts = Table(
    "letter_texts",
    metadata,
    Column("mail_id", Integer, ForeignKey("mails.id"), primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    _text("text"),  # "": it was there, and has outlived its time
    Column("at", Moment, nullable=False, index=True),
)

seen_pictures = Table(
    "seen_pictures",
    metadata,
    Column("backend", String, primary_key=True),
    Column("sha256", String, primary_key=True),
    _count("letters"),
    _moment("at", required=True),
)
