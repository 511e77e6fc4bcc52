"""Letters by the hash of their bytes, in whatever mailbox they came: whether one of them was carried out says whether a copy is
a repetition. Until now a key said so that was there even where the first copy was set aside."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_mails_sha256", "mails", ["sha256"])
    op.execute("DELETE FROM seen_keys WHERE key >= 'mail:' AND key < 'mail;'")
