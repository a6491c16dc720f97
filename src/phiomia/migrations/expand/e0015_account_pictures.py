"""How much room the avatars and headers of members take."""

import sqlalchemy as sa
from alembic import op

revision = "e0015"
down_revision = "e0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_pictures",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_pictures_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "place", name=op.f("pk_account_pictures")),
    )
