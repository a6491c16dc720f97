"""Names of what is gone, or taken back before it came: whatever arrives under one of them stays out."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from phiomia.domain.peers.models import tombstones
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.limits import TAKEN_BACK_SECONDS, TOMBSTONE_SECONDS

_BURY = Query(
    lambda insert: (
        insert(tombstones).values(uri=P("uri", str), created_at=P("now")).on_conflict_do_nothing(index_elements=["uri"])
    )
)
_FIND = Query(select(tombstones.c.uri).where(any_of(tombstones.c.uri, listed("uris", str))).limit(1))
_RECENT = Query(
    select(tombstones.c.uri).where(tombstones.c.uri == P("uri", str), tombstones.c.created_at > P("since")).limit(1)
)
_FORGET = Query(delete(tombstones).where(tombstones.c.created_at < P("before")))


async def bury(session: WriteSession, uri: str) -> None:
    """Remembers that nothing of that name shall come (back)."""
    if uri:
        await session.execute(_BURY, uri=uri, now=now_ms())


async def is_buried(session: ReadSession, uris: Sequence[str]) -> bool:
    """Whether one of the names is that of something gone."""
    return await session.value(_FIND, uris=list(uris)) is not None


async def was_taken_back(session: ReadSession, uri: str) -> bool:
    """Whether an activity was undone shortly before it came. Later the same name may be used again."""
    since = now_ms() - TAKEN_BACK_SECONDS * SECOND
    return bool(uri) and await session.value(_RECENT, uri=uri, since=since) is not None


async def forget_tombstones(session: WriteSession) -> int:
    """Forgets what nobody will send again; gives the number."""
    return await session.execute(_FORGET, before=now_ms() - TOMBSTONE_SECONDS * SECOND)
