"""Whom to write to about the server."""

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, ReadSession

_NAMED = Query(select(accounts.c.id).where(accounts.c.username_key == P("name", str), accounts.c.domain == ""))
_OWNER = Query(
    select(accounts.c.id)
    .where(accounts.c.domain == "", accounts.c.shown_role == P("role"))
    .order_by(accounts.c.id)
    .limit(P("most"))
)
_OWNER_ROLE = 3


async def find_contact(session: ReadSession, username: str = "") -> int | None:
    """The account of that name, or the oldest owner's; None when there is neither."""
    if username:
        named: int | None = await session.value(_NAMED, name=username.lower())
        return named
    owner: int | None = await session.value(_OWNER, role=_OWNER_ROLE, most=1)
    return owner
