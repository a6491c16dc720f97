"""Invitations: whoever has the code may join, even while nobody else can."""

import secrets
from typing import NamedTuple

from sqlalchemy import delete, or_, select, update

from phiomia.domain.errors import NotFound
from phiomia.domain.users.models import invites
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.ids import new_id

_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 10


class InviteView(NamedTuple):
    """An invitation. The order is that of the columns below."""

    id: int
    code: str
    uses: int
    max_uses: int | None
    expires_at: int | None
    comment: str
    created_at: int

    def holds(self, now: int) -> bool:
        """Whether somebody may still join with it."""
        in_time = self.expires_at is None or self.expires_at > now
        return in_time and (self.max_uses is None or self.uses < self.max_uses)


_VIEW = select(*[invites.c[name] for name in InviteView._fields])
_BY_CODE = Query(_VIEW.where(invites.c.code == P("code", str)))
_LIST = Query(_VIEW.order_by(invites.c.id))
_INSERT = insert_into(invites, "id", "code", "user_id", "uses", "max_uses", "expires_at", "comment", "created_at")
_DELETE = Query(delete(invites).where(invites.c.code == P("code", str)))
_USE = Query(
    update(invites)
    .where(
        invites.c.code == P("by_code", str),
        or_(invites.c.max_uses.is_(None), invites.c.uses < invites.c.max_uses),
        or_(invites.c.expires_at.is_(None), invites.c.expires_at > P("now")),
    )
    .values(uses=invites.c.uses + 1)
)


async def find_invite(session: ReadSession, code: str) -> InviteView | None:
    """The invitation with that code, whether it still holds or not."""
    return await session.view(InviteView, _BY_CODE, code=code)


async def list_invites(session: ReadSession) -> list[InviteView]:
    """Every invitation, the oldest first."""
    return await session.views(InviteView, _LIST)


async def invite(
    session: WriteSession, *, max_uses: int | None = None, expires_at: int | None = None, comment: str = ""
) -> str:
    """A new invitation; gives its code."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    await session.execute(
        _INSERT,
        id=new_id(),
        code=code,
        user_id=None,
        uses=0,
        max_uses=max_uses,
        expires_at=expires_at,
        comment=comment,
        created_at=now_ms(),
    )
    return code


async def take_invite_back(session: WriteSession, code: str) -> None:
    """Makes an invitation worthless. Raises NotFound."""
    if not await session.execute(_DELETE, code=code):
        raise NotFound


async def use_invite(session: WriteSession, code: str) -> bool:
    """Counts somebody who joins with it; False if it does not hold any more."""
    return bool(await session.execute(_USE, by_code=code, now=now_ms()))
