"""Whose notifications wait until they are asked for, whom they are pushed to, and who wants which by mail."""

import sqlalchemy as sa
from alembic import op

revision = "e0006"
down_revision = "e0005"
branch_labels = None
depends_on = None

_ANSWERS = ("not_following", "not_followers", "new_accounts", "bots")
_HELD = ("private_mentions", "limited_accounts")


def _id(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False)


def _answer(name: str, default: str) -> sa.Column[int]:
    return sa.Column(f"for_{name}", sa.SmallInteger(), server_default=sa.text(default), nullable=False)


def _account(table: str, name: str = "account_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], ["accounts.id"], name=op.f(f"fk_{table}_{name}"), ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "notification_policies",
        _id("account_id"),
        *[_answer(name, "0") for name in _ANSWERS],
        *[_answer(name, "1") for name in _HELD],
        _account("notification_policies"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_notification_policies")),
    )
    op.create_table(
        "notification_permissions",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("from_account_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _account("notification_permissions"),
        _account("notification_permissions", "from_account_id"),
        sa.PrimaryKeyConstraint("account_id", "from_account_id", name=op.f("pk_notification_permissions")),
    )
    op.create_index(
        op.f("ix_notification_permissions_from_account_id"),
        "notification_permissions",
        ["from_account_id"],
        unique=False,
    )
    op.create_table(
        "notification_requests",
        _id(),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("from_account_id", sa.BigInteger(), nullable=False),
        sa.Column("last_status_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _account("notification_requests"),
        _account("notification_requests", "from_account_id"),
        sa.ForeignKeyConstraint(
            ["last_status_id"],
            ["statuses.id"],
            name=op.f("fk_notification_requests_last_status_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_requests")),
    )
    op.create_index(
        "uq_notification_requests_pair", "notification_requests", ["account_id", "from_account_id"], unique=True
    )
    op.create_index("ix_notification_requests_account", "notification_requests", ["account_id", "id"], unique=False)
    op.create_index("ix_notification_requests_from", "notification_requests", ["from_account_id"], unique=False)
    op.create_index("ix_notification_requests_status", "notification_requests", ["last_status_id"], unique=False)
    op.create_index(
        "ix_notifications_filtered",
        "notifications",
        ["account_id", "from_account_id"],
        unique=False,
        sqlite_where=sa.text("filtered"),
        postgresql_where=sa.text("filtered"),
    )
    _create_push()
    op.add_column("users", sa.Column("mail_alerts", sa.Integer(), server_default=sa.text("7"), nullable=False))
    op.add_column("users", sa.Column("new_email", sa.Text(), server_default="", nullable=False))


def _create_push() -> None:
    op.create_table(
        "push_subscriptions",
        _id(),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), server_default="", nullable=False),
        sa.Column("p256dh", sa.LargeBinary(), nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("standard", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("alerts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("policy", sa.Text(), server_default="all", nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["access_tokens.id"], name=op.f("fk_push_subscriptions_token_id"), ondelete="CASCADE"
        ),
        _account("push_subscriptions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
    )
    op.create_index("uq_push_subscriptions_token", "push_subscriptions", ["token_id"], unique=True)
    op.create_index("ix_push_subscriptions_account", "push_subscriptions", ["account_id"], unique=False)
