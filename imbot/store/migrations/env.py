"""Runs revisions on the connection of `imbot.store.migrate`, which also holds the transaction. Opens nothing itself."""

from __future__ import annotations

from alembic import context

from imbot.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by building it anew
)
context.run_migrations()
