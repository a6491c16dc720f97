import asyncio
from types import SimpleNamespace

from phiomia.domain.search.index import _PUT_ACCOUNT, _PUT_STATUS
from phiomia.domain.search.merge import MergeSearchIndexes, run_merge
from phiomia.platform.db import Database, Query, WriteSession, open_database

_PARTS = Query.raw(sqlite="SELECT count(DISTINCT segid) FROM status_search_idx")
_FOUND = Query.raw(
    sqlite="SELECT rowid FROM status_search WHERE status_search MATCH 'walrus' ORDER BY rowid",
    postgresql="SELECT rowid FROM status_search WHERE body @@ CAST('walrus' AS tsquery) ORDER BY rowid",
)
_WRITES = 40


def test_merged_indexes_find_what_they_found(migrated_database_url: str) -> None:
    async def check() -> None:
        db = open_database(migrated_database_url)
        await db.start()
        try:
            for id_ in range(1, _WRITES + 1):
                await db.write(lambda session, id_=id_: _index(session, db, id_))
            before = await _look(db)
            context = SimpleNamespace(db=db)
            await run_merge(context, MergeSearchIndexes())
            after = await _look(db)
            await run_merge(context, MergeSearchIndexes())
            assert before[0] == after[0] == (await _look(db))[0] == list(range(2, _WRITES + 1, 2))
            if db.dialect == "sqlite":
                assert before[1] > after[1] == 1
        finally:
            await db.close()

    asyncio.run(check())


async def _index(session: WriteSession, db: Database, id_: int) -> None:
    body = "walrus" if id_ % 2 == 0 else "otter"
    if db.dialect == "postgresql":
        body = f"'{body}'"
    await session.execute(_PUT_STATUS, id=id_, body=body)
    await session.execute(_PUT_ACCOUNT, id=id_, body=body)


async def _look(db: Database) -> tuple[list[int], int]:
    async with db.read() as session:
        parts = await session.value(_PARTS) if db.dialect == "sqlite" else 0
        return await session.column(_FOUND), parts
