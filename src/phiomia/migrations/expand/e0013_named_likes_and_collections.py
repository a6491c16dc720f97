"""Favourites keep the id another server gave them, accounts when they moved and who may recommend them."""

import sqlalchemy as sa
from alembic import op

revision = "e0013"
down_revision = "e0012"
branch_labels = None
depends_on = None
COST = {"favourites": None, "accounts": None, "collection_items": None}


def upgrade() -> None:
    op.add_column("favourites", sa.Column("uri", sa.Text(), server_default="", nullable=False))
    op.add_column("accounts", sa.Column("moved_at", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("collections_url", sa.Text(), server_default="", nullable=False))
    op.add_column("accounts", sa.Column("feature_policy", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("collection_items", sa.Column("request_uri", sa.Text(), server_default="", nullable=False))
