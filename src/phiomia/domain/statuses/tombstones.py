"""What is left of deleted statuses of ours: that there was something at that address.

Only of those that everybody could see: of the others nobody shall learn that they existed.
"""

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.peers.models import tombstones
from phiomia.domain.peers.tombstones import bury
from phiomia.domain.statuses.events import StatusDeleted
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import P, Query, ReadSession, WriteSession

_FIND = Query(select(tombstones.c.created_at).where(tombstones.c.uri == P("uri", str)))
_AUTHOR = Query(select(accounts.c.username).where(accounts.c.id == P("id"), accounts.c.domain == ""))


async def find_tombstone(session: ReadSession, uri: str) -> int | None:
    """When what had that id was deleted; None for what is there, and for what never was."""
    found: int | None = await session.value(_FIND, uri=uri)
    return found


async def leave_tombstone(session: WriteSession, event: StatusDeleted) -> None:
    """Remembers the id of a status of ours that is gone."""
    if not event.local or event.reblog_of_id is not None or event.visibility > Visibility.UNLISTED:
        return
    username = await session.value(_AUTHOR, id=event.account_id)
    if username is None:
        return
    base = session.services.config.base_url
    await bury(session, f"{base}/users/{username}/statuses/{event.status_id}")
