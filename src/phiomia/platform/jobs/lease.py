"""Leases: exactly one process at a time does a thing, and another takes over when it is gone."""

from sqlalchemy import delete, or_, select

from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.jobs.models import leases

_TAKE = Query(
    lambda insert: (
        insert(leases)
        .values(name=P("name", str), holder=P("holder", str), until=P("until"))
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": P("holder", str), "until": P("until")},
            where=or_(leases.c.holder == P("holder", str), leases.c.until <= P("now")),
        )
    )
)
_RELEASE = Query(delete(leases).where(leases.c.name == P("name", str), leases.c.holder == P("holder", str)))
_HOLDER = Query(select(leases.c.holder, leases.c.until).where(leases.c.name == P("name", str)))


async def take_lease(session: WriteSession, name: str, holder: str, *, now: int, until: int) -> bool:
    """Whether `holder` has the lease now: it was free, had ended, or was the holder's already (then it is renewed)."""
    return bool(await session.execute(_TAKE, name=name, holder=holder, now=now, until=until))


async def release_lease(session: WriteSession, name: str, holder: str) -> None:
    """Gives a lease back, so that another need not wait for its end."""
    await session.execute(_RELEASE, name=name, holder=holder)


async def load_lease(session: ReadSession, name: str) -> tuple[str, int]:
    """Who holds the lease, and until when; ("", 0) for nobody."""
    row = await session.one(_HOLDER, name=name)
    return ("", 0) if row is None else (row[0], row[1])
