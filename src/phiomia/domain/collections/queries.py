"""Reading collections."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.domain.collections.views import CollectionView, ItemView
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.conditions import exists_pair
from phiomia.domain.relationships.models import blocks
from phiomia.platform.db import P, Query, ReadSession, any_of, listed


@dataclass(frozen=True)
class Part:
    """Which part of a list."""

    limit: int
    offset: int


_VIEWER = P("viewer")
_owner = accounts.alias("owner")
_COLUMNS = [
    *(collections.c[name] for name in CollectionView._fields if name in collections.c),
    _owner.c.username,
    _owner.c.domain,
]
_visible: ColumnElement[bool] = and_(
    _owner.c.state != AccountState.SUSPENDED, ~exists_pair(blocks, collections.c.account_id, _VIEWER)
)


def _view() -> Select[tuple[int, ...]]:
    return select(*_COLUMNS).select_from(collections.join(_owner, _owner.c.id == collections.c.account_id))


_ONE = Query(_view().where(collections.c.id == P("id"), _visible))
_MANY = Query(_view().where(any_of(collections.c.id, listed("ids")), _visible))
_OF = Query(
    _view()
    .where(
        collections.c.account_id == P("account"),
        _visible,
        or_(collections.c.account_id == _VIEWER, collections.c.discoverable),
    )
    .order_by(collections.c.id.desc())
    .limit(P("limit"))
    .offset(P("offset"))
)
_EVERY = Query(
    _view()
    .where(collections.c.account_id == P("account"), _visible)
    .order_by(collections.c.id.desc())
    .limit(P("limit"))
    .offset(P("offset"))
)
_mine = collection_items.alias("mine")
_WITH = Query(
    _view()
    .join(_mine, _mine.c.collection_id == collections.c.id)
    .where(
        _mine.c.account_id == P("account"),
        _visible,
        or_(
            and_(_mine.c.account_id == _VIEWER, _mine.c.state <= ItemState.ACCEPTED),
            and_(_mine.c.state == ItemState.ACCEPTED, collections.c.discoverable),
        ),
    )
    .order_by(_mine.c.id.desc())
    .limit(P("limit"))
    .offset(P("offset"))
)
_ITEMS = Query(
    select(*[collection_items.c[name] for name in ItemView._fields])
    .join(accounts, accounts.c.id == collection_items.c.account_id)
    .where(
        any_of(collection_items.c.collection_id, listed("ids")),
        collection_items.c.state <= ItemState.ACCEPTED,
        accounts.c.state != AccountState.SUSPENDED,
    )
    .order_by(collection_items.c.id)
)
_AMONG = Query(
    select(collections.c.id).where(collections.c.account_id == P("account"), any_of(collections.c.id, listed("ids")))
)


async def load_collection(session: ReadSession, viewer_id: int, collection_id: int) -> CollectionView:
    """One collection, as the viewer (0: nobody) may see it. Raises NotFound."""
    rows = await session.views(CollectionView, _ONE, id=collection_id, viewer=viewer_id)
    if not rows:
        raise NotFound
    return (await _with_items(session, rows, viewer_id))[0]


async def load_collections(session: ReadSession, viewer_id: int, ids: Sequence[int]) -> dict[int, CollectionView]:
    """Some collections by their ids; those that the viewer (0: nobody) may not see are left out."""
    rows = await session.views(CollectionView, _MANY, ids=list(ids), viewer=viewer_id) if ids else []
    return {view.id: view for view in await _with_items(session, rows, viewer_id)}


async def list_collections_of(
    session: ReadSession, viewer_id: int, account_id: int, part: Part
) -> list[CollectionView]:
    """The collections that an account has made, the newest first; of others those that may be found."""
    rows = await session.views(
        CollectionView, _OF, account=account_id, viewer=viewer_id, limit=part.limit, offset=part.offset
    )
    return await _with_items(session, rows, viewer_id)


async def list_every_collection(session: ReadSession, account_id: int, part: Part) -> list[CollectionView]:
    """The same whether they may be found or not, without who is in them: for other servers."""
    return await session.views(
        CollectionView, _EVERY, account=account_id, viewer=0, limit=part.limit, offset=part.offset
    )


async def list_collections_with(
    session: ReadSession, viewer_id: int, account_id: int, part: Part
) -> list[CollectionView]:
    """The collections that an account is in, where it was put in last first."""
    rows = await session.views(
        CollectionView, _WITH, account=account_id, viewer=viewer_id, limit=part.limit, offset=part.offset
    )
    return await _with_items(session, rows, viewer_id)


async def find_collections_of(session: ReadSession, account_id: int, ids: Sequence[int]) -> set[int]:
    """Which of the collections an account has made."""
    return set(await session.column(_AMONG, account=account_id, ids=list(ids)))


async def _with_items(session: ReadSession, rows: Sequence[CollectionView], viewer_id: int) -> list[CollectionView]:
    items: dict[int, list[ItemView]] = {row.id: [] for row in rows}
    owners = {row.id: row.account_id for row in rows}
    for item in await session.views(ItemView, _ITEMS, ids=list(items)) if items else []:
        # Who has not agreed yet is only known to both sides.
        if item.state == ItemState.ACCEPTED or viewer_id in (owners[item.collection_id], item.account_id):
            items[item.collection_id].append(item)
    return [row._replace(items=tuple(items[row.id])) for row in rows]
