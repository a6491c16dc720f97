"""The servers that accounts here are known from."""

from typing import Final

from sqlalchemy import and_, delete, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.peers.models import domain_blocks, peers
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession

# Of whom nothing was heard for so long, and nobody is known here, nothing need be known either.
FORGOTTEN_MS: Final = 365 * DAY
_HIGHEST = "\U0010ffff"
_not_ruled = ~select(domain_blocks.c.id).where(domain_blocks.c.domain == accounts.c.domain).exists()
_KNOWN = select(accounts.c.domain).distinct().where(accounts.c.domain != "", _not_ruled).order_by(accounts.c.domain)
_ALL = Query(_KNOWN)
_PREFIX = Query(_KNOWN.where(accounts.c.domain >= P("low", str), accounts.c.domain < P("high", str)).limit(P("limit")))

_is_known = select(accounts.c.id).where(accounts.c.domain == peers.c.host).exists()
_FORGET = Query(
    delete(peers).where(
        or_(
            # Of these the table says nothing that would not hold for everybody.
            and_(peers.c.failures == 0, peers.c.retry_at.is_(None), peers.c.gone_at.is_(None)),
            and_(or_(peers.c.unavailable_since < P("before"), peers.c.gone_at < P("before")), ~_is_known),
        )
    )
)


async def list_peers(session: ReadSession) -> list[str]:
    """Every server, but those with a rule against them. Looks through the accounts' index."""
    return await session.column(_ALL)


async def find_peers(session: ReadSession, prefix: str, limit: int) -> list[str]:
    """Those that begin so."""
    found: list[str] = await session.column(_PREFIX, low=prefix, high=prefix + _HIGHEST, limit=limit)
    return [domain for domain in found if domain.startswith(prefix)]


async def forget_peers(session: WriteSession) -> int:
    """Forgets servers of which nothing is worth knowing any more; gives the number."""
    return await session.execute(_FORGET, before=now_ms() - FORGOTTEN_MS)
