"""Keys that are made once, at the first start, and kept in the database."""

from collections.abc import Callable

from sqlalchemy import select

from phiomia.domain.instance.models import server_facts
from phiomia.platform.db import Database, P, Query, WriteSession
from phiomia.platform.db.query import column_parameter

_READ = Query(select(server_facts.c.value).where(server_facts.c.name == P("name", str)))
_KEEP = Query(
    lambda insert: (
        insert(server_facts)
        .values(name=P("name", str), value=column_parameter(server_facts, "value"))
        .on_conflict_do_nothing()
    )
)


async def find_fact(db: Database, name: str) -> bytes | None:
    """The value of a fact, if it was made already."""
    async with db.read() as session:
        known = await session.value(_READ, name=name)
    return None if known is None else bytes(known)


async def keep_fact(db: Database, name: str, make: Callable[[], bytes]) -> bytes:
    """The value of a fact; made and stored if there is none yet, once for all processes."""
    known = await find_fact(db, name)
    if known is not None:
        return known
    made = make()

    async def keep(session: WriteSession) -> bytes:
        await note_fact(session, name, made)
        return bytes(await session.value(_READ, name=name))

    return await db.write(keep)


async def note_fact(session: WriteSession, name: str, value: bytes) -> bool:
    """Stores a fact, unless there is one of that name; whether there was none."""
    return bool(await session.execute(_KEEP, name=name, value=value))
