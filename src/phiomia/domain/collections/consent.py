"""What two servers say to each other about a recommendation: the question, the answer, and the consent."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.collections.events import ItemSettled
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record

_owner, _featured = accounts.alias("owner"), accounts.alias("featured")


class ItemPair(NamedTuple):
    """Who is in a collection, with the collection and its owner. What is ours has no uri."""

    id: int
    state: int
    uri: str
    approval_uri: str
    request_uri: str
    collection_id: int
    collection_uri: str
    owner_id: int
    owner_username: str
    owner_domain: str
    owner_uri: str
    account_id: int
    username: str
    domain: str
    actor_uri: str
    actor_type: str


_PAIRS = (
    select(
        collection_items.c.id,
        collection_items.c.state,
        collection_items.c.uri,
        collection_items.c.approval_uri,
        collection_items.c.request_uri,
        collections.c.id,
        collections.c.uri,
        _owner.c.id,
        _owner.c.username,
        _owner.c.domain,
        _owner.c.uri,
        _featured.c.id,
        _featured.c.username,
        _featured.c.domain,
        _featured.c.uri,
        _featured.c.actor_type,
    )
    .select_from(collection_items.join(collections, collections.c.id == collection_items.c.collection_id))
    .join(_owner, _owner.c.id == collections.c.account_id)
    .join(_featured, _featured.c.id == collection_items.c.account_id)
)
_ONE = Query(_PAIRS.where(collection_items.c.id == P("id")))
_OF_PAIR = Query(_PAIRS.where(collections.c.id == P("collection"), _featured.c.id == P("account")))
_ACCEPTED = Query(
    _PAIRS.where(any_of(collections.c.id, listed("ids")), collection_items.c.state == ItemState.ACCEPTED).order_by(
        collection_items.c.id
    )
)
_BY_APPROVAL = Query(
    select(collection_items.c.id).where(
        collection_items.c.account_id == P("account"),
        collection_items.c.approval_uri == P("uri", str),
        collection_items.c.approval_uri != "",
    )
)
_SETTLE = Query(
    update(collection_items)
    .where(collection_items.c.id == P("of_id"), collection_items.c.state != P("to_state"))
    .values(
        state=column_parameter(collection_items, "state", "to_state"),
        approval_uri=column_parameter(collection_items, "approval_uri", "approval"),
    )
)


async def find_item(session: ReadSession, item_id: int) -> ItemPair | None:
    """An item of a collection, in whatever state it is."""
    return await session.view(ItemPair, _ONE, id=item_id)


async def find_item_of(session: ReadSession, collection_id: int, account_id: int) -> ItemPair | None:
    """The item that stands for an account in a collection."""
    return await session.view(ItemPair, _OF_PAIR, collection=collection_id, account=account_id)


async def list_items(session: ReadSession, collection_ids: Sequence[int]) -> list[ItemPair]:
    """Who is in some collections and agrees to that."""
    return await session.views(ItemPair, _ACCEPTED, ids=list(collection_ids)) if collection_ids else []


async def settle_item(session: WriteSession, item_id: int, state: ItemState, approval_uri: str = "") -> bool:
    """Notes what an account says to being in a collection; False if that is known."""
    if not await session.execute(_SETTLE, of_id=item_id, to_state=int(state), approval=approval_uri):
        return False
    await record(session, ItemSettled(item_id, int(state)))
    return True


async def withdraw_feature_consent(session: WriteSession, account_id: int, approval_uri: str) -> bool:
    """An account's proof at an address is gone; False if no collection rests on it."""
    found = await session.column(_BY_APPROVAL, account=account_id, uri=approval_uri)
    for item_id in found:
        await settle_item(session, item_id, ItemState.REVOKED)
    return bool(found)
