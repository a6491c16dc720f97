"""Collections of other servers: written as their owners describe them, with those who have agreed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.collections.events import CollectionForgotten, MemberFeatured, MemberUnfeatured
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.domain.collections.redescribe import load_description, record_redescribed
from phiomia.domain.errors import NotAllowed
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.limits import COLLECTIONS_OF_OTHERS


class ForeignCollection(msgspec.Struct, frozen=True):
    """A collection as its server describes it; the description is sanitised."""

    uri: str
    url: str = ""
    name: str = ""
    description: str = ""
    language: str | None = None
    sensitive: bool = False
    discoverable: bool = False
    tag_name: str = ""
    created_at: int = 0
    updated_at: int = 0


class ForeignItem(msgspec.Struct, frozen=True):
    """Somebody in such a collection. `approval_uri`: where they agree."""

    uri: str
    account_uri: str
    approval_uri: str = ""


_COLUMNS = ForeignCollection.__struct_fields__
_CHANGING = tuple(name for name in _COLUMNS if name not in ("uri", "created_at"))
_BY_URI = Query(
    select(collections.c.id, collections.c.account_id).where(
        collections.c.uri == P("uri", str), collections.c.uri != ""
    )
)
_OWNER = Query(select(collections.c.account_id).where(collections.c.id == P("id")))
_URI = Query(select(collections.c.uri).where(collections.c.id == P("id")))
_COUNT = Query(select(func.count()).select_from(collections).where(collections.c.account_id == P("account")))
_INSERT = insert_into(collections, "id", "account_id", *_COLUMNS)
_UPDATE = Query(
    update(collections)
    .where(collections.c.id == P("of_id"))
    .values({name: column_parameter(collections, name, f"new_{name}") for name in _CHANGING})
)
_DELETE = Query(delete(collections).where(collections.c.id == P("id")))
_ITEMS = Query(
    select(collection_items.c.id, collection_items.c.uri, collection_items.c.account_id).where(
        collection_items.c.collection_id == P("collection")
    )
)
_DROP = Query(delete(collection_items).where(collection_items.c.id == P("id")))
_PUT = Query(
    lambda insert: (
        insert(collection_items)
        .values(
            id=P("id"),
            collection_id=P("collection"),
            account_id=P("account"),
            state=int(ItemState.ACCEPTED),
            uri=P("uri", str),
            approval_uri=P("approval", str),
            request_uri=P("request", str),
            created_at=P("now"),
        )
        .on_conflict_do_update(
            index_elements=["collection_id", "account_id"],
            set_={
                "state": int(ItemState.ACCEPTED),
                "uri": P("uri", str),
                "approval_uri": P("approval", str),
                "request_uri": P("request", str),
            },
        )
    )
)
_OF_PAIR = Query(
    select(collection_items.c.id).where(
        collection_items.c.collection_id == P("collection"), collection_items.c.account_id == P("account")
    )
)
_NAME = Query(update(collection_items).where(collection_items.c.id == P("of_id")).values(uri=P("new_uri", str)))


async def find_foreign(session: ReadSession, account_id: int, uri: str) -> int | None:
    """The stored collection of that id, if it is the account's."""
    row = await session.one(_BY_URI, uri=uri)
    return row[0] if row is not None and row[1] == account_id else None


async def find_collection_uri(session: ReadSession, collection_id: int) -> str:
    """The id of a stored collection; empty if it is ours or gone."""
    return await session.value(_URI, id=collection_id) or ""


async def store_foreign(session: WriteSession, account_id: int, draft: ForeignCollection) -> int:
    """Writes a collection of another server, or what has changed; gives its number. Raises NotAllowed."""
    row = await session.one(_BY_URI, uri=draft.uri)
    values: dict[str, Any] = {name: getattr(draft, name) for name in _COLUMNS}
    if row is None:
        if await session.value(_COUNT, account=account_id) >= COLLECTIONS_OF_OTHERS:
            raise NotAllowed
        collection_id = new_id()
        await session.execute(_INSERT, id=collection_id, account_id=account_id, **values)
        return collection_id
    if row[1] != account_id:
        raise NotAllowed
    known: int = row[0]
    before = await load_description(session, known)
    await session.execute(_UPDATE, of_id=known, **{f"new_{name}": values[name] for name in _CHANGING})
    await record_redescribed(session, account_id, known, before)
    return known


async def keep_items(session: WriteSession, collection_id: int, uris: Sequence[str]) -> None:
    """Drops whoever is no longer listed. Members who agreed a moment ago may not be listed yet: they have no uri."""
    for item_id, uri, account_id in await session.all(_ITEMS, collection=collection_id):
        if uri and uri not in uris:
            await _drop(session, collection_id, item_id, account_id)


async def put_item(
    session: WriteSession, collection_id: int, account_id: int, item: ForeignItem, request_uri: str = ""
) -> int:
    """Writes that an account is in the collection and agrees; gives the item's number.

    `request_uri`: by what name a member was asked. They are told, unless they are in it already.
    """
    known = await session.value(_OF_PAIR, collection=collection_id, account=account_id)
    await session.execute(
        _PUT,
        id=new_id(),
        collection=collection_id,
        account=account_id,
        uri=item.uri,
        approval=item.approval_uri,
        request=request_uri,
        now=now_ms(),
    )
    if known is not None:
        return int(known)
    if request_uri:
        owner_id = await session.value(_OWNER, id=collection_id)
        await record(session, MemberFeatured(collection_id, int(owner_id), account_id))
    return int(await session.value(_OF_PAIR, collection=collection_id, account=account_id))


async def name_item(session: WriteSession, item_id: int, uri: str) -> None:
    """Notes by what id the owner's server knows an item."""
    await session.execute(_NAME, of_id=item_id, new_uri=uri)


async def drop_item(session: WriteSession, collection_id: int, uri: str) -> bool:
    """Takes out what is known by that id; False if nothing is."""
    found = [row for row in await session.all(_ITEMS, collection=collection_id) if row[1] == uri and uri]
    for item_id, _, account_id in found:
        await _drop(session, collection_id, item_id, account_id)
    return bool(found)


async def drop_foreign(session: WriteSession, account_id: int, uri: str) -> bool:
    """Forgets a collection of the account's; False if none of that id is known."""
    collection_id = await find_foreign(session, account_id, uri)
    if collection_id is None:
        return False
    await session.execute(_DELETE, id=collection_id)
    await record(session, CollectionForgotten(collection_id, account_id))
    return True


async def _drop(session: WriteSession, collection_id: int, item_id: int, account_id: int) -> None:
    await session.execute(_DROP, id=item_id)
    owner_id = await session.value(_OWNER, id=collection_id)
    await record(session, MemberUnfeatured(collection_id, int(owner_id), account_id))
