"""Counting who and what is here. Bounded by caching in the edges: these statements scan."""

import msgspec
from sqlalchemy import func, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.platform.db import Query, ReadSession


class Statistics(msgspec.Struct, frozen=True):
    """What the instance documents tell."""

    users: int
    active_month: int
    statuses: int
    domains: int


_LOCAL = Query(
    select(func.count(), func.coalesce(func.sum(accounts.c.statuses_count), 0)).where(
        accounts.c.domain == "", accounts.c.state < AccountState.SUSPENDED
    )
)
_DOMAINS = Query(select(func.count(accounts.c.domain.distinct())).where(accounts.c.domain != ""))


async def count_all(session: ReadSession, active_month: int) -> Statistics:
    """The server's figures, with how many were active within a month."""
    row = await session.one(_LOCAL)
    return Statistics(
        users=row[0] if row else 0,
        active_month=active_month,
        statuses=int(row[1]) if row else 0,
        domains=await session.value(_DOMAINS) or 0,
    )
