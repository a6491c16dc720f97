"""Tables of feeds."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from phiomia.platform.db.tables import metadata, moment, reference

# No foreign key to statuses: a deleted status leaves the feed by the join, and trimming takes the row.
home_feed = Table(
    "home_feed",
    metadata,
    Column("account_id", BigInteger, nullable=False),
    Column("status_id", BigInteger, nullable=False),
    Column("original_id", BigInteger, nullable=False),  # what is shown: the boosted status, or itself
    PrimaryKeyConstraint("account_id", "status_id"),
    Index("ix_home_feed_original", "original_id", "account_id"),
    sqlite_with_rowid=False,
)

markers = Table(
    "markers",
    metadata,
    reference("account_id", "accounts.id"),
    Column("timeline", Text, nullable=False),
    Column("last_read_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    moment("updated_at"),
    PrimaryKeyConstraint("account_id", "timeline"),
)
