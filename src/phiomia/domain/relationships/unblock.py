"""No longer blocking an account."""

from sqlalchemy import delete

from phiomia.domain.relationships.events import Unblocked
from phiomia.domain.relationships.models import blocks
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_DELETE = Query(
    delete(blocks)
    .where(blocks.c.account_id == P("account"), blocks.c.target_id == P("target"))
    .returning(blocks.c.id, blocks.c.uri)
)


async def unblock(session: WriteSession, actor_id: int, target_id: int) -> None:
    """Ends a block; nothing happens if there is none. Raises NotFound."""
    await require_account(session, target_id)
    row = await session.one(_DELETE, account=actor_id, target=target_id)
    if row is not None:
        await record(session, Unblocked(actor_id, target_id, row[0], row[1]))
