"""Who may try a server out while it is upgraded, and what of that has arrived."""

import sqlalchemy as sa
from alembic import op

revision = "e0012"
down_revision = "e0011"
branch_labels = None
depends_on = None


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "upgrade_probes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        _counter("writes"),
        _counter("letters"),
        _counter("taken"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upgrade_probes")),
    )
    op.create_index("uq_upgrade_probes_secret_hash", "upgrade_probes", ["secret_hash"], unique=True)
