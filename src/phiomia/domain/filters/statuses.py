"""Single statuses in a filter. Whether the member sees such a status, `domain/statuses/filter.py` asks."""

from sqlalchemy import delete

from phiomia.domain.errors import Invalid
from phiomia.domain.filters.changed import note_change
from phiomia.domain.filters.checks import check_statuses
from phiomia.domain.filters.models import filter_statuses
from phiomia.domain.filters.queries import load_filter, load_filter_status
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.ids import new_id

_INSERT = insert_into(filter_statuses, "id", "filter_id", "status_id")
_DELETE = Query(delete(filter_statuses).where(filter_statuses.c.id == P("id")))


async def add_status(session: WriteSession, account_id: int, filter_id: int, status_id: int) -> int:
    """Lets a filter meet a status; gives the id of that. Raises NotFound, Invalid."""
    view = await load_filter(session, account_id, filter_id)
    if any(one.status_id == status_id for one in view.statuses):
        raise Invalid("Validation failed: Status is in this filter already", {"status_id": [("ERR_TAKEN", "is taken")]})
    await check_statuses(session, account_id)
    entry_id = new_id()
    await session.execute(_INSERT, id=entry_id, filter_id=filter_id, status_id=status_id)
    await note_change(session, account_id)
    return entry_id


async def remove_status(session: WriteSession, account_id: int, entry_id: int) -> None:
    """Ends that. Raises NotFound."""
    await load_filter_status(session, account_id, entry_id)
    await session.execute(_DELETE, id=entry_id)
    await note_change(session, account_id)
