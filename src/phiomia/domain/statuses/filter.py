"""Putting a status into a filter."""

from phiomia.domain.filters.statuses import add_status
from phiomia.domain.statuses.queries import load_row
from phiomia.platform.db import WriteSession


async def filter_status(session: WriteSession, account_id: int, filter_id: int, status_id: int) -> int:
    """Lets a filter meet a status that the account sees; gives the id of that. Raises NotFound, Invalid."""
    await load_row(session, status_id, account_id)
    return await add_status(session, account_id, filter_id, status_id)
