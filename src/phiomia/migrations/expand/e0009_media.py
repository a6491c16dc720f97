"""Copies of what other servers show, within a budget; the size of previews."""

import sqlalchemy as sa
from alembic import op

revision = "e0009"
down_revision = "e0008"
branch_labels = None
depends_on = None


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    op.add_column("media", sa.Column("preview_bytes", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "remote_files",
        sa.Column("id", _number(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        _text("digest"),
        _text("host"),
        _text("key"),
        _text("small_key"),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _text("failure"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("fetched_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_files")),
        sa.UniqueConstraint("kind", "owner_id", name=op.f("uq_remote_files_kind")),
    )
    op.create_index("ix_remote_files_used_at", "remote_files", ["used_at", "bytes"], unique=False)
    op.create_index("ix_remote_files_host", "remote_files", ["host"], unique=False)
