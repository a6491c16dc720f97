"""The indexes of words. The migration makes them: FTS5 tables on SQLite, tables with a tsvector on PostgreSQL.

`rowid` is the id of the status or account. `body` can be searched but not read back: on SQLite nothing but the index
is kept. What stands in it is decided by `words.py` alone, so that both databases find the same.
"""

from sqlalchemy import BigInteger, Column, Table, Text

from phiomia.platform.db import metadata


def _index(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("rowid", BigInteger, primary_key=True, autoincrement=False),
        Column("body", Text, nullable=False),
        info={"by_hand": True},
    )


status_search = _index("status_search")
account_search = _index("account_search")
