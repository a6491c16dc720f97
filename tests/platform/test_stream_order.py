"""Numbers of the streaming log become visible in their order, whoever is first to ask for one."""

from __future__ import annotations

import asyncio

from queueing import until

from phiomia.platform.db import Database, Query, WriteSession, open_database
from phiomia.platform.events import append_stream, read_stream
from phiomia.upgrade import schema

_WAITING = Query.raw(
    sqlite="SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE pg_database.datname = current_database() AND locktype = 'advisory' AND NOT granted"
)


def test_who_waits_for_their_turn_has_no_number_yet(postgresql_url: str) -> None:
    """Else a reader that has seen a later one would never see it."""

    async def play() -> None:
        await schema.upgrade(postgresql_url)
        db = open_database(postgresql_url)
        await db.start()
        try:
            await _let_two_write(db)
            async with db.read() as session:
                assert [event.kind for event in await read_stream(session, 0)] == ["first", "first", "second"]
        finally:
            await db.close()

    asyncio.run(play())


async def _let_two_write(db: Database) -> None:
    begun = asyncio.Event()

    async def waits() -> bool:
        async with db.read() as session:
            return bool(await session.value(_WAITING))

    async def first(session: WriteSession) -> None:
        await append_stream(session, "first", {})
        begun.set()
        await until(waits)
        await append_stream(session, "first", {})

    async def second(session: WriteSession) -> None:
        await append_stream(session, "second", {})

    writing = asyncio.create_task(db.write(first))
    await begun.wait()
    await asyncio.gather(writing, db.write(second))
