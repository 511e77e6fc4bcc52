"""Letters of which it is not noted yet what they tell: that is done behind the transaction that puts them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_letters_unnoted", "letters", ["echoes"], sqlite_where=sa.text("""echoes = '"unnoted"'"""))
