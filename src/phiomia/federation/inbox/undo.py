"""Undo: a boost, favourite, follow or block is taken back."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from phiomia.domain.errors import DomainError
from phiomia.domain.peers.tombstones import bury
from phiomia.domain.relationships.ending import end_follow
from phiomia.domain.relationships.named import find_block, find_follow
from phiomia.domain.relationships.unblock import unblock
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.statuses.boost import unboost
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.favourite import find_favourited, unfavourite
from phiomia.domain.statuses.known import find_by_uri
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, Document, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import first, id_of, types
from phiomia.platform.db import WriteSession

Step = Callable[[WriteSession, InboxContext, Activity, Document], Awaitable[bool]]


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Takes back what is named by id or embedded; what is not known yet will be ignored when it comes."""
    value = first(activity.object)
    embedded: Document = value if isinstance(value, dict) else {}
    if id_of(embedded.get("actor")) not in ("", activity.actor.uri):
        return rejected("somebody else's activity")
    steps = [step for kind, step in _BY_TYPE.items() if kind in types(embedded)]
    if embedded.get("type") and not steps:
        return ignored("nothing that was kept")

    async def take_back(session: WriteSession) -> Outcome:
        for step in (_by_id, *steps):
            if await step(session, context, activity, embedded):
                return PROCESSED
        await bury(session, id_of(activity.object))
        return ignored("not known here")

    try:
        return await context.db.write(take_back)
    except DomainError as error:
        return ignored(str(error))


async def _by_id(session: WriteSession, _context: InboxContext, activity: Activity, _embedded: Document) -> bool:
    uri, actor_id = id_of(activity.object), activity.actor.id
    if not uri:
        return False
    status = await find_by_uri(session, uri)
    if status is not None and status.account_id == actor_id and status.reblog_of_id is not None:
        await delete_status(session, actor_id, status.id)
        return True
    if (pair := await find_follow(session, actor_id, uri)) is not None:
        await unfollow(session, actor_id, pair.target_id)
        return True
    if (pair := await find_block(session, actor_id, uri)) is not None:
        await unblock(session, actor_id, pair.target_id)
        return True
    if (status_id := await find_favourited(session, actor_id, uri)) is not None:
        return await unfavourite(session, actor_id, status_id)
    return False


async def _unfollow(session: WriteSession, context: InboxContext, activity: Activity, embedded: Document) -> bool:
    target_id = await ours.find_account(session, context.links, id_of(embedded.get("object")))
    if target_id is not None:
        await unfollow(session, activity.actor.id, target_id)
    return target_id is not None


async def _unblock(session: WriteSession, context: InboxContext, activity: Activity, embedded: Document) -> bool:
    target_id = await ours.find_account(session, context.links, id_of(embedded.get("object")))
    if target_id is not None:
        await unblock(session, activity.actor.id, target_id)
    return target_id is not None


async def _unlike(session: WriteSession, context: InboxContext, activity: Activity, embedded: Document) -> bool:
    status = await ours.find_status(session, context.links, id_of(embedded.get("object")))
    if status is None or not status.local:
        return False
    return await unfavourite(session, activity.actor.id, status.id)


async def _unboost(session: WriteSession, context: InboxContext, activity: Activity, embedded: Document) -> bool:
    status = await ours.find_status(session, context.links, id_of(embedded.get("object")))
    if status is None:
        return False
    return await unboost(session, activity.actor.id, status.id)


async def _unaccept(session: WriteSession, context: InboxContext, activity: Activity, embedded: Document) -> bool:
    follow = first(embedded.get("object"))
    if not isinstance(follow, dict):
        return False
    member_id = await ours.find_account(session, context.links, id_of(follow.get("actor")))
    if member_id is None:
        return False
    return await end_follow(session, member_id, activity.actor.id, by_target=True)


_BY_TYPE: Final[Mapping[str, Step]] = {
    "Follow": _unfollow,
    "Block": _unblock,
    "Like": _unlike,
    "Announce": _unboost,
    "Accept": _unaccept,
}
