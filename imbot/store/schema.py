"""The tables. One schema for every dialect; the migrations bring a data base to it, a test holds them to it.

Texts are never NULL ("" means nothing), moments are NULL until they happen. Partial indices repeat their WHERE word for
word in the statements that need them (SQLite uses such an index only then).
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from imbot.store.columns import Moment
from imbot.store.schema_kit import count_column as _count
from imbot.store.schema_kit import flag_column as _flag
from imbot.store.schema_kit import json_column as _json
from imbot.store.schema_kit import metadata as metadata
from imbot.store.schema_kit import moment_column as _moment
from imbot.store.schema_kit import partial as _where
from imbot.store.schema_kit import text_column as _text
from imbot.store.schema_received import letter_texts as letter_texts
from imbot.store.schema_received import received_files as received_files
from imbot.store.schema_received import seen_pictures as seen_pictures
from imbot.store.schema_told import told as told

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", Text, unique=True),  # NULL: erased
    _text("name"),
    _text("phone"),
    _text("office"),
    _text("department"),
    _text("role"),  # as the directory says
    _text("own_role"),  # as an admin said; stands above the directory's
    _json("attributes"),
    _moment("created_at", required=True),
    _moment("checked_at"),
    _moment("gone_at"),
    _moment("erased_at"),
    _text("consent"),
    _moment("consent_at"),
    sqlite_autoincrement=True,  # an id is never given twice: tickets of an erased person stay nobody else's
)

chats = Table(
    "chats",
    metadata,
    Column("key", String, primary_key=True),
    _text("channel"),
    _text("id"),
    _text("lang"),
    _text("language"),
    _flag("blocked"),
    Column("person_id", ForeignKey("people.id"), index=True),
    _moment("linked_at"),
    _moment("first_linked_at"),
    _moment("seen_at", required=True),
)

codes = Table(
    "codes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("chat_key", Text, nullable=False, index=True),
    _text("address"),
    _json("entry"),
    _text("code_hash"),
    Column("token_hash", Text, nullable=False, index=True),
    _moment("minted_at", required=True),
    _moment("expires_at"),
    _count("tries"),
    _moment("used_at"),
    sqlite_autoincrement=True,
)

code_asks = Table(
    "code_asks",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("chat_key"),
    _text("address_hash"),
    _moment("at", required=True),
    Index("ix_code_asks_chat", "chat_key", "at"),
    Index("ix_code_asks_address", "address_hash", "at"),
)

code_failures = Table(
    "code_failures",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("chat_key"),
    Column("at", Moment, nullable=False, index=True),
)

invites = Table(
    "invites",
    metadata,
    Column("token_hash", String, primary_key=True),
    _text("address"),
    _json("entry"),
    _moment("created_at", required=True),
    _moment("expires_at", required=True),
    _moment("used_at"),
    _text("used_by"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("chat_key", String, primary_key=True),
    _json("data"),
    _moment("saved_at", required=True),
)

slots = Table(
    "slots",
    metadata,
    Column("chat_key", String, primary_key=True),
    _count("seq"),
    _json("screen"),
    _text("message_id"),
    _flag("edit"),
    _moment("due_at"),  # NULL: nothing is owed
    _count("attempts"),
    _count("released_seq"),
    _text("error"),
    _moment("changed_at", required=True),
    Index("ix_slots_owed", "due_at", **_where("due_at IS NOT NULL")),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", String, primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    _text("chat_key"),
    _text("title"),
    _text("backend"),
    Column("token", Text, nullable=False),
    _text("message_id"),
    Column("created_at", Moment, nullable=False, index=True),
    _text("category"),
    _text("subcategory"),
    _text("location"),
    _text("location_key"),
    _text("description"),
    _json("contacts"),
    _json("fields"),
    _text("status"),
    _text("handover"),
    _text("number"),
    _moment("accepted_at"),
    _moment("registered_at"),
    _moment("promised_at"),
    _moment("resolved_at"),
    _moment("closed_at"),
    _moment("reported_at"),
    _text("solution"),
    _text("asked"),
    _moment("asked_until"),
    _text("failure"),
    _text("thread"),
    _text("receipt_id"),
    _text("previous"),
    _text("tag"),
    _text("watermark"),
    Index("uq_tickets_token", text("lower(token)"), unique=True),
    Index("ix_tickets_person", "person_id", "created_at"),
    Index("ix_tickets_asked", "asked_until", **_where("asked_until IS NOT NULL")),
    Index("ix_tickets_failed", "created_at", **_where("handover = 'failed'")),
    Index("ix_tickets_unnumbered", "backend", **_where("number = ''")),
)

ticket_numbers = Table(
    "ticket_numbers",
    metadata,
    Column("backend", String, primary_key=True),
    Column("number", String, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    _moment("at", required=True),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    Column("at", Moment, nullable=False, index=True),
    _text("what"),
    _json("values"),
    sqlite_autoincrement=True,
)

letters = Table(
    "letters",
    metadata,
    Column("message_id", String, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    _text("kind"),
    _json("letter"),
    _json(
        "echoes"
    ),  # in which other shapes its subject and its text may come back; "unnoted" until that was looked for
    _moment("put_at", required=True),
    _moment("settled_at"),
    _text("outcome"),
    _text("answer"),
    Index("ix_letters_unnoted", "echoes", **_where("""echoes = '"unnoted"'""")),
)

ticket_messages = Table(
    "ticket_messages",
    metadata,
    Column("chat_key", String, primary_key=True),
    Column("message_id", String, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    _moment("at", required=True),
)

ratings = Table(
    "ratings",
    metadata,
    Column("ticket_id", ForeignKey("tickets.id"), primary_key=True),
    Column("stars", Integer),  # NULL: "no rating" was pressed
    _text("text"),
    _moment("rated_at", required=True),
)

files = Table(
    "files",
    metadata,
    Column("id", String, primary_key=True),
    _text("ticket_id"),  # opaque: a draft's or an addition's id as well, so no foreign key
    _text("chat_key"),
    _text("vendor_id"),
    _text("unique_id"),
    _text("name"),
    Column("size", Integer),
    _text("content_type"),
    _text("kind"),
    _text("caption"),
    _text("message_id"),
    _text("album"),
    _text("fate"),
    _text("reason"),
    _text("path"),
    _text("sha256"),
    Column("letter_id", Text, nullable=False, server_default="", index=True),
    Column("created_at", Moment, nullable=False, index=True),
    UniqueConstraint("ticket_id", "unique_id"),
    Index("ix_files_chat", "chat_key", "created_at"),
)

parcels = Table(
    "parcels",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("lane"),
    _text("target"),
    Column("key", Text, nullable=False, unique=True),
    _text("kind"),
    _json("payload"),
    _moment("due_at", required=True),
    _moment("created_at", required=True),
    _count("attempts"),
    _text("waits_for"),
    _flag("urgent"),
    _moment("lease_until"),
    _moment("ready_at"),  # when it may be claimed; NULL unless it is the head of its lane and nothing holds the lane
    _moment("settled_at"),
    _text("outcome"),
    _text("last_error"),
    Index("ix_parcels_lane", "lane", "id", **_where("settled_at IS NULL")),
    Index("ix_parcels_ready", "target", "urgent", "ready_at", **_where("ready_at IS NOT NULL")),
    Index("ix_parcels_next", "ready_at", **_where("ready_at IS NOT NULL")),
    Index("ix_parcels_leases", "lease_until", **_where("lease_until IS NOT NULL")),
    Index("ix_parcels_waits", "waits_for", **_where("settled_at IS NULL AND waits_for <> ''")),
    Index("ix_parcels_settled", "settled_at", **_where("settled_at IS NOT NULL AND payload <> '{}'")),
    sqlite_autoincrement=True,  # order within a lane is by id: an id must never come back
)

lanes = Table(
    "lanes",
    metadata,
    Column("lane", String, primary_key=True),
    _moment("suspended_at", required=True),
    _text("reason"),
)

seen_keys = Table(
    "seen_keys",
    metadata,
    Column("key", String, primary_key=True),
    _moment("at", required=True),
    sqlite_with_rowid=False,
)

mails = Table(
    "mails",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("mailbox"),
    _text("path"),
    _count("size"),
    _text("sha256"),
    _moment("kept_at", required=True),
    _count("attempts"),
    _text("outcome"),
    _text("reason"),
    Column("ticket_id", Text, nullable=False, server_default="", index=True),
    _moment("settled_at"),
    _text("sender"),
    _text("subject"),
    _text("message_id"),
    _moment("announced_at"),  # no longer used
    Column("raw", LargeBinary),  # last: what stands behind a large value is slow to reach
    UniqueConstraint("mailbox", "sha256"),
    Index("ix_mails_sha256", "sha256"),
    Index("ix_mails_unread", "id", **_where("settled_at IS NULL")),
    Index("ix_mails_quarantine", "settled_at", **_where("outcome = 'quarantined'")),
    Index("ix_mails_raw", "kept_at", **_where("raw IS NOT NULL OR path <> ''")),
    sqlite_autoincrement=True,
)

mail_places = Table(
    "mail_places",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("validity", String, primary_key=True),
    Column("uid", String, primary_key=True),
    Column("mail_id", ForeignKey("mails.id"), nullable=False, index=True),
    _moment("marked_at"),
    Index("ix_mail_places_unmarked", "mailbox", "mail_id", **_where("marked_at IS NULL")),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String, primary_key=True),
    _text("value"),
)

bad_updates = Table(
    "bad_updates",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("raw"),
    _text("error"),
    _moment("at", required=True),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String, primary_key=True),
    _text("value"),
    _moment("at", required=True),
)
