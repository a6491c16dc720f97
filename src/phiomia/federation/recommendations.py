"""Documents of collections: those of a member, who is in one, and the proof that somebody agrees to that."""

from typing import Any

from phiomia.domain.collections.consent import ItemPair, find_item, list_items
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.queries import Part, list_every_collection, load_collection
from phiomia.domain.collections.views import CollectionView
from phiomia.domain.errors import NotFound
from phiomia.federation.actors import find_active_account, read_id
from phiomia.federation.documents import ids
from phiomia.federation.documents.collections import render_authorization, render_collection, render_item
from phiomia.federation.responder import Ask
from phiomia.platform.db import ReadSession
from phiomia.platform.limits import COLLECTIONS


async def give_collections(ask: Ask) -> None:
    """Every collection of a member, whole: there are but a few."""
    await ask.admit()
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        views = await list_every_collection(session, head.id, Part(COLLECTIONS, 0))
        items = await _render_all(ask, session, views)
    uri = ids.collections(ids.actor_named(ask.federation.links, head.username))
    ask.answer_with({"id": uri, "type": "Collection", "totalItems": len(items), "items": items})


async def give_collection(ask: Ask) -> None:
    """One collection with those who have agreed."""
    await ask.admit()
    collection_id = read_id(ask.path["collection_id"])
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        view = await load_collection(session, 0, collection_id)
        if view.account_id != head.id:
            raise NotFound
        (document,) = await _render_all(ask, session, [view])
    ask.answer_with(document)


async def give_item(ask: Ask) -> None:
    """Somebody's place in a member's collection."""
    item = await _find(ask)
    if item.owner_domain or item.owner_username.lower() != ask.path["username"].lower():
        raise NotFound
    ask.answer_with(render_item(item, ask.federation.links))


async def give_feature_authorization(ask: Ask) -> None:
    """The consent of a member to be recommended. Raises NotFound when there is none, or no longer."""
    item = await _find(ask)
    if item.domain or item.username.lower() != ask.path["username"].lower():
        raise NotFound
    ask.answer_with(render_authorization(item, ask.federation.links))


async def _find(ask: Ask) -> ItemPair:
    await ask.admit()
    item_id = read_id(ask.path["item_id"])
    async with ask.federation.db.read() as session:
        await find_active_account(ask, session)
        item = await find_item(session, item_id)
    if item is None or item.state != ItemState.ACCEPTED:
        raise NotFound
    return item


async def _render_all(ask: Ask, session: ReadSession, views: list[CollectionView]) -> list[dict[str, Any]]:
    found = await list_items(session, [view.id for view in views])
    return [
        render_collection(view, [item for item in found if item.collection_id == view.id], ask.federation.links)
        for view in views
    ]
