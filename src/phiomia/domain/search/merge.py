"""Merges the parts of the indexes of words, as they pile up with each change, so that a search reads one and not many.

SQLite only (https://www.sqlite.org/fts5.html#the_merge_command); PostgreSQL's autovacuum does it by itself.
"""

from typing import Any

from phiomia.platform.db import Database, Query, WriteSession
from phiomia.platform.jobs.defer import Job

# What is written at a time: a few milliseconds, so that others who write hardly wait.
_PAGES = 64
# Of a merge that does nothing, SQLite counts one change.
_NOTHING = 1


class MergeSearchIndexes(Job, frozen=True):
    """Merge the parts of the indexes of words."""

    TYPE = "search.merge"
    QUEUE = "scheduled"


def _merge(table: str, pages: int) -> Query:
    return Query.raw(sqlite=f"INSERT INTO {table} ({table}, rank) VALUES ('merge', {pages})")  # noqa: S608 (our names)


# The first number, below zero, takes all parts there are into one merge; the others go on with it.
_BEGIN = {table: _merge(table, -_PAGES) for table in ("status_search", "account_search")}
_CONTINUE = {table: _merge(table, _PAGES) for table in _BEGIN}
_CHANGES = Query.raw(sqlite="SELECT total_changes()")


async def run_merge(context: Any, _job: MergeSearchIndexes) -> None:
    """Handler of MergeSearchIndexes."""
    db: Database = context.db
    if db.dialect == "sqlite":
        for table in _BEGIN:
            await _merge_all(db, table)


async def _merge_all(db: Database, table: str) -> None:
    query = _BEGIN[table]
    while await db.write(lambda session: _merge_some(session, query)):  # noqa: B023 (it is awaited here)
        query = _CONTINUE[table]


async def _merge_some(session: WriteSession, query: Query) -> bool:
    before = await session.value(_CHANGES)
    await session.execute(query)
    return bool(await session.value(_CHANGES) - before > _NOTHING)
