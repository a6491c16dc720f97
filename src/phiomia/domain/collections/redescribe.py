"""Whether a collection says something else of those who are in it, and who of them is here."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.collections.events import CollectionRedescribed
from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.models import collection_items, collections
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

# Whether it may be found, its language and who else is in it say nothing about those who are in it.
DESCRIBING: Final = ("name", "description", "sensitive", "tag_name")

_DESCRIPTION = Query(select(*[collections.c[name] for name in DESCRIBING]).where(collections.c.id == P("id")))
_MEMBERS = Query(
    select(collection_items.c.account_id)
    .join(accounts, accounts.c.id == collection_items.c.account_id)
    .where(
        collection_items.c.collection_id == P("id"),
        collection_items.c.state == ItemState.ACCEPTED,
        accounts.c.domain == "",
    )
)


async def load_description(session: WriteSession, collection_id: int) -> tuple[object, ...]:
    """What a collection says of those who are in it, to be given to `record_redescribed` after a change."""
    return tuple(await session.one(_DESCRIPTION, id=collection_id) or ())


async def record_redescribed(
    session: WriteSession, owner_id: int, collection_id: int, before: Sequence[object]
) -> None:
    """Records that a collection is described otherwise than before, if it is and members are in it."""
    if await load_description(session, collection_id) == tuple(before):
        return
    members = await session.column(_MEMBERS, id=collection_id)
    if members:
        await record(session, CollectionRedescribed(collection_id, owner_id, members))
