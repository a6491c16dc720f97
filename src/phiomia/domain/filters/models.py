"""Tables of filters."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from phiomia.platform.db.tables import flag, id_column, metadata, moment, reference, revision, small, words

filters = Table(
    "filters",
    metadata,
    id_column(),
    reference("account_id", "accounts.id", index=True),
    words("title"),
    small("contexts"),  # a sum, see kinds.py
    small("action"),
    moment("expires_at", nullable=True),
)

filter_keywords = Table(
    "filter_keywords",
    metadata,
    id_column(),
    reference("filter_id", "filters.id", index=True),
    words("keyword"),
    flag("whole_word", default=True),
)

filter_statuses = Table(
    "filter_statuses",
    metadata,
    id_column(),
    reference("filter_id", "filters.id"),
    reference("status_id", "statuses.id", index=True),
    Index("uq_filter_statuses_pair", "filter_id", "status_id", unique=True),
)

# Raised with every change of a member's filters, and never taken back: who has no row has never had a filter.
filter_revisions = Table(
    "filter_revisions",
    metadata,
    reference("account_id", "accounts.id"),
    revision(),
    PrimaryKeyConstraint("account_id"),
)
