"""Answering those who ask to follow."""

from sqlalchemy import delete

from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.counters import count_follow
from phiomia.domain.relationships.ending import end_request
from phiomia.domain.relationships.events import FollowAccepted, Followed
from phiomia.domain.relationships.models import follow_requests, follows
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record

_COPIED = ("id", "show_boosts", "notify", "languages", "uri")
_TAKE = Query(
    delete(follow_requests)
    .where(follow_requests.c.account_id == P("account"), follow_requests.c.target_id == P("target"))
    .returning(*(follow_requests.c[name] for name in _COPIED))
)
_INSERT = Query(
    lambda insert: (
        insert(follows)
        .values({name: column_parameter(follows, name) for name in (*_COPIED, "account_id", "target_id", "created_at")})
        .on_conflict_do_nothing(index_elements=["account_id", "target_id"])
    )
)


async def authorize_follow_request(session: WriteSession, actor_id: int, follower_id: int) -> None:
    """Lets `follower_id`, who asked, follow the actor. Raises NotFound if it did not ask."""
    row = await session.one(_TAKE, account=follower_id, target=actor_id)
    if row is None:
        raise NotFound()
    values = dict(zip(_COPIED, row, strict=True))
    added = await session.execute(_INSERT, account_id=follower_id, target_id=actor_id, created_at=now_ms(), **values)
    if added:
        await count_follow(session, follower_id, actor_id, by=1)
        await record(session, Followed(follower_id, actor_id, values["id"]))
    await record(session, FollowAccepted(follower_id, actor_id, values["id"], values["uri"]))


async def reject_follow_request(session: WriteSession, actor_id: int, follower_id: int) -> None:
    """Refuses `follower_id`, who asked to follow the actor. Raises NotFound if it did not ask."""
    if not await end_request(session, follower_id, actor_id, by_target=True):
        raise NotFound()
