"""Tables of what moderators look after."""

from sqlalchemy import Index, Table

from phiomia.platform.db.tables import PartialIndex, flag, id_column, metadata, moment, reference, small, words

reports = Table(
    "reports",
    metadata,
    id_column(),
    reference("account_id", "accounts.id", nullable=True),  # who reports; NULL: another server, without a name
    words("from_domain"),  # empty: one of ours
    reference("target_id", "accounts.id", index=True),
    small("category"),  # see report_category.py
    words("comment"),
    words("status_ids", default="[]"),  # JSON
    words("collection_ids", default="[]"),  # JSON
    words("rule_ids", nullable=True),  # JSON
    flag("forwarded"),
    words("uri"),
    moment("created_at"),
    moment("resolved_at", nullable=True),
    reference("resolved_by_id", "accounts.id", nullable=True, on_delete="SET NULL"),
    Index("ix_reports_account", "account_id"),
    PartialIndex("ix_reports_open", "id", where="resolved_at IS NULL"),
    PartialIndex("uq_reports_uri", "uri", unique=True, where="uri <> ''"),
)

account_warnings = Table(
    "account_warnings",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("by_id", "accounts.id", nullable=True, on_delete="SET NULL"),  # NULL: by a command
    words("action", default="none"),  # as the entity spells it
    words("text"),
    words("status_ids", default="[]"),  # JSON
    moment("created_at"),
    Index("ix_account_warnings_account", "account_id"),
    Index("ix_account_warnings_by", "by_id"),
)
