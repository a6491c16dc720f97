"""What other servers hear of collections: what a member recommends, questions, answers, and consent taken back."""

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.collections.consent import ItemPair, find_item, list_items
from phiomia.domain.collections.events import CollectionChanged, CollectionRemoved, ItemRemoved, ItemSettled
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.queries import load_collection
from phiomia.domain.collections.views import CollectionView
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.recipients import find_own_inbox, list_follower_inboxes, list_inboxes_of
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.collections import (
    collection_of,
    render_authorization,
    render_collection,
    render_item,
)
from phiomia.federation.documents.contexts import declare
from phiomia.federation.outbox.deliver import Outbox
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, find_two, scan
from phiomia.platform.db import ReadSession, WriteSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Handler


class SendCollection(Job, frozen=True):
    """Tell followers, and who is in it, of a member's collection; with `made`, that it is new."""

    TYPE = "outbox.send_collection"

    collection_id: int
    made: bool = False


class SendCollectionGone(Job, frozen=True):
    """Tell followers that a member's collection is gone."""

    TYPE = "outbox.send_collection_gone"

    collection_id: int
    account_id: int


class SendItem(Job, frozen=True):
    """Tell them that somebody is in a member's collection, or with `gone` no longer."""

    TYPE = "outbox.send_collection_item"

    item_id: int
    collection_id: int
    owner_id: int
    account_id: int
    gone: bool = False


class AskToFeature(Job, frozen=True):
    """Ask somebody elsewhere whether a member may recommend them."""

    TYPE = "outbox.ask_to_feature"

    item_id: int


class SendFeatureAnswer(Job, frozen=True):
    """Tell somebody elsewhere whether they may recommend a member. `item_id` 0 means no."""

    TYPE = "outbox.send_feature_answer"

    request_uri: str
    collection_uri: str
    account_id: int
    target_id: int
    item_id: int = 0


class TakeFeatureBack(Job, frozen=True):
    """Tell somebody elsewhere that a member wants to be recommended no longer."""

    TYPE = "outbox.take_feature_back"

    item_id: int


async def send_collection(context: Context, job: SendCollection) -> None:
    """Handler of SendCollection."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[CollectionView, list[ItemPair], list[str]] | None:
        try:
            view = await load_collection(session, 0, job.collection_id)
        except NotFound:
            return None
        return view, await list_items(session, [view.id]), await _list_inboxes(session, view.account_id, view.id)

    found = await scan(outbox, load)
    if found is None:
        return
    view, items, inboxes = found
    document = render_collection(view, items, outbox.links)
    owner = document["attributedTo"]
    if job.made:
        told = activities.add(owner, document, ids.collections(owner), new_id())
    else:
        told = activities.update(document, view.updated_at)
    await send(outbox, Post(told, view.account_id), inboxes)


async def send_collection_gone(context: Context, job: SendCollectionGone) -> None:
    """Handler of SendCollectionGone."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[str, list[str]]:
        owner = (await load_accounts(session, [job.account_id])).get(job.account_id)
        actor = "" if owner is None else outbox.links.actor(owner)
        return actor, await list_follower_inboxes(session, job.account_id)

    owner, inboxes = await scan(outbox, load)
    if owner:
        gone = activities.remove(owner, ids.collection(owner, job.collection_id), ids.collections(owner), new_id())
        await send(outbox, Post(gone, job.account_id), inboxes)


async def send_item(context: Context, job: SendItem) -> None:
    """Handler of SendItem."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[str, ItemPair | None, list[str]]:
        owner = (await load_accounts(session, [job.owner_id])).get(job.owner_id)
        inboxes = set(await _list_inboxes(session, job.owner_id, job.collection_id))
        inboxes.update(await list_inboxes_of(session, [job.account_id]))
        actor = "" if owner is None else outbox.links.actor(owner)
        return actor, await find_item(session, job.item_id), sorted(inboxes)

    owner, item, inboxes = await scan(outbox, load)
    target = ids.collection(owner, job.collection_id)
    if owner and job.gone:
        document = activities.remove(owner, ids.item(owner, job.item_id), target, new_id())
        await send(outbox, Post(document, job.owner_id), inboxes)
    elif owner and item is not None and item.state == ItemState.ACCEPTED:
        document = activities.add(owner, render_item(item, outbox.links), target, new_id())
        await send(outbox, Post(document, job.owner_id), inboxes)


async def ask_to_feature(context: Context, job: AskToFeature) -> None:
    """Handler of AskToFeature."""
    outbox = context.outbox
    item, inbox = await _find(outbox, job.item_id)
    if item is None or inbox is None or item.state != ItemState.PENDING:
        return
    owner = ids.actor_named(outbox.links, item.owner_username)
    request = {
        "id": ids.feature_request(owner, item.id),
        "type": "FeatureRequest",
        "actor": owner,
        "to": item.actor_uri,
        "object": item.actor_uri,
        "instrument": collection_of(item, outbox.links),
    }
    await send(outbox, Post(declare(request), item.owner_id), [inbox])


async def send_feature_answer(context: Context, job: SendFeatureAnswer) -> None:
    """Handler of SendFeatureAnswer."""
    two = await find_two(context.outbox, job.account_id, job.target_id)
    if two is None:
        return
    request = {
        "id": job.request_uri,
        "type": "FeatureRequest",
        "actor": two.target,
        "object": two.actor,
        "instrument": job.collection_uri,
    }
    stamp = ids.stamp_of_feature(two.actor, job.item_id) if job.item_id else ""
    said = activities.answer(two.actor, request, "feature_requests", new_id(), stamp)
    await send(context.outbox, Post(said, job.account_id), [two.inbox])


async def take_feature_back(context: Context, job: TakeFeatureBack) -> None:
    """Handler of TakeFeatureBack."""
    outbox = context.outbox
    async with outbox.db.read() as session:
        item = await find_item(session, job.item_id)
        inbox = None if item is None else await find_own_inbox(session, item.owner_id)
    if item is None or inbox is None:
        return
    proof = render_authorization(item, outbox.links)
    gone = {
        "id": f"{proof['id']}#delete",
        "type": "Delete",
        "actor": proof["attributedTo"],
        "to": [ids.PUBLIC, item.owner_uri],
        "object": proof,
    }
    await send(outbox, Post(declare(gone), item.account_id), [inbox])


async def tell_collection_changed(session: WriteSession, event: CollectionChanged) -> None:
    """A member's collection goes out."""
    await defer(session, SendCollection(event.collection_id, made=event.made))


async def tell_collection_removed(session: WriteSession, event: CollectionRemoved) -> None:
    """And that it is gone."""
    await defer(session, SendCollectionGone(event.collection_id, event.account_id))


async def tell_item_settled(session: WriteSession, event: ItemSettled) -> None:
    """Who shall be in a collection is asked; who is, or no longer wants to be, is told of."""
    item = await find_item(session, event.item_id)
    if item is None:
        return
    if item.owner_domain == "" and event.state == ItemState.PENDING:
        await defer(session, AskToFeature(item.id))
    elif item.owner_domain == "" and event.state != ItemState.REJECTED:
        gone = event.state == ItemState.REVOKED
        await defer(session, SendItem(item.id, item.collection_id, item.owner_id, item.account_id, gone=gone))
    elif item.owner_domain and item.domain == "" and event.state == ItemState.REVOKED:
        await defer(session, TakeFeatureBack(item.id))


async def tell_item_removed(session: WriteSession, event: ItemRemoved) -> None:
    """Somebody was taken out."""
    await defer(session, SendItem(event.item_id, event.collection_id, event.owner_id, event.account_id, gone=True))


async def _find(outbox: Outbox, item_id: int) -> tuple[ItemPair | None, str | None]:
    async with outbox.db.read() as session:
        item = await find_item(session, item_id)
        return item, None if item is None else await find_own_inbox(session, item.account_id)


async def _list_inboxes(session: ReadSession, owner_id: int, collection_id: int) -> list[str]:
    """The followers' inboxes, and those of the people who are in it."""
    people = [item.account_id for item in await list_items(session, [collection_id]) if item.domain]
    return sorted({*await list_follower_inboxes(session, owner_id), *await list_inboxes_of(session, people)})


HANDLERS = (
    Handler(SendCollection, send_collection),
    Handler(SendCollectionGone, send_collection_gone),
    Handler(SendItem, send_item),
    Handler(AskToFeature, ask_to_feature),
    Handler(SendFeatureAnswer, send_feature_answer),
    Handler(TakeFeatureBack, take_feature_back),
)
