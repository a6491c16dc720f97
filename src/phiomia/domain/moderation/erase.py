"""Erasing an account with all it left here, in bounded steps. Of a member who left name and key stay."""

from sqlalchemy import delete, or_, select, update

from phiomia.domain.accounts.locality import has_left
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.moderation.private import forget_private
from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.models import follow_requests, follows
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.favourite import unfavourite
from phiomia.domain.statuses.models import favourites, statuses
from phiomia.platform.db import P, Query, WriteSession

_STEP = 50
# Whom moderators have suspended stays so, lest somebody leave and come back without it.
_HIDE = Query(
    update(accounts)
    .where(accounts.c.id == P("id"), accounts.c.domain != "", accounts.c.state < AccountState.SUSPENDED)
    .values(state=AccountState.SUSPENDED, state_origin=StateOrigin.REMOTE)
)
_STATUSES = Query(select(statuses.c.id).where(statuses.c.account_id == P("id")).order_by(statuses.c.id).limit(_STEP))
_FAVOURITES = Query(select(favourites.c.status_id).where(favourites.c.account_id == P("id")).limit(_STEP))
_FOLLOWS = Query(
    select(follows.c.account_id, follows.c.target_id)
    .where(or_(follows.c.account_id == P("id"), follows.c.target_id == P("id")))
    .limit(_STEP)
)
_REQUESTS = Query(
    select(follow_requests.c.account_id, follow_requests.c.target_id)
    .where(or_(follow_requests.c.account_id == P("id"), follow_requests.c.target_id == P("id")))
    .limit(_STEP)
)
_DELETE = Query(
    delete(accounts).where(
        accounts.c.id == P("id"),
        accounts.c.domain != "",
        accounts.c.state == AccountState.SUSPENDED,
        accounts.c.state_origin == StateOrigin.REMOTE,
    )
)


async def hide_account(session: WriteSession, account_id: int) -> None:
    """Takes an account of another server out of sight at once."""
    await session.execute(_HIDE, id=account_id)


async def erase_some(session: WriteSession, account_id: int) -> bool:
    """Erases some of what a hidden account left here, in the end itself, unless moderators had hidden it before.

    True while there is more.
    Through the verbs, so that counters, feeds and notifications of others stay right.
    """
    found = await session.column(_STATUSES, id=account_id)
    for status_id in found:
        await delete_status(session, account_id, status_id, delete_media=True)
    return bool(found) or await _erase_ties(session, account_id)


async def _erase_ties(session: WriteSession, account_id: int) -> bool:
    favoured = await session.column(_FAVOURITES, id=account_id)
    for status_id in favoured:
        await unfavourite(session, account_id, status_id)
    followed = await session.all(_FOLLOWS, id=account_id)
    for follower_id, target_id in followed:
        await end_follow(session, follower_id, target_id)
    asked = await session.all(_REQUESTS, id=account_id)
    for follower_id, target_id in asked:
        await end_request(session, follower_id, target_id)
    if favoured or followed or asked:
        return True
    await session.execute(_DELETE, id=account_id)
    if await has_left(session, account_id):
        await forget_private(session, account_id)
    return False
