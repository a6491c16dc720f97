"""Reading collections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

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
MANY: Final = _view().where(any_of(collections.c.id, listed("collection_ids")), _visible)
"""Collections for a statement of `Together`, of `collection_ids` as `viewer` may see them."""
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
ITEMS: Final = (
    select(*[collection_items.c[name] for name in ItemView._fields])
    .join(accounts, accounts.c.id == collection_items.c.account_id)
    .where(
        any_of(collection_items.c.collection_id, listed("collection_ids")),
        collection_items.c.state <= ItemState.ACCEPTED,
        accounts.c.state != AccountState.SUSPENDED,
    )
    .order_by(collection_items.c.id)
)
"""Who is in them; `read_collections` takes the rows of both."""
_ITEMS = Query(ITEMS)
_AMONG = Query(
    select(collections.c.id).where(collections.c.account_id == P("account"), any_of(collections.c.id, listed("ids")))
)


async def load_collection(session: ReadSession, viewer_id: int, collection_id: int) -> CollectionView:
    """One collection, as the viewer (0: nobody) may see it. Raises NotFound."""
    rows = await session.views(CollectionView, _ONE, id=collection_id, viewer=viewer_id)
    if not rows:
        raise NotFound
    return (await _with_items(session, rows, viewer_id))[0]


def read_collections(
    rows: Sequence[Sequence[Any]], items: Sequence[Sequence[Any]], viewer_id: int
) -> dict[int, CollectionView]:
    """Collections by id, of rows of `MANY` and `ITEMS`, as the viewer (0: nobody) may see them."""
    views = [CollectionView(*row) for row in rows]
    return {view.id: view for view in _fill(views, [ItemView(*item) for item in items], viewer_id)}


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
    found = await session.views(ItemView, _ITEMS, collection_ids=[row.id for row in rows]) if rows else []
    return _fill(rows, found, viewer_id)


def _fill(rows: Sequence[CollectionView], found: Sequence[ItemView], viewer_id: int) -> list[CollectionView]:
    items: dict[int, list[ItemView]] = {row.id: [] for row in rows}
    owners = {row.id: row.account_id for row in rows}
    for item in found:
        if item.collection_id not in items:
            continue
        # Who has not agreed yet is only known to both sides.
        if item.state == ItemState.ACCEPTED or viewer_id in (owners[item.collection_id], item.account_id):
            items[item.collection_id].append(item)
    return [row._replace(items=tuple(items[row.id])) for row in rows]
