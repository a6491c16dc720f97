"""The migrations make the schema that the code expects, on both databases, and can be asked for twice."""

from __future__ import annotations

import asyncio

from phiomia.migrations import AWAITING_CONTRACT, HEADS
from phiomia.platform.db import Query, open_database
from phiomia.tables import metadata
from phiomia.upgrade import schema

_SQLITE = "SELECT m.name, i.name FROM sqlite_master m JOIN pragma_table_info(m.name) i WHERE m.type = 'table'"
_POSTGRESQL = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
_SQLITE_INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index'"
_POSTGRESQL_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"


def test_the_migrations_make_what_the_tables_say(migrated_database_url: str) -> None:
    async def look() -> tuple[set[tuple[str, str]], set[str]]:
        db = open_database(migrated_database_url)
        await db.start()
        try:
            async with db.read() as session:
                columns = await session.all(Query.raw(sqlite=_SQLITE, postgresql=_POSTGRESQL))
                indexes = await session.all(Query.raw(sqlite=_SQLITE_INDEXES, postgresql=_POSTGRESQL_INDEXES))
        finally:
            await db.close()
        return {(row[0], row[1]) for row in columns}, {row[0] for row in indexes}

    columns, indexes = asyncio.run(look())
    tables = [table for table in metadata.sorted_tables if not table.info.get("by_hand")]
    for table in tables:
        left_over = {one.partition(".")[2] for one in AWAITING_CONTRACT if one.partition(".")[0] == table.name}
        wanted = {column.name for column in table.columns}
        assert wanted <= {name for of, name in columns if of == table.name} <= wanted | left_over
        assert indexes >= {str(index.name) for index in table.indexes}


def test_asking_again_changes_nothing(database_url: str) -> None:
    applied = set(asyncio.run(schema.upgrade(database_url)))
    assert applied >= HEADS
    assert asyncio.run(schema.upgrade(database_url)) == []
    assert asyncio.run(schema.current(database_url)) == applied


def test_two_may_ask_at_once(database_url: str) -> None:
    async def both() -> list[list[str]]:
        return list(await asyncio.gather(*[asyncio.to_thread(_upgrade, database_url) for _ in range(2)]))

    applied = asyncio.run(both())
    assert sorted(map(bool, applied)) == [False, True]


def _upgrade(url: str) -> list[str]:
    return asyncio.run(schema.upgrade(url))
