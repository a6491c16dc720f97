"""The table of notifications."""

from sqlalchemy import Index, Table

from phiomia.platform.db.tables import flag, id_column, metadata, moment, reference, words

notifications = Table(
    "notifications",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("from_account_id", "accounts.id"),
    reference("status_id", "statuses.id", nullable=True),
    words("type"),  # as the entity spells it
    words("group_key"),
    flag("filtered"),
    moment("created_at"),
    Index("ix_notifications_account", "account_id", "id"),
    Index("ix_notifications_from", "from_account_id", "account_id"),
    Index("ix_notifications_status", "status_id"),
)
