"""Previews keep whom their page names as its author without having been named in turn."""

import sqlalchemy as sa
from alembic import op

revision = "e0014"
down_revision = "e0013"
branch_labels = None
depends_on = None
COST = {"cards": None}


def upgrade() -> None:
    op.add_column("cards", sa.Column("claimed_author_id", sa.BigInteger(), nullable=True))
