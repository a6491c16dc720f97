"""Quotes with the consent of who is quoted, previews of links, statuses that wait for their time, translations."""

import sqlalchemy as sa
from alembic import op

revision = "e0007"
down_revision = "e0006"
branch_labels = None
depends_on = None


def _id(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, _number(), autoincrement=False, nullable=False)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    op.add_column("statuses", sa.Column("quote_policy", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("statuses", sa.Column("quoting", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("statuses", sa.Column("card_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_statuses_card",
        "statuses",
        ["card_id", "id"],
        unique=False,
        sqlite_where=sa.text("card_id IS NOT NULL"),
        postgresql_where=sa.text("card_id IS NOT NULL"),
    )
    op.add_column("media", sa.Column("scheduled_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_media_scheduled",
        "media",
        ["scheduled_id"],
        unique=False,
        sqlite_where=sa.text("scheduled_id IS NOT NULL"),
        postgresql_where=sa.text("scheduled_id IS NOT NULL"),
    )
    _create_quotes()
    _create_cards()
    _create_scheduled()
    op.create_table(
        "translations",
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        _text("digest"),
        _text("body"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["status_id"], ["statuses.id"], name=op.f("fk_translations_status_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("status_id", "language", name=op.f("pk_translations")),
    )
    op.create_index("ix_translations_created", "translations", ["created_at"], unique=False)


def _create_quotes() -> None:
    op.create_table(
        "quotes",
        _id("status_id"),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("quoted_id", sa.BigInteger(), nullable=True),
        sa.Column("quoted_account_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        _text("quoted_uri"),
        _text("approval_uri"),
        _text("request_uri"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["status_id"], ["statuses.id"], name=op.f("fk_quotes_status_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["quoted_id"], ["statuses.id"], name=op.f("fk_quotes_quoted_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("status_id", name=op.f("pk_quotes")),
    )
    op.create_index("ix_quotes_quoted", "quotes", ["quoted_id", "status_id"], unique=False)
    op.create_index(
        "ix_quotes_approval",
        "quotes",
        ["approval_uri"],
        unique=False,
        sqlite_where=sa.text("approval_uri <> ''"),
        postgresql_where=sa.text("approval_uri <> ''"),
    )


def _create_cards() -> None:
    op.create_table(
        "cards",
        _id(),
        sa.Column("rev", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _text("url"),
        sa.Column("state", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        _text("title"),
        _text("description"),
        _text("author_name"),
        _text("author_url"),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        _text("provider_name"),
        _text("provider_url"),
        _text("html"),
        sa.Column("width", sa.Integer(), server_default="0", nullable=False),
        sa.Column("height", sa.Integer(), server_default="0", nullable=False),
        _text("image_url"),
        _text("image_description"),
        _text("embed_url"),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
    )
    op.create_index("uq_cards_url", "cards", ["url"], unique=True)


def _create_scheduled() -> None:
    op.create_table(
        "scheduled_statuses",
        _id(),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_scheduled_statuses_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_statuses")),
    )
    op.create_index("ix_scheduled_statuses_account", "scheduled_statuses", ["account_id", "id"], unique=False)
    op.create_index("ix_scheduled_statuses_due", "scheduled_statuses", ["scheduled_at"], unique=False)
