"""Counts avatars and headers that were put in their place by a release that did not yet."""

from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import and_, literal, select

from phiomia.domain.accounts.models import account_pictures, accounts
from phiomia.domain.accounts.pictures import Place, StoredPicture, count_picture
from phiomia.domain.users.models import users
from phiomia.platform.db import Database, Query, WriteSession
from phiomia.platform.storage import Storage

_BATCH: Final = 100


class _Uncounted(NamedTuple):
    account_id: int
    key: str
    still: str


def _uncounted(place: Place) -> Query:
    key = accounts.c[place]
    counted = and_(
        account_pictures.c.account_id == accounts.c.id,
        account_pictures.c.place == place,
        account_pictures.c.key == key,
    )
    return Query(
        select(accounts.c.id, key, accounts.c[f"{place}_static"])
        .select_from(users.join(accounts, accounts.c.id == users.c.account_id).outerjoin(account_pictures, counted))
        .where(key != "", account_pictures.c.key.is_(None))
        .limit(literal(_BATCH))
    )


_UNCOUNTED: Final[dict[Place, Query]] = {"avatar": _uncounted("avatar"), "header": _uncounted("header")}


async def count_uncounted(db: Database, storage: Storage) -> int:
    """Notes how large the pictures are of which that is not known; gives their number."""
    number = 0
    for place, query in _UNCOUNTED.items():
        while True:
            async with db.read() as session:
                found = await session.views(_Uncounted, query)
            for one in found:
                sizes = [await storage.size(key) or 0 for key in {one.key, one.still} if key]
                picture = StoredPicture(one.key, one.still, sum(sizes))
                await db.write(partial(_count, one=one, place=place, picture=picture))
            number += len(found)
            if len(found) < _BATCH:
                break
    return number


async def _count(session: WriteSession, *, one: _Uncounted, place: Place, picture: StoredPicture) -> None:
    await count_picture(session, one.account_id, place, picture)
