"""The servers that accounts here are known from."""

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.peers.models import domain_blocks
from phiomia.platform.db import P, Query, ReadSession

_HIGHEST = "\U0010ffff"
_not_ruled = ~select(domain_blocks.c.id).where(domain_blocks.c.domain == accounts.c.domain).exists()
_KNOWN = select(accounts.c.domain).distinct().where(accounts.c.domain != "", _not_ruled).order_by(accounts.c.domain)
_ALL = Query(_KNOWN)
_PREFIX = Query(_KNOWN.where(accounts.c.domain >= P("low", str), accounts.c.domain < P("high", str)).limit(P("limit")))


async def list_peers(session: ReadSession) -> list[str]:
    """Every server, but those with a rule against them. Looks through the accounts' index."""
    return await session.column(_ALL)


async def find_peers(session: ReadSession, prefix: str, limit: int) -> list[str]:
    """Those that begin so."""
    found: list[str] = await session.column(_PREFIX, low=prefix, high=prefix + _HIGHEST, limit=limit)
    return [domain for domain in found if domain.startswith(prefix)]
