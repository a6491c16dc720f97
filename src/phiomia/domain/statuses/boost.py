"""Boosting a status: a status of one's own that shares it."""

from sqlalchemy import select, text

from phiomia.domain.errors import Invalid, NotAllowed
from phiomia.domain.statuses.counters import count_boost, count_status
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.events import StatusBoosted
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import can_boost
from phiomia.domain.statuses.targets import Target, find_target, find_unblocked_target, meant
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_COLUMNS = ("id", "account_id", "local", "uri", "visibility", "conversation_id", "reblog_of_id", "created_at")
_INSERT = Query(
    lambda insert: (
        insert(statuses)
        .values({name: column_parameter(statuses, name) for name in _COLUMNS})
        .on_conflict_do_nothing(
            index_elements=["reblog_of_id", "account_id"], index_where=text("reblog_of_id IS NOT NULL")
        )
    )
)
_BOOST = Query(select(statuses.c.id).where(statuses.c.reblog_of_id == meant(), statuses.c.account_id == P("actor")))


async def boost(
    session: WriteSession,
    actor_id: int,
    status_id: int,
    visibility: Visibility = Visibility.PUBLIC,
    *,
    uri: str = "",
    created_at: int | None = None,
) -> int:
    """Boosts a status; gives the boost's id, the existing one's if there is one.

    `uri` and `created_at` are those of a boost made elsewhere. Raises NotFound, NotAllowed, Invalid.
    """
    target = await find_unblocked_target(session, actor_id, status_id)
    if not can_boost(target.visibility, target.account_id, actor_id):
        raise NotAllowed
    if visibility == Visibility.DIRECT:
        raise Invalid("Validation failed: Visibility of a boost can't be direct")
    if target.visibility == Visibility.PRIVATE:
        visibility = Visibility.PRIVATE
    boost_id, at = new_id(created_at), created_at or now_ms()
    added = await session.execute(
        _INSERT,
        id=boost_id,
        account_id=actor_id,
        local=not uri,
        uri=uri,
        visibility=int(visibility),
        conversation_id=boost_id,
        reblog_of_id=target.id,
        created_at=at,
    )
    if not added:
        return int(await session.value(_BOOST, id=target.id, actor=actor_id))
    await count_boost(session, target.id, by=1)
    await count_status(session, actor_id, visibility, at)
    await _tell(session, boost_id, actor_id, target, visibility, local=not uri)
    return boost_id


async def unboost(session: WriteSession, actor_id: int, status_id: int) -> bool:
    """Takes a boost back, also of what the actor may no longer see; False if there was none.

    Raises NotFound if there is neither.
    """
    boost_id = await session.value(_BOOST, id=status_id, actor=actor_id)
    if boost_id is None:
        await find_target(session, actor_id, status_id)
        return False
    await delete_status(session, actor_id, boost_id)
    return True


async def _tell(
    session: WriteSession, boost_id: int, actor_id: int, target: Target, visibility: Visibility, *, local: bool
) -> None:
    await record(
        session,
        StatusBoosted(
            status_id=boost_id,
            account_id=actor_id,
            original_id=target.id,
            original_account_id=target.account_id,
            visibility=int(visibility),
            local=local,
        ),
    )
