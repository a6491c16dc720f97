"""Whose status a reply of another server answers."""

from sqlalchemy import select

from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import P, Query, ReadSession

_parent = statuses.alias("parent")
_ANSWERED = Query(
    select(_parent.c.account_id)
    .select_from(statuses.join(_parent, _parent.c.id == statuses.c.in_reply_to_id))
    .where(
        statuses.c.uri == P("uri", str),
        statuses.c.uri != "",
        statuses.c.visibility <= Visibility.UNLISTED,
        _parent.c.local,
        _parent.c.visibility <= Visibility.UNLISTED,
    )
)


async def find_answered_member(session: ReadSession, uri: str) -> int | None:
    """The member whose status is answered there, before everybody; None if it is nobody's here."""
    found: int | None = await session.value(_ANSWERED, uri=uri)
    return found
