"""The key pair with which the server itself signs: it asks for documents and speaks for nobody in particular."""

import asyncio

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.keys import KeyPair, generate_key_pair
from phiomia.domain.instance.models import server_facts
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter

_NAME = "instance_key"
_LOAD = Query(select(server_facts.c.value).where(server_facts.c.name == P("name", str)))
_STORE = Query(
    lambda insert: (
        insert(server_facts)
        .values(name=P("name", str), value=column_parameter(server_facts, "value"))
        .on_conflict_do_nothing(index_elements=["name"])
    )
)


async def load_or_make_instance_key(db: Database) -> KeyPair:
    """The server's own keys, made now if it has none."""
    async with db.read() as session:
        known = await _load(session)
    if known is not None:
        return known
    made = await asyncio.to_thread(generate_key_pair)

    async def store(session: WriteSession) -> KeyPair:
        # Another process may have been faster: the pair that was stored first stays.
        await session.execute(_STORE, name=_NAME, value=msgspec.json.encode(made))
        return await _load(session) or made

    return await db.write(store)


async def _load(session: ReadSession) -> KeyPair | None:
    value = await session.value(_LOAD, name=_NAME)
    return None if value is None else KeyPair(*msgspec.json.decode(bytes(value), type=tuple[str, str]))
