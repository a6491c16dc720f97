"""Tables of those who may sign in."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, text

from phiomia.platform.db.tables import (
    PartialIndex,
    count,
    flag,
    id_column,
    metadata,
    moment,
    reference,
    revision,
    small,
    words,
)

users = Table(
    "users",
    metadata,
    id_column(),
    revision(),
    reference("account_id", "accounts.id", unique=True),
    words("email"),
    words("email_key"),  # lower case
    words("password_hash"),
    small("role"),  # see roles.py
    moment("created_at"),
    moment("confirmed_at", nullable=True),
    moment("approved_at", nullable=True),
    moment("disabled_at", nullable=True),
    words("locale", default="en"),
    words("time_zone"),
    words("reason"),  # why they want to join
    Column("created_by_app_id", BigInteger, nullable=True),  # which app they signed up with
    small("default_visibility"),
    flag("default_sensitive"),
    words("default_language", nullable=True),
    words("default_quote_policy", default="public"),
    words("settings", default="{}"),  # JSON: reading preferences
    moment("last_active_at", nullable=True),
    Column("mail_alerts", Integer, nullable=False, server_default=text("7")),  # bits: see mail_alerts.py
    words("new_email"),  # not confirmed yet
    PartialIndex("ix_users_created_by_app", "created_by_app_id", "id", where="created_by_app_id IS NOT NULL"),
    Index("uq_users_email_key", "email_key", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    id_column(),
    reference("user_id", "users.id", index=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    words("csrf"),
    words("user_agent"),
    words("ip"),
    moment("created_at"),
    moment("used_at"),
)

email_confirmations = Table(
    "email_confirmations",
    metadata,
    id_column(),
    reference("user_id", "users.id", index=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    words("purpose"),  # confirm, reset
    moment("created_at"),
)

invites = Table(
    "invites",
    metadata,
    id_column(),
    words("code", default=None),
    reference("user_id", "users.id", nullable=True, on_delete="SET NULL", index=True),
    count("uses"),
    Column("max_uses", Integer, nullable=True),
    moment("expires_at", nullable=True),
    words("comment"),
    moment("created_at"),
    Index("uq_invites_code", "code", unique=True),
)
