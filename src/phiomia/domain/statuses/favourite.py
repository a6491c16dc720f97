"""Favouriting a status, and taking that back."""

from sqlalchemy import delete, select

from phiomia.domain.statuses.counters import count_favourite
from phiomia.domain.statuses.events import StatusFavourited, StatusUnfavourited
from phiomia.domain.statuses.models import favourites, statuses
from phiomia.domain.statuses.targets import find_target, find_unblocked_target, meant
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_INSERT = Query(
    lambda insert: (
        insert(favourites)
        .values(
            id=P("id"),
            account_id=P("account_id"),
            status_id=P("status_id"),
            created_at=P("created_at"),
            uri=P("uri", str),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "status_id"])
    )
)
_DELETE = Query(
    delete(favourites)
    .where(favourites.c.account_id == P("actor"), favourites.c.status_id == meant())
    .returning(favourites.c.status_id, favourites.c.id)
)
_NAMED = Query(
    select(favourites.c.status_id).where(favourites.c.account_id == P("actor"), favourites.c.uri == P("uri", str))
)
_AUTHOR = Query(select(statuses.c.account_id).where(statuses.c.id == P("id")))


async def favourite(session: WriteSession, actor_id: int, status_id: int, uri: str = "") -> None:
    """Favourites a status; nothing happens a second time. `uri`: what another server calls it.

    Raises NotFound, NotAllowed.
    """
    target = await find_unblocked_target(session, actor_id, status_id)
    id_ = new_id()
    added = await session.execute(
        _INSERT, id=id_, account_id=actor_id, status_id=target.id, created_at=now_ms(), uri=uri
    )
    if added:
        await count_favourite(session, target.id, by=1)
        await record(session, StatusFavourited(target.id, actor_id, target.account_id, id_))


async def unfavourite(session: WriteSession, actor_id: int, status_id: int) -> bool:
    """Takes a favourite back, also of what the actor may no longer see; False if there was none.

    Raises NotFound if there is neither.
    """
    row = await session.one(_DELETE, id=status_id, actor=actor_id)
    if row is None:
        await find_target(session, actor_id, status_id)
        return False
    favoured, favourite_id = row
    await count_favourite(session, favoured, by=-1)
    author_id = await session.value(_AUTHOR, id=favoured)
    await record(session, StatusUnfavourited(favoured, actor_id, author_id, favourite_id))
    return True


async def find_favourited(session: ReadSession, actor_id: int, uri: str) -> int | None:
    """The status that somebody of another server has favourited under that name."""
    found: int | None = await session.value(_NAMED, actor=actor_id, uri=uri) if uri else None
    return found
