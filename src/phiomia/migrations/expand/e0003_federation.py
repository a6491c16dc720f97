"""What is known of other servers and their people, and what went to and came from them."""

import sqlalchemy as sa
from alembic import op

revision = "e0003"
down_revision = "e0002"
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    for name in (
        "key_id",
        "actor_type",
        "followers_url",
        "following_url",
        "outbox_url",
        "featured_url",
        "featured_tags_url",
        "avatar_remote_url",
        "header_remote_url",
    ):
        op.add_column("accounts", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("more_keys", "also_known_as"):
        op.add_column("accounts", sa.Column(name, sa.Text(), server_default="[]", nullable=False))
    op.add_column("accounts", sa.Column("state_origin", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("accounts", sa.Column("fetched_at", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("key_fetched_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_accounts_domain",
        "accounts",
        ["domain", "id"],
        unique=False,
        sqlite_where=sa.text("domain <> ''"),
        postgresql_where=sa.text("domain <> ''"),
    )
    op.create_index(
        "ix_accounts_key",
        "accounts",
        ["key_id"],
        unique=False,
        sqlite_where=sa.text("key_id <> ''"),
        postgresql_where=sa.text("key_id <> ''"),
    )
    op.add_column("custom_emojis", sa.Column("uri", sa.Text(), server_default="", nullable=False))
    op.add_column("custom_emojis", sa.Column("image_remote_url", sa.Text(), server_default="", nullable=False))
    op.add_column("custom_emojis", sa.Column("updated_at", sa.BigInteger(), nullable=True))
    op.create_index("uq_custom_emojis_domain", "custom_emojis", ["domain", "shortcode"], unique=True)
    op.add_column("media", sa.Column("remote_preview_url", sa.Text(), server_default="", nullable=False))
    op.add_column("media", sa.Column("fetched_at", sa.BigInteger(), nullable=True))
    op.add_column("polls", sa.Column("fetched_at", sa.BigInteger(), nullable=True))
    op.add_column("dead_jobs", sa.Column("host", sa.Text(), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("host", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_jobs_host",
        "jobs",
        ["host", "run_at"],
        unique=False,
        sqlite_where=sa.text("host <> ''"),
        postgresql_where=sa.text("host <> ''"),
    )
    op.create_table(
        "parcels",
        _id(),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("status_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("for_followers", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parcels")),
    )
    op.create_table(
        "peers",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("software", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unavailable_since", sa.BigInteger(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("shared_inbox", sa.Text(), server_default="", nullable=False),
        sa.Column("knock", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_peers")),
    )
    op.create_table(
        "domain_blocks",
        _id(),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reject_media", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reject_reports", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("private_comment", sa.Text(), server_default="", nullable=False),
        sa.Column("public_comment", sa.Text(), server_default="", nullable=False),
        sa.Column("obfuscate", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain_blocks")),
    )
    op.create_index("uq_domain_blocks_domain", "domain_blocks", ["domain"], unique=True)
    op.create_table(
        "domain_allows",
        _id(),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain_allows")),
    )
    op.create_index("uq_domain_allows_domain", "domain_allows", ["domain"], unique=True)
    op.create_table(
        "tombstones",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_tombstones")),
    )
    op.create_index("ix_tombstones_created", "tombstones", ["created_at"], unique=False)
    op.create_table(
        "received",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_received")),
    )
    op.create_index("ix_received_at", "received", ["received_at"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("inbox", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["status_id"], ["statuses.id"], name=op.f("fk_deliveries_status_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("status_id", "inbox", name=op.f("pk_deliveries")),
    )
    op.create_table(
        "relays",
        _id(),
        sa.Column("inbox_url", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("follow_uri", sa.Text(), server_default="", nullable=False),
        sa.Column("actor_uri", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relays")),
    )
    op.create_index("uq_relays_inbox_url", "relays", ["inbox_url"], unique=True)
