"""Collections across servers: those of others, requests to recommend a member, and answers to ours (FEP-7aa9)."""

import re
from typing import Any, Final

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.collections.consent import find_item, find_item_of, settle_item
from phiomia.domain.collections.fill import may_be_featured
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.of_others import (
    ForeignItem,
    drop_foreign,
    drop_item,
    find_collection_uri,
    find_foreign,
    keep_items,
    name_item,
    put_item,
    store_foreign,
)
from phiomia.domain.errors import DomainError
from phiomia.federation.documents import ids
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import (
    PROCESSED,
    Activity,
    Document,
    InboxContext,
    Outcome,
    Unresolved,
    ignored,
    rejected,
)
from phiomia.federation.inbox.recommend_jobs import CheckItem
from phiomia.federation.outbox.collections import SendFeatureAnswer
from phiomia.federation.parse.recommendations import is_collection, parse_collection, parse_item, parse_items
from phiomia.federation.parse.values import Rejected, first, host_of, id_of, same_host, types
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.log import get_logger

log = get_logger("collections")
_REQUEST: Final = re.compile(r"/users/[^/]+/feature_requests/([0-9]{1,18})\Z")


async def add(context: InboxContext, activity: Activity) -> Outcome | None:
    """Takes a new collection of the actor's, or who is in one now; None if the Add is about something else."""
    target, value = id_of(activity.raw.get("target")), first(activity.object)
    if target and target == activity.actor.collections_url:
        document = await context.resolver.trusted_object(value, activity.actor)
        await take_collection(context, document, activity.actor)
        return PROCESSED
    collection_id = await _find(context, activity.actor, target)
    if collection_id is None:
        return None
    document = await context.resolver.trusted_object(value, activity.actor)
    item = parse_item(document)
    if item is None or not same_host(item.uri, activity.actor.uri):
        return rejected("nobody who could be in a collection")
    await context.db.write(lambda session: defer_check(session, collection_id, item))
    return PROCESSED


async def remove(context: InboxContext, activity: Activity) -> Outcome | None:
    """Forgets a collection of the actor's, or who is in one no longer; None if the Remove is about something else."""
    target, uri = id_of(activity.raw.get("target")), id_of(activity.object)
    if target and target == activity.actor.collections_url:
        gone = await context.db.write(lambda session: drop_foreign(session, activity.actor.id, uri))
        return PROCESSED if gone else ignored("not known here")
    collection_id = await _find(context, activity.actor, target)
    if collection_id is None:
        return None
    found = collection_id
    gone = await context.db.write(lambda session: drop_item(session, found, uri))
    return PROCESSED if gone else ignored("not known here")


async def update(context: InboxContext, activity: Activity) -> Outcome | None:
    """Takes over what is new about a collection of the actor's; None if the Update is about something else."""
    if not is_collection(first(activity.object)):
        return None
    document = await context.resolver.trusted_object(first(activity.object), activity.actor)
    await take_collection(context, document, activity.actor)
    return PROCESSED


async def take_collection(context: InboxContext, document: Document, owner: Actor) -> int:
    """Writes a collection of somebody elsewhere, and lets everybody in it be found. Raises Unresolved."""
    try:
        draft, items = parse_collection(document), parse_items(document)
    except Rejected as error:
        raise Unresolved(str(error)) from None
    if not same_host(draft.uri, owner.uri) or id_of(document.get("attributedTo")) not in ("", owner.uri):
        raise Unresolved("the collection is somebody else's")

    async def write(session: WriteSession) -> int:
        collection_id = await store_foreign(session, owner.id, draft)
        await keep_items(session, collection_id, [item.uri for item in items])
        for item in items:
            if same_host(item.uri, owner.uri):
                await defer_check(session, collection_id, item)
        return collection_id

    try:
        return await context.db.write(write)
    except DomainError as error:
        raise Unresolved(str(error)) from None


async def defer_check(session: WriteSession, collection_id: int, item: ForeignItem) -> None:
    """Lets somebody in a collection be found, and their consent."""
    job = CheckItem(collection_id, item.uri, item.account_uri, item.approval_uri)
    await defer(session, job, unique=f"{CheckItem.TYPE}:{item.uri}", host=host_of(item.account_uri))


async def run_check_item(context: Any, job: CheckItem) -> None:
    """Handler of CheckItem. Raises Retry when trying again makes sense."""
    try:
        await _check(context.inbox, job)
    except Unresolved as error:
        if error.retry:
            raise Retry(error.reason) from error
        log.info("somebody in a collection is left out", item=job.uri, reason=error.reason)


async def _check(context: InboxContext, job: CheckItem) -> None:
    if ours.is_ours(context.links, job.account_uri):
        return await _check_ours(context, job)
    proof = await _prove(context, job)
    account = await context.resolver.account(job.account_uri)
    if id_of(proof.get("interactionTarget")) != account.uri or account.suspended:
        raise Unresolved("the proof is about somebody else")
    async with context.db.read() as session:
        known = await find_item_of(session, job.collection_id, account.id)
    if known is not None and known.state > ItemState.ACCEPTED:
        raise Unresolved("it was taken back")
    item = ForeignItem(job.uri, account.uri, job.approval_uri)
    await context.db.write(lambda session: put_item(session, job.collection_id, account.id, item))
    return None


async def _check_ours(context: InboxContext, job: CheckItem) -> None:
    """A member is in it who has agreed: what is left to know is by what id."""
    async with context.db.read() as session:
        account_id = await ours.find_account(session, context.links, job.account_uri)
        item = await find_item_of(session, job.collection_id, account_id) if account_id is not None else None
    if item is None or item.state != ItemState.ACCEPTED:
        raise Unresolved("no member who has agreed")
    item_id = item.id
    await context.db.write(lambda session: name_item(session, item_id, job.uri))


async def _prove(context: InboxContext, job: CheckItem) -> Document:
    """The consent of who is in the collection, from their own server. Raises Unresolved."""
    if not job.approval_uri or not same_host(job.approval_uri, job.account_uri):
        raise Unresolved("no proof of their own")
    async with context.db.read() as session:
        collection = await find_collection_uri(session, job.collection_id)
    proof = await context.resolver.document(job.approval_uri)
    if "FeatureAuthorization" not in types(proof) or id_of(proof.get("interactingObject")) != collection:
        raise Unresolved("the proof is about another collection")
    return proof


async def handle_request(context: InboxContext, activity: Activity) -> Outcome:
    """FeatureRequest: somebody elsewhere wants to recommend a member, whose profile is the answer."""
    async with context.db.read() as session:
        member_id = await ours.find_account(session, context.links, id_of(activity.object))
    uri = id_of(activity.raw.get("instrument"))
    if member_id is None:
        return ignored("nobody here")
    if not same_host(uri, activity.actor.uri):
        return rejected("a collection of another server")
    collection_id = await _find(context, activity.actor, uri)
    if collection_id is None:
        collection_id = await take_collection(context, await context.resolver.document(uri), activity.actor)
    member, collection = member_id, collection_id

    async def answer(session: WriteSession) -> bool:
        willing = await may_be_featured(session, activity.actor.id, member)
        known = await find_item_of(session, collection, member)
        willing = willing and (known is None or known.state <= ItemState.ACCEPTED)
        item = ForeignItem(known.uri if known is not None else "", "")
        item_id = await put_item(session, collection, member, item, activity.id) if willing else 0
        await defer(session, SendFeatureAnswer(activity.id, uri, member, activity.actor.id, item_id))
        return willing

    return PROCESSED if await context.db.write(answer) else rejected("the member does not want that")


def is_answer(activity: Activity) -> bool:
    """Whether an Accept or Reject is about a recommendation that a member asked for."""
    value = first(activity.object)
    return "FeatureRequest" in types(value) or _REQUEST.search(id_of(value)) is not None


async def take_answer(context: InboxContext, activity: Activity, *, accepted: bool) -> Outcome:
    """Who shall be recommended agrees, or does not (any more)."""
    uri = id_of(activity.object)
    match = _REQUEST.search(uri)
    async with context.db.read() as session:
        item = await find_item(session, int(match[1])) if match is not None else None
    if item is None or item.owner_domain or uri != _request_of(context, item.owner_username, item.id):
        return ignored("no request of ours")
    if item.account_id != activity.actor.id:
        return rejected("somebody else was asked")
    approval = id_of(activity.raw.get("result"))
    if accepted and not same_host(approval, activity.actor.uri):
        return rejected("consent without a proof")
    if item.state > ItemState.ACCEPTED:
        return ignored("it was taken back")
    agreed = item.state == ItemState.ACCEPTED
    state = ItemState.ACCEPTED if accepted else ItemState.REVOKED if agreed else ItemState.REJECTED
    await context.db.write(lambda session: settle_item(session, item.id, state, approval if accepted else ""))
    return PROCESSED


def _request_of(context: InboxContext, username: str, item_id: int) -> str:
    return ids.feature_request(ids.actor_named(context.links, username), item_id)


async def _find(context: InboxContext, owner: Actor, uri: str) -> int | None:
    async with context.db.read() as session:
        return await find_foreign(session, owner.id, uri) if uri else None
