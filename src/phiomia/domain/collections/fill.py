"""Putting accounts into collections, and taking them out."""

from sqlalchemy import delete, func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.domain.collections.views import ItemView
from phiomia.domain.errors import Invalid, NotAllowed, NotFound
from phiomia.domain.relationships.queries import are_blocked
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id

_OWNER = Query(select(collections.c.account_id).where(collections.c.id == P("id")))
_COUNT = Query(
    select(func.count())
    .select_from(collection_items)
    .where(collection_items.c.collection_id == P("id"), collection_items.c.state <= ItemState.ACCEPTED)
)
_FEATURED = Query(
    select(accounts.c.domain, accounts.c.discoverable).where(
        accounts.c.id == P("id"), accounts.c.state != AccountState.SUSPENDED
    )
)
_COLUMNS = ItemView._fields
_INSERT = Query(
    lambda insert: (
        insert(collection_items)
        .values({name: column_parameter(collection_items, name) for name in _COLUMNS})
        .on_conflict_do_nothing(index_elements=["collection_id", "account_id"])
    )
)
_OF_PAIR = Query(
    select(*[collection_items.c[name] for name in _COLUMNS]).where(
        collection_items.c.collection_id == P("id"), collection_items.c.account_id == P("account")
    )
)
_OF_COLLECTION = (collection_items.c.id == P("item"), collection_items.c.collection_id == P("id"))
_REMOVE = Query(delete(collection_items).where(*_OF_COLLECTION))
_REVOKE = Query(
    update(collection_items)
    .where(
        collection_items.c.id == P("item"),
        collection_items.c.collection_id == P("of_collection"),
        collection_items.c.account_id == P("account"),
        collection_items.c.state <= ItemState.ACCEPTED,
    )
    .values(state=int(ItemState.REVOKED))
)
_TOUCH = Query(update(collections).where(collections.c.id == P("of_id")).values(updated_at=P("now")))


async def add_to_collection(session: WriteSession, owner_id: int, collection_id: int, account_id: int) -> ItemView:
    """Puts an account in; one that is there stays. Raises NotFound, Invalid (full), NotAllowed.

    Of our own accounts those can be put in that want to be found. An account of another server would have to be asked
    there first, and has not said that it may be.
    """
    await _require_owner(session, owner_id, collection_id)
    known = await session.views(ItemView, _OF_PAIR, id=collection_id, account=account_id)
    if known:
        if known[0].state > ItemState.ACCEPTED:
            raise NotAllowed
        return known[0]
    await _check_featured(session, owner_id, account_id)
    check_room(await session.value(_COUNT, id=collection_id) or 0, 1)
    item = ItemView(new_id(), collection_id, account_id, int(ItemState.ACCEPTED), now_ms())
    await session.execute(_INSERT, **item._asdict())
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())
    return item


async def remove_from_collection(session: WriteSession, owner_id: int, collection_id: int, item_id: int) -> None:
    """Takes an account out. Raises NotFound."""
    await _require_owner(session, owner_id, collection_id)
    if not await session.execute(_REMOVE, id=collection_id, item=item_id):
        raise NotFound
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())


async def revoke_item(session: WriteSession, account_id: int, collection_id: int, item_id: int) -> None:
    """An account takes itself out of somebody's collection, for good. Raises NotFound."""
    changed = await session.execute(_REVOKE, of_collection=collection_id, item=item_id, account=account_id)
    if not changed:
        raise NotFound
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())


def check_room(there: int, more: int) -> None:
    """Raises Invalid when a collection would have too many in it."""
    if there + more > limits.COLLECTION_ITEMS:
        raise Invalid(f"Validation failed: A collection holds at most {limits.COLLECTION_ITEMS} accounts")


async def _require_owner(session: ReadSession, owner_id: int, collection_id: int) -> None:
    owner = await session.value(_OWNER, id=collection_id)
    if owner is None:
        raise NotFound
    if owner != owner_id:
        raise NotAllowed


async def _check_featured(session: ReadSession, owner_id: int, account_id: int) -> None:
    row = await session.one(_FEATURED, id=account_id)
    if row is None:
        raise NotFound
    domain, discoverable = row
    willing = account_id == owner_id or (domain == "" and bool(discoverable))
    if not willing or await are_blocked(session, owner_id, account_id):
        raise NotAllowed
