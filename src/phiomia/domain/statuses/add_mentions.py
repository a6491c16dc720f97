"""People whom a status names and who came to be known later."""

from collections.abc import Sequence

from sqlalchemy import update

from phiomia.domain.statuses.models import status_mentions, statuses
from phiomia.platform.db import P, Query, WriteSession

_RENEW = Query(update(statuses).where(statuses.c.id == P("id")))
_MENTION = Query(
    lambda insert: (
        insert(status_mentions)
        .values(status_id=P("status"), account_id=P("account"), silent=False)
        .on_conflict_do_nothing()
    )
)


async def add_mentions(session: WriteSession, status_id: int, account_ids: Sequence[int]) -> None:
    """Notes that a status means these accounts, all of other servers; nothing happens if it is gone."""
    if not await session.execute(_RENEW, id=status_id):
        return
    rows = [{"status": status_id, "account": account_id} for account_id in account_ids]
    await session.execute_many(_MENTION, rows)
