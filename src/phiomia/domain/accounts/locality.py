"""Where accounts live."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import StateOrigin
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_DOMAINS = Query(select(accounts.c.id, accounts.c.domain).where(any_of(accounts.c.id, listed("ids"))))

_LEFT = Query(select(accounts.c.id).where(accounts.c.id == P("id"), accounts.c.state_origin == StateOrigin.LEFT))


async def load_domains(session: ReadSession, ids: Sequence[int]) -> dict[int, str]:
    """The domain of each account that exists; empty for our own."""
    return {row[0]: row[1] for row in await session.all(_DOMAINS, ids=list(ids))}


async def goes_out(session: ReadSession, actor_id: int, target_id: int) -> bool:
    """Whether what a member does to an account has to be told to another server."""
    domains = await load_domains(session, [actor_id, target_id])
    there = domains.get(actor_id) == "" and domains.get(target_id, "") != ""
    return there and not await has_left(session, actor_id)


async def has_left(session: ReadSession, account_id: int) -> bool:
    """Whether this is a member who has left for ever: other servers were told once, and of nothing that follows."""
    return await session.value(_LEFT, id=account_id) is not None
