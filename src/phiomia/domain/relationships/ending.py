"""How a follow or a request ends, whichever verb ends it."""

from sqlalchemy import Table, delete, select

from phiomia.domain.relationships.counters import count_follow
from phiomia.domain.relationships.events import FollowRejected, FollowWithdrawn, Unfollowed
from phiomia.domain.relationships.models import endorsements, follow_requests, follows, list_accounts, lists
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record


def _delete_pair(table: Table) -> Query:
    return Query(
        delete(table)
        .where(table.c.account_id == P("account"), table.c.target_id == P("target"))
        .returning(table.c.id, table.c.uri)
    )


_END_FOLLOW, _END_REQUEST = _delete_pair(follows), _delete_pair(follow_requests)
_END_ENDORSEMENT = Query(
    delete(endorsements).where(endorsements.c.account_id == P("account"), endorsements.c.target_id == P("target"))
)
_LEAVE_LISTS = Query(
    delete(list_accounts).where(
        list_accounts.c.account_id == P("target"),
        list_accounts.c.list_id.in_(select(lists.c.id).where(lists.c.account_id == P("account"))),
    )
)


async def end_follow(session: WriteSession, follower_id: int, followed_id: int, *, by_target: bool = False) -> bool:
    """Ends a follow and what needs one (endorsement, places in lists); False if there was none."""
    row = await session.one(_END_FOLLOW, account=follower_id, target=followed_id)
    if row is None:
        return False
    follow_id, uri = row
    await count_follow(session, follower_id, followed_id, by=-1)
    await session.execute(_END_ENDORSEMENT, account=follower_id, target=followed_id)
    await session.execute(_LEAVE_LISTS, account=follower_id, target=followed_id)
    await record(session, Unfollowed(follower_id, followed_id, follow_id, uri, by_target))
    if by_target:
        await record(session, FollowRejected(follower_id, followed_id, follow_id, uri))
    return True


async def end_request(session: WriteSession, follower_id: int, followed_id: int, *, by_target: bool = False) -> bool:
    """Ends a request to follow; False if there was none."""
    row = await session.one(_END_REQUEST, account=follower_id, target=followed_id)
    if row is None:
        return False
    kind = FollowRejected if by_target else FollowWithdrawn
    await record(session, kind(follower_id, followed_id, row[0], row[1]))
    return True
