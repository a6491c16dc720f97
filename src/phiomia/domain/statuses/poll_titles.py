"""The answers of a poll by name: other servers know them by nothing else."""

from sqlalchemy import select

from phiomia.domain.statuses.models import poll_options
from phiomia.platform.db import P, Query, ReadSession

_TITLES = Query(
    select(poll_options.c.title).where(poll_options.c.poll_id == P("poll")).order_by(poll_options.c.position)
)


async def load_poll_titles(session: ReadSession, poll_id: int) -> list[str]:
    """The answers of a poll in their order."""
    return await session.column(_TITLES, poll=poll_id)
