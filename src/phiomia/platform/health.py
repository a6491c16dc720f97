"""Whether a process lives, and whether it can serve."""

from sqlalchemy import func, select

from phiomia.platform.db import Database, Query, TooSlow, Unavailable
from phiomia.platform.jobs.models import leases

# Touches a real table: a database that answers SELECT 1 may still lack the schema.
TOUCH = Query(select(func.count()).select_from(leases))


async def is_ready(db: Database) -> bool:
    """Whether the database answers."""
    try:
        async with db.read() as session:
            await session.value(TOUCH)
    except (Unavailable, TooSlow):
        return False
    return True
