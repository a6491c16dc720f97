"""What tells whether the document of a signed-in person is still right: revisions, and who asks to follow."""

from typing import NamedTuple

from sqlalchemy import func, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.models import follow_requests
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession

_MOST = 40


class Stamp(NamedTuple):
    """While these stay, so does what the person sees of their own account."""

    account_rev: int
    user_rev: int
    follow_requests: int


_requests = select(follow_requests.c.id).where(follow_requests.c.target_id == P("account")).limit(literal(_MOST))
_STAMP = Query(
    select(accounts.c.rev, users.c.rev, select(func.count()).select_from(_requests.subquery()).scalar_subquery())
    .join(users, users.c.account_id == accounts.c.id)
    .where(accounts.c.id == P("account"))
)


async def load_stamp(session: ReadSession, account_id: int) -> Stamp:
    """The stamp of a member; requests are counted up to 40. Raises NotFound."""
    row = await session.one(_STAMP, account=account_id)
    if row is None:
        raise NotFound
    return Stamp(*row)
