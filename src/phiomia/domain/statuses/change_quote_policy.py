"""Changing who may quote a status."""

from sqlalchemy import select, update

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.events import QuotePolicyChanged
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.quote_policy import allowed_policy
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_OWN = Query(
    select(statuses.c.quote_policy, statuses.c.visibility)
    .where(statuses.c.id == P("id"), statuses.c.account_id == P("author"), statuses.c.reblog_of_id.is_(None))
    .with_for_update(key_share=True)
)
_CHANGE = Query(update(statuses).where(statuses.c.id == P("id")).values(quote_policy=P("chosen")))


async def change_quote_policy(session: WriteSession, actor_id: int, status_id: int, policy: int) -> bool:
    """Writes the policy of the actor's own status; False if it was that already. Raises NotFound.

    Quotes that were made before stay.
    """
    row = await session.one(_OWN, id=status_id, author=actor_id)
    if row is None:
        raise NotFound
    allowed = allowed_policy(policy, row[1])
    if row[0] == allowed:
        return False
    await session.execute(_CHANGE, id=status_id, chosen=allowed)
    await record(session, QuotePolicyChanged(status_id, actor_id))
    return True
