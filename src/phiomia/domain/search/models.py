"""What search reads. SQLite has FTS5 tables, PostgreSQL tsvector columns: the migration makes either.

Both index `status_search(status_id, body)` and `account_search(account_id, body)`.
"""

from sqlalchemy import BigInteger, Column, Table, Text

from phiomia.platform.db.tables import metadata

status_search = Table(
    "status_search",
    metadata,
    Column("status_id", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    info={"by_hand": True},
)

account_search = Table(
    "account_search",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    info={"by_hand": True},
)
