"""What is on its way to other servers: one document, however many get it."""

from typing import NamedTuple

from sqlalchemy import delete, select

from phiomia.domain.peers.models import parcels
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.ids import new_id

# Nobody is tried for longer than two days.
_KEPT_MS = 4 * DAY


class Parcel(NamedTuple):
    """A document to be sent. No `account_id`: the server itself signs. `status_id`: whose receipts it keeps."""

    id: int
    account_id: int | None
    status_id: int | None
    body: bytes
    for_followers: bool
    created_at: int


_INSERT = insert_into(parcels, *Parcel._fields)
_LOAD = Query(select(*[parcels.c[name] for name in Parcel._fields]).where(parcels.c.id == P("id")))
_TRIM = Query(delete(parcels).where(parcels.c.created_at < P("before")))


async def add_parcel(
    session: WriteSession,
    body: bytes,
    *,
    account_id: int | None,
    status_id: int | None = None,
    for_followers: bool = False,
) -> int:
    """Keeps a document for as long as it is tried to be delivered; gives its id."""
    id_ = new_id()
    await session.execute(
        _INSERT,
        id=id_,
        account_id=account_id,
        status_id=status_id,
        body=body,
        for_followers=for_followers,
        created_at=now_ms(),
    )
    return id_


async def load_parcel(session: ReadSession, parcel_id: int) -> Parcel | None:
    """The document of that id, if it is still kept."""
    row = await session.one(_LOAD, id=parcel_id)
    return None if row is None else Parcel(*row)._replace(body=bytes(row[3]))


async def trim_parcels(session: WriteSession) -> int:
    """Forgets what nobody tries to deliver any more; gives the number."""
    return await session.execute(_TRIM, before=now_ms() - _KEPT_MS)
