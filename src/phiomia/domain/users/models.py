"""Tables of those who may sign in."""

from sqlalchemy import Column, Index, LargeBinary, Table

from phiomia.platform.db.tables import flag, id_column, metadata, moment, reference, revision, small, words

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
    words("invited_with_app", nullable=True),
    small("default_visibility"),
    flag("default_sensitive"),
    words("default_language", nullable=True),
    words("default_quote_policy", default="public"),
    words("settings", default="{}"),  # JSON: reading preferences
    moment("last_active_at", nullable=True),
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
