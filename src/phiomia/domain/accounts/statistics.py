"""Counting who and what is here. Bounded by caching in the edges: these statements scan."""

import msgspec
from sqlalchemy import func, select

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, ReadSession


class Statistics(msgspec.Struct, frozen=True):
    """What the instance documents tell."""

    users: int
    active_month: int
    statuses: int
    domains: int


_LOCAL = Query(
    select(func.count(), func.coalesce(func.sum(accounts.c.statuses_count), 0)).where(accounts.c.domain == "")
)
_ACTIVE = Query(
    select(func.count()).select_from(accounts).where(accounts.c.domain == "", accounts.c.last_status_at > P("since"))
)
_DOMAINS = Query(select(func.count(accounts.c.domain.distinct())).where(accounts.c.domain != ""))


async def count_all(session: ReadSession, month_ago: int) -> Statistics:
    """The server's figures. `month_ago` in ms: who posted since then counts as active."""
    row = await session.one(_LOCAL)
    return Statistics(
        users=row[0] if row else 0,
        active_month=await session.value(_ACTIVE, since=month_ago) or 0,
        statuses=int(row[1]) if row else 0,
        domains=await session.value(_DOMAINS) or 0,
    )


async def count_active(session: ReadSession, since: int) -> int:
    """How many accounts have posted since a moment."""
    return int(await session.value(_ACTIVE, since=since) or 0)
