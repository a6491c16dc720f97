"""Followers synchronised (FEP-8fcf): what somebody's server says of our members who follow them is put right."""

import re
from typing import Any, Final

from phiomia.domain.accounts.remote import Actor, find_actor
from phiomia.domain.relationships.ending import end_follow
from phiomia.domain.relationships.followers_digest import digest_of, list_local_followers
from phiomia.domain.relationships.queries import find_follow_between
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import Unresolved
from phiomia.federation.outbox.acts import Act, SendAct
from phiomia.federation.parse.values import id_of, same_host, values
from phiomia.platform.db import WriteSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Discard, Retry

_PART: Final = re.compile(r'\b(\w+)="([^"]*)"')
_MOST: Final = 10_000
# Each is a delivery: nobody shall be able to order as many as there are members here.
_MOST_UNDONE: Final = 100
HEADER: Final = "collection-synchronization"


class SyncFollowers(Job, frozen=True):
    """Compare who of us follows somebody with what their server says."""

    TYPE = "federation.sync_followers"
    QUEUE = "pull"
    TRIES = 3

    actor: str
    header: str


def sync_key(actor: str) -> str:
    """Under which one comparison waits for an actor, and not several."""
    return f"{SyncFollowers.TYPE}:{actor}"


async def sync_followers(context: Any, job: SyncFollowers) -> None:
    """Handler of SyncFollowers."""
    said = dict(_PART.findall(job.header))
    async with context.db.read() as session:
        actor = await find_actor(session, job.actor)
        if actor is None or not _is_about(said, actor):
            raise Discard("not about the followers of who has sent it")
        here = await list_local_followers(session, actor.id)
    base = context.links.base
    members = {f"{base}/users/{name}": id_ for id_, name in here}
    if digest_of(members) == said["digest"]:
        return
    try:
        page = await context.exchange.resolver.collection_page(said["url"])
    except Unresolved as error:
        if error.retry:
            raise Retry(error.reason) from error
        raise Discard(error.reason) from error
    listed = {id_of(item) for item in values(page.get("orderedItems") or page.get("items"), _MOST)}
    if digest_of(listed) != said["digest"]:
        raise Discard("the list is another by now")
    await _reconcile(context, actor, members, listed)


async def _reconcile(context: Any, actor: Actor, members: dict[str, int], listed: set[str]) -> None:
    async with context.db.read() as session:
        found = await ours.find_accounts(session, context.links, sorted(listed - members.keys())[:_MOST_UNDONE])

    async def write(session: WriteSession) -> None:
        for uri in sorted(members.keys() - listed):
            await end_follow(session, members[uri], actor.id, by_target=True)
        for id_ in found.values():
            # Whoever has asked may have been accepted a moment ago.
            if await find_follow_between(session, id_, actor.id) is None:
                await defer(session, SendAct(Act.UNFOLLOW, id_, actor.id, new_id()))

    await context.db.write(write)


def _is_about(said: dict[str, str], actor: Actor) -> bool:
    return (
        bool(actor.followers_url)
        and said.get("collectionId") == actor.followers_url
        and same_host(said.get("url", ""), actor.uri)
        and len(said.get("digest", "")) == 64
    )
