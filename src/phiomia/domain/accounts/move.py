"""An account says where it lives now."""

from sqlalchemy import select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.json import decode_strings

_ALIASES = Query(select(accounts.c.also_known_as).where(accounts.c.id == P("id")))
_MOVE = Query(
    update(accounts)
    .where(accounts.c.id == P("id"), accounts.c.moved_to_id.is_distinct_from(P("target")))
    .values(moved_to_id=P("target"))
)


async def names_as_former(session: ReadSession, account_id: int, uri: str) -> bool:
    """Whether the account says to have been known by that id before."""
    return uri in decode_strings(await session.value(_ALIASES, id=account_id) or "[]")


async def mark_moved(session: WriteSession, account_id: int, target_id: int) -> bool:
    """Notes where the account has moved to; False if that is known."""
    if account_id == target_id or not await session.execute(_MOVE, id=account_id, target=target_id):
        return False
    await record(session, AccountUpdated(account_id))
    return True
