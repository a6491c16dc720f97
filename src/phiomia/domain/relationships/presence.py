"""Whether an account is there to have a relationship with."""

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.platform.db import P, Query, ReadSession

_KNOWN = Query(select(accounts.c.id).where(accounts.c.id == P("account")))


async def require_account(session: ReadSession, account_id: int) -> None:
    """Raises NotFound unless the account is known here, in whatever state it is."""
    if await session.value(_KNOWN, account=account_id) is None:
        raise NotFound()
