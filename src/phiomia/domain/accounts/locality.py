"""Where accounts live."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import Query, ReadSession, any_of, listed

_DOMAINS = Query(select(accounts.c.id, accounts.c.domain).where(any_of(accounts.c.id, listed("ids"))))


async def load_domains(session: ReadSession, ids: Sequence[int]) -> dict[int, str]:
    """The domain of each account that exists; empty for our own."""
    return {row[0]: row[1] for row in await session.all(_DOMAINS, ids=list(ids))}


async def goes_out(session: ReadSession, actor_id: int, target_id: int) -> bool:
    """Whether what a member does to an account has to be told to another server."""
    domains = await load_domains(session, [actor_id, target_id])
    return domains.get(actor_id) == "" and domains.get(target_id, "") != ""
