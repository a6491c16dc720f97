"""The app that somebody signed up with, by its id instead of by a name that any app may choose."""

import sqlalchemy as sa
from alembic import op

revision = "e0011"
down_revision = "e0010"
branch_labels = None
depends_on = None
COST = {"users": 700_000}


def upgrade() -> None:
    op.add_column("users", sa.Column("created_by_app_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_users_created_by_app",
        "users",
        ["created_by_app_id", "id"],
        unique=False,
        sqlite_where=sa.text("created_by_app_id IS NOT NULL"),
        postgresql_where=sa.text("created_by_app_id IS NOT NULL"),
        postgresql_concurrently=True,
    )
