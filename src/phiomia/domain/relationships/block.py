"""Blocking an account."""

from sqlalchemy import delete, or_

from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.events import Blocked
from phiomia.domain.relationships.models import blocks, endorsements
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_COLUMNS = ("id", "account_id", "target_id", "created_at", "uri")
_INSERT = Query(
    lambda insert: (
        insert(blocks)
        .values({name: column_parameter(blocks, name) for name in _COLUMNS})
        .on_conflict_do_nothing(index_elements=["account_id", "target_id"])
    )
)
_END_ENDORSEMENTS = Query(
    delete(endorsements).where(
        or_(
            (endorsements.c.account_id == P("one")) & (endorsements.c.target_id == P("other")),
            (endorsements.c.account_id == P("other")) & (endorsements.c.target_id == P("one")),
        )
    )
)


async def block(session: WriteSession, actor_id: int, target_id: int, *, uri: str = "") -> None:
    """Blocks an account and ends the follows, requests and endorsements between the two.

    Nothing happens to oneself or a second time. `uri` is the block's name on the actor's own server. Raises NotFound.
    """
    await require_account(session, target_id)
    if actor_id == target_id:
        return
    block_id = new_id()
    added = await session.execute(
        _INSERT, id=block_id, account_id=actor_id, target_id=target_id, created_at=now_ms(), uri=uri
    )
    if not added:
        return
    await end_follow(session, actor_id, target_id)
    await end_follow(session, target_id, actor_id, by_target=True)
    await end_request(session, actor_id, target_id)
    await end_request(session, target_id, actor_id, by_target=True)
    await session.execute(_END_ENDORSEMENTS, one=actor_id, other=target_id)
    await record(session, Blocked(actor_id, target_id, block_id))
