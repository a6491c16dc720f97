"""Putting accounts into collections, and taking them out."""

from sqlalchemy import delete, func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.collections.events import ItemRemoved, ItemSettled, MemberFeatured, MemberUnfeatured
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.domain.collections.views import ItemView
from phiomia.domain.errors import Invalid, NotAllowed, NotFound
from phiomia.domain.relationships.queries import are_blocked, is_following
from phiomia.domain.statuses.quote_policy import may_quote, needs_relations
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_OWNER = Query(select(collections.c.account_id).where(collections.c.id == P("id")))
_COUNT = Query(
    select(func.count())
    .select_from(collection_items)
    .where(collection_items.c.collection_id == P("id"), collection_items.c.state <= ItemState.ACCEPTED)
)
_FEATURED = Query(
    select(accounts.c.domain, accounts.c.discoverable, accounts.c.feature_policy).where(
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
_REMOVE = Query(
    delete(collection_items).where(*_OF_COLLECTION).returning(collection_items.c.account_id, collection_items.c.state)
)
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

    Of our own accounts those can be put in that want to be found. One of another server is asked there first, if it
    says that it may be.
    """
    await _require_owner(session, owner_id, collection_id)
    known = await session.views(ItemView, _OF_PAIR, id=collection_id, account=account_id)
    if known:
        if known[0].state > ItemState.ACCEPTED:
            raise NotAllowed
        return known[0]
    state = await _first_state(session, owner_id, account_id)
    check_room(await session.value(_COUNT, id=collection_id) or 0, 1)
    item = ItemView(new_id(), collection_id, account_id, int(state), now_ms())
    await session.execute(_INSERT, **item._asdict())
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())
    await record(session, ItemSettled(item.id, item.state))
    if state == ItemState.ACCEPTED:
        await record(session, MemberFeatured(collection_id, owner_id, account_id))
    return item


async def remove_from_collection(session: WriteSession, owner_id: int, collection_id: int, item_id: int) -> None:
    """Takes an account out. Raises NotFound."""
    await _require_owner(session, owner_id, collection_id)
    row = await session.one(_REMOVE, id=collection_id, item=item_id)
    if row is None:
        raise NotFound
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())
    account_id, state = row
    if state == ItemState.ACCEPTED:
        await record(session, ItemRemoved(item_id, collection_id, owner_id, account_id))
        await record(session, MemberUnfeatured(collection_id, owner_id, account_id))


async def revoke_item(session: WriteSession, account_id: int, collection_id: int, item_id: int) -> None:
    """An account takes itself out of somebody's collection, for good. Raises NotFound."""
    changed = await session.execute(_REVOKE, of_collection=collection_id, item=item_id, account=account_id)
    if not changed:
        raise NotFound
    await session.execute(_TOUCH, of_id=collection_id, now=now_ms())
    await record(session, ItemSettled(item_id, int(ItemState.REVOKED)))
    owner_id = await session.value(_OWNER, id=collection_id)
    await record(session, MemberUnfeatured(collection_id, int(owner_id), account_id))


async def may_be_featured(session: ReadSession, owner_id: int, account_id: int) -> bool:
    """Whether one of our accounts may be put into a collection of that owner."""
    try:
        return await _first_state(session, owner_id, account_id) == ItemState.ACCEPTED
    except (NotFound, NotAllowed):
        return False


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


async def _first_state(session: ReadSession, owner_id: int, account_id: int) -> ItemState:
    """How it begins: agreed, or to be asked. Raises NotFound, NotAllowed."""
    row = await session.one(_FEATURED, id=account_id)
    if row is None:
        raise NotFound
    if await are_blocked(session, owner_id, account_id):
        raise NotAllowed
    domain, discoverable, policy = row
    if account_id == owner_id or (domain == "" and discoverable):
        return ItemState.ACCEPTED
    if domain == "" or await _answer(session, policy, owner_id, account_id) not in ("automatic", "manual"):
        raise NotAllowed
    return ItemState.PENDING


async def _answer(session: ReadSession, policy: int, owner_id: int, account_id: int) -> str:
    """What the account's profile says of being recommended, which is said as of being quoted."""
    relations = needs_relations(policy)
    follows = relations and await is_following(session, owner_id, account_id)
    followed = relations and await is_following(session, account_id, owner_id)
    return may_quote(policy, Visibility.PUBLIC, own=False, follows=follows, followed=followed)
