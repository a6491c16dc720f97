"""Hashtags come into being by being used."""

from sqlalchemy import select

from phiomia.domain.tags.models import tags
from phiomia.platform.db import P, Query, WriteSession, any_of, listed
from phiomia.platform.ids import new_id

_USE = Query(
    lambda insert: (
        insert(tags)
        .values(
            id=P("id"),
            name=P("name", str),
            display_name=P("display_name", str),
            created_at=P("at"),
            last_used_at=P("at"),
        )
        .on_conflict_do_update(index_elements=["name"], set_={"last_used_at": P("at")})
    )
)
_IDS = Query(select(tags.c.name, tags.c.id).where(any_of(tags.c.name, listed("names", str))))


async def use_tags(session: WriteSession, named: list[tuple[str, str]], now: int) -> dict[str, int]:
    """The ids of hashtags given as (key, as written), made if new."""
    # In one order everywhere: two transactions that use the same tags must not wait for each other.
    await session.execute_many(
        _USE, [{"id": new_id(), "name": key, "display_name": display, "at": now} for key, display in sorted(named)]
    )
    return {row[0]: row[1] for row in await session.all(_IDS, names=[key for key, _ in named])}
