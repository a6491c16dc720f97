"""Tables of OAuth: apps, authorization codes, access tokens. Secrets of people are kept as SHA-256 only."""

from sqlalchemy import Column, Index, LargeBinary, Table

from phiomia.platform.db.tables import flag, id_column, metadata, moment, reference, words

apps = Table(
    "apps",
    metadata,
    id_column(),
    words("name"),
    words("website", nullable=True),
    words("redirect_uris"),  # one per line
    words("scopes"),
    words("client_id"),
    words("client_secret"),
    flag("trusted"),
    moment("created_at"),
    Index("uq_apps_client_id", "client_id", unique=True),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    reference("app_id", "apps.id", index=True),
    reference("user_id", "users.id", index=True),
    words("redirect_uri"),
    words("scopes"),
    words("code_challenge"),
    moment("created_at"),
    moment("used_at", nullable=True),
    reference("token_id", "access_tokens.id", nullable=True, on_delete="SET NULL"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    id_column(),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    reference("app_id", "apps.id", nullable=True, index=True),
    reference("user_id", "users.id", nullable=True),
    words("scopes"),
    moment("created_at"),
    moment("last_used_at", nullable=True),
    Index("ix_access_tokens_user_app", "user_id", "app_id"),
)
