"""An account says where it lives now."""

from sqlalchemy import or_, select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.json import decode_strings
from phiomia.platform.limits import MOVE_EVERY_SECONDS

_ALIASES = Query(select(accounts.c.also_known_as).where(accounts.c.id == P("id")))
_MOVE = Query(
    update(accounts)
    .where(accounts.c.id == P("id"), accounts.c.moved_to_id.is_distinct_from(P("target")))
    .values(moved_to_id=P("target"))
)
_NOTE = Query(
    update(accounts)
    .where(
        accounts.c.id == P("of_id"),
        or_(accounts.c.moved_at.is_(None), accounts.c.moved_at < P("since")),
    )
    .values(moved_at=P("now"))
)


async def names_as_former(session: ReadSession, account_id: int, uri: str) -> bool:
    """Whether the account says to have been known by that id before."""
    return uri in decode_strings(await session.value(_ALIASES, id=account_id) or "[]")


async def note_move(session: WriteSession, account_id: int) -> bool:
    """Notes that an account announces a move; False if it has announced one some days ago: it has to wait."""
    now = now_ms()
    return bool(await session.execute(_NOTE, of_id=account_id, now=now, since=now - MOVE_EVERY_SECONDS * SECOND))


async def mark_moved(session: WriteSession, account_id: int, target_id: int) -> bool:
    """Notes where the account has moved to; False if that is known."""
    if account_id == target_id or not await session.execute(_MOVE, id=account_id, target=target_id):
        return False
    await record(session, AccountUpdated(account_id))
    return True
