"""Collections: https://docs.joinmastodon.org/methods/collections/, under their final names and the first ones."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from phiomia.api.endpoint import Call, Handler, endpoint
from phiomia.api.paging import link_offsets
from phiomia.api.params import Id
from phiomia.domain.collections.edit import (
    CollectionDraft,
    create_collection,
    delete_collection,
    update_collection,
)
from phiomia.domain.collections.fill import add_to_collection, remove_from_collection, revoke_item
from phiomia.domain.collections.queries import Part, list_collections_of, list_collections_with, load_collection
from phiomia.domain.collections.views import CollectionView
from phiomia.domain.relationships.presence import require_account
from phiomia.entities.collection import render_collection, render_item
from phiomia.platform import limits
from phiomia.platform.db import ReadSession

_STABLE_SINCE = "2026-06-10"
_READ, _WRITE = ("read:collections",), ("write:collections",)
List = Callable[[ReadSession, int, int, Part], Awaitable[list[CollectionView]]]


class CollectionChange(Struct, kw_only=True):
    """What a collection shall be."""

    name: str | None = None
    description: str | None = None
    language: str | None = None
    tag_name: str | None = None
    sensitive: bool | None = None
    discoverable: bool | None = None

    def draft(self) -> CollectionDraft:
        """The same in the words of the domain."""
        return CollectionDraft(
            self.name, self.description, self.language, self.sensitive, self.discoverable, self.tag_name
        )


class NewCollection(CollectionChange, kw_only=True):
    """A collection to be made, with these accounts in it."""

    name: str
    account_ids: list[Id] = []


class NewItem(Struct, kw_only=True):
    """Whom to put in."""

    account_id: Id


class CollectionPaging(Struct, kw_only=True):
    """Which part of a list."""

    limit: int | None = None
    offset: int | None = None

    def part(self, most: int) -> Part:
        """The part asked for."""
        usual = limits.PAGE_COLLECTIONS
        limit = usual if self.limit is None else max(1, min(self.limit, most))
        return Part(limit, max(self.offset or 0, 0))


def _both(method: str, path: str, *, first_method: str = "", **more: Any) -> Callable[[Handler], Handler]:
    """Declares an endpoint under its name and under the one it had at first."""

    def declare(handler: Handler) -> Handler:
        endpoint(first_method or method, f"/api/v1_alpha{path}", deprecated=_STABLE_SINCE, **more)(handler)
        return endpoint(method, f"/api/v1{path}", **more)(handler)

    return declare


@_both(
    "GET",
    "/accounts/:id/collections",
    access="optional",
    scopes=_READ,
    returns="entity:Collections",
    paginated="link-header",
)
async def collections_of(call: Call, params: CollectionPaging) -> object:
    """The collections that somebody has made."""
    return await _list(call, list_collections_of, params.part(limits.PAGE_COLLECTIONS_MOST))


@_both(
    "GET",
    "/accounts/:id/in_collections",
    scopes=_READ,
    returns="entity:Collections",
    paginated="link-header",
)
async def collections_with(call: Call, params: CollectionPaging) -> object:
    """The collections that somebody is in."""
    return await _list(call, list_collections_with, params.part(limits.PAGE_ACCOUNTS[1]))


@_both("POST", "/collections", scopes=_WRITE, returns="entity:WrappedCollection")
async def create(call: Call, params: NewCollection) -> object:
    """Makes a collection."""
    collection_id = await call.api.db.write(
        lambda session: create_collection(session, call.actor, params.draft(), params.account_ids)
    )
    return await _show(call, collection_id)


@_both("GET", "/collections/:id", access="optional", scopes=_READ, returns="entity:CollectionWithAccounts")
async def one(call: Call, params: None) -> object:
    """One collection with its accounts."""
    async with call.api.db.read() as session:
        view = await load_collection(session, call.viewer or 0, call.id)
        ids = list(dict.fromkeys([view.account_id, *(item.account_id for item in view.items)]))
        found = await call.api.fragments.accounts(session, ids)
    shown = [msgspec.Raw(found[id_]) for id_ in ids if id_ in found]
    return {"accounts": shown, "collection": render_collection(view, call.api.fragments.links)}


@endpoint("PUT", "/api/v1/collections/:id", scopes=_WRITE, returns="entity:WrappedCollection")
@_both("PATCH", "/collections/:id", first_method="PUT", scopes=_WRITE, returns="entity:WrappedCollection")
async def update(call: Call, params: CollectionChange) -> object:
    """Changes a collection."""
    collection_id = call.id
    await call.api.db.write(lambda session: update_collection(session, call.actor, collection_id, params.draft()))
    return await _show(call, collection_id)


endpoint(
    "PATCH",
    "/api/v1_alpha/collections/:id",
    scopes=_WRITE,
    returns="entity:WrappedCollection",
    deprecated=_STABLE_SINCE,
)(update)


@_both("DELETE", "/collections/:id", scopes=_WRITE, returns="empty")
async def delete(call: Call, params: None) -> object:
    """Removes a collection."""
    collection_id = call.id
    await call.api.db.write(lambda session: delete_collection(session, call.actor, collection_id))
    return {}


@_both("POST", "/collections/:id/items", scopes=_WRITE, returns="entity:WrappedCollectionItem")
async def add(call: Call, params: NewItem) -> object:
    """Puts an account into a collection."""
    collection_id = call.id
    item = await call.api.db.write(
        lambda session: add_to_collection(session, call.actor, collection_id, params.account_id)
    )
    return {"collection_item": render_item(item)}


@_both("DELETE", "/collections/:id/items/:item_id", scopes=_WRITE, returns="empty")
async def remove(call: Call, params: None) -> object:
    """Takes an account out of a collection."""
    collection_id, item_id = call.id, call.path_id("item_id")
    await call.api.db.write(lambda session: remove_from_collection(session, call.actor, collection_id, item_id))
    return {}


@_both("POST", "/collections/:id/items/:item_id/revoke", scopes=_WRITE, returns="empty")
async def revoke(call: Call, params: None) -> object:
    """Takes oneself out of somebody's collection."""
    collection_id, item_id = call.id, call.path_id("item_id")
    await call.api.db.write(lambda session: revoke_item(session, call.actor, collection_id, item_id))
    return {}


async def _list(call: Call, ask: List, part: Part) -> object:
    async with call.api.db.read() as session:
        await require_account(session, call.id)
        views: Sequence[CollectionView] = await ask(session, call.viewer or 0, call.id, part)
    link_offsets(call, part.limit, part.offset, full=len(views) >= part.limit)
    return {"collections": [render_collection(view, call.api.fragments.links) for view in views]}


async def _show(call: Call, collection_id: int) -> object:
    async with call.api.db.read() as session:
        view = await load_collection(session, call.actor, collection_id)
    return {"collection": render_collection(view, call.api.fragments.links)}
