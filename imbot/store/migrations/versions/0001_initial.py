"""The first schema, as it was then: it does not follow `imbot.store.schema` when that moves on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _people()
    _signin()
    _chats()
    _tickets()
    _around()
    _files()
    _outbox()
    _mails()


def _people() -> None:
    """Persons and their chats."""
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("address", sa.Text),
        *_texts("name", "phone", "office", "department", "role", "own_role"),
        *_jsons("attributes"),
        *_times("created_at"),
        *_moments("checked_at", "gone_at", "erased_at"),
        *_texts("consent"),
        *_moments("consent_at"),
        sa.UniqueConstraint("address"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chats",
        *_keys("key"),
        *_texts("channel", "id", "lang", "language"),
        *_flags("blocked"),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), nullable=True),
        *_moments("linked_at", "first_linked_at"),
        *_times("seen_at"),
    )
    op.create_index("ix_chats_person_id", "chats", ["person_id"])


def _signin() -> None:
    """Codes, invites, and what their limits count."""
    op.create_table(
        "codes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("chat_key", sa.Text, nullable=False),
        *_texts("address"),
        *_jsons("entry"),
        *_texts("code_hash"),
        sa.Column("token_hash", sa.Text, nullable=False),
        *_times("minted_at"),
        *_moments("expires_at"),
        *_counts("tries"),
        *_moments("used_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_codes_chat_key", "codes", ["chat_key"])
    op.create_index("ix_codes_token_hash", "codes", ["token_hash"])
    op.create_table(
        "code_asks",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("chat_key", "address_hash"),
        *_times("at"),
    )
    op.create_index("ix_code_asks_address", "code_asks", ["address_hash", "at"])
    op.create_index("ix_code_asks_chat", "code_asks", ["chat_key", "at"])
    op.create_table(
        "code_failures",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("chat_key"),
        *_times("at"),
    )
    op.create_index("ix_code_failures_at", "code_failures", ["at"])
    op.create_table(
        "invites",
        *_keys("token_hash"),
        *_texts("address"),
        *_jsons("entry"),
        *_times("created_at", "expires_at"),
        *_moments("used_at"),
        *_texts("used_by"),
    )


def _chats() -> None:
    """Where chats stand, and small things by name."""
    op.create_table(
        "sessions",
        *_keys("chat_key"),
        *_jsons("data"),
        *_times("saved_at"),
    )
    op.create_table(
        "slots",
        *_keys("chat_key"),
        *_counts("seq"),
        *_jsons("screen"),
        *_texts("message_id"),
        *_flags("edit"),
        *_moments("due_at"),
        *_counts("attempts", "released_seq"),
        *_texts("error"),
        *_times("changed_at"),
    )
    op.create_index("ix_slots_owed", "slots", ["due_at"], **_where("due_at IS NOT NULL"))
    op.create_table(
        "seen_keys",
        *_keys("key"),
        *_times("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bad_updates",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("raw", "error"),
        *_times("at"),
    )
    op.create_table(
        "cursors",
        *_keys("name"),
        *_texts("value"),
    )
    op.create_table(
        "facts",
        *_keys("name"),
        *_texts("value"),
        *_times("at"),
    )


def _tickets() -> None:
    """Tickets."""
    op.create_table(
        "tickets",
        *_keys("id"),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        *_texts("chat_key", "title", "backend"),
        sa.Column("token", sa.Text, nullable=False),
        *_texts("message_id"),
        *_times("created_at"),
        *_texts("category", "subcategory", "location", "location_key", "description"),
        *_jsons("contacts", "fields"),
        *_texts("status", "handover", "number"),
        *_moments("accepted_at", "registered_at", "promised_at", "resolved_at", "closed_at", "reported_at"),
        *_texts("solution", "asked"),
        *_moments("asked_until"),
        *_texts("failure", "thread", "receipt_id", "previous"),
    )
    op.create_index("ix_tickets_asked", "tickets", ["asked_until"], **_where("asked_until IS NOT NULL"))
    op.create_index("ix_tickets_created_at", "tickets", ["created_at"])
    op.create_index("ix_tickets_failed", "tickets", ["created_at"], **_where("handover = 'failed'"))
    op.create_index("ix_tickets_person", "tickets", ["person_id", "created_at"])
    op.create_index("uq_tickets_token", "tickets", [sa.text("lower(token)")], unique=True)


def _around() -> None:
    """What hangs on a ticket."""
    op.create_table(
        "ticket_numbers",
        *_keys("backend", "number"),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        *_times("at"),
    )
    op.create_index("ix_ticket_numbers_ticket_id", "ticket_numbers", ["ticket_id"])
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        *_times("at"),
        *_texts("what"),
        *_jsons("values"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ledger_ticket_id", "ledger", ["ticket_id"])
    op.create_table(
        "letters",
        *_keys("message_id"),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        *_texts("kind"),
        *_jsons("letter"),
        *_times("put_at"),
        *_moments("settled_at"),
        *_texts("outcome", "answer"),
    )
    op.create_index("ix_letters_ticket_id", "letters", ["ticket_id"])
    op.create_table(
        "ticket_messages",
        *_keys("chat_key", "message_id"),
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), nullable=False),
        *_times("at"),
    )
    op.create_index("ix_ticket_messages_ticket_id", "ticket_messages", ["ticket_id"])
    op.create_table(
        "ratings",
        sa.Column("ticket_id", sa.String, sa.ForeignKey("tickets.id"), primary_key=True),
        sa.Column("stars", sa.Integer),
        *_texts("text"),
        *_times("rated_at"),
    )


def _files() -> None:
    """What people sent."""
    op.create_table(
        "files",
        *_keys("id"),
        *_texts("ticket_id", "chat_key", "vendor_id", "unique_id", "name"),
        sa.Column("size", sa.Integer),
        *_texts(
            "content_type", "kind", "caption", "message_id", "album", "fate", "reason", "path", "sha256", "letter_id"
        ),
        *_times("created_at"),
        sa.UniqueConstraint("ticket_id", "unique_id"),
    )
    op.create_index("ix_files_chat", "files", ["chat_key", "created_at"])
    op.create_index("ix_files_created_at", "files", ["created_at"])
    op.create_index("ix_files_letter_id", "files", ["letter_id"])


def _outbox() -> None:
    """Parcels and what holds their lanes."""
    op.create_table(
        "parcels",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("lane", "target"),
        sa.Column("key", sa.Text, nullable=False),
        *_texts("kind"),
        *_jsons("payload"),
        *_times("due_at", "created_at"),
        *_counts("attempts"),
        *_texts("waits_for"),
        *_flags("urgent"),
        *_moments("lease_until", "ready_at", "settled_at"),
        *_texts("outcome", "last_error"),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_parcels_lane", "parcels", ["lane", "id"], **_where("settled_at IS NULL"))
    op.create_index("ix_parcels_leases", "parcels", ["lease_until"], **_where("lease_until IS NOT NULL"))
    op.create_index("ix_parcels_next", "parcels", ["ready_at"], **_where("ready_at IS NOT NULL"))
    op.create_index("ix_parcels_ready", "parcels", ["target", "urgent", "ready_at"], **_where("ready_at IS NOT NULL"))
    op.create_index(
        "ix_parcels_settled", "parcels", ["settled_at"], **_where("settled_at IS NOT NULL AND payload <> '{}'")
    )
    op.create_index("ix_parcels_waits", "parcels", ["waits_for"], **_where("settled_at IS NULL AND waits_for <> ''"))
    op.create_table(
        "lanes",
        *_keys("lane"),
        *_times("suspended_at"),
        *_texts("reason"),
    )


def _mails() -> None:
    """Letters that came in."""
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("mailbox", "path"),
        *_counts("size"),
        *_texts("sha256"),
        *_times("kept_at"),
        *_counts("attempts"),
        *_texts("outcome", "reason", "ticket_id"),
        *_moments("settled_at"),
        *_texts("sender", "subject", "message_id"),
        *_moments("announced_at"),
        sa.Column("raw", sa.LargeBinary),
        sa.UniqueConstraint("mailbox", "sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_quarantine", "mails", ["settled_at"], **_where("outcome = 'quarantined'"))
    op.create_index("ix_mails_raw", "mails", ["kept_at"], **_where("raw IS NOT NULL OR path <> ''"))
    op.create_index("ix_mails_ticket_id", "mails", ["ticket_id"])
    op.create_index("ix_mails_unread", "mails", ["id"], **_where("settled_at IS NULL"))
    op.create_table(
        "mail_places",
        *_keys("mailbox", "validity", "uid"),
        sa.Column("mail_id", sa.Integer, sa.ForeignKey("mails.id"), nullable=False),
        *_moments("marked_at"),
    )
    op.create_index("ix_mail_places_mail_id", "mail_places", ["mail_id"])
    op.create_index("ix_mail_places_unmarked", "mail_places", ["mailbox", "mail_id"], **_where("marked_at IS NULL"))


def _keys(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _jsons(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="{}") for name in names]


def _counts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in names]


def _flags(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("0")) for name in names]


def _moments(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger) for name in names]


def _times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
