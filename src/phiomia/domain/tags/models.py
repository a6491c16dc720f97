"""Tables of hashtags."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from phiomia.platform.db.tables import count, id_column, metadata, moment, reference, words

tags = Table(
    "tags",
    metadata,
    id_column(),
    words("name"),  # the key: see normalise.py
    words("display_name"),
    moment("created_at"),
    moment("last_used_at", nullable=True),
    Index("uq_tags_name", "name", unique=True),
)

tag_follows = Table(
    "tag_follows",
    metadata,
    reference("account_id", "accounts.id"),
    reference("tag_id", "tags.id", index=True),
    moment("created_at"),
    PrimaryKeyConstraint("account_id", "tag_id"),
)

featured_tags = Table(
    "featured_tags",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("tag_id", "tags.id", index=True),
    words("name"),  # as the member wrote it
    count("statuses_count"),
    moment("last_status_at", nullable=True),
    moment("created_at"),
    Index("uq_featured_tags_pair", "account_id", "tag_id", unique=True),
)
