"""Which attachments other servers have."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.media.models import media
from phiomia.platform.db import P, Query, ReadSession

PAGE: Final = 200


class RemoteAttachment(msgspec.Struct, frozen=True):
    """An attachment of a status of another server."""

    id: int
    remote_url: str


class Choice(msgspec.Struct, frozen=True):
    """Which are meant: those of a server, of an account, of a status, from an id on. Nothing said means any."""

    domain: str = ""
    account_id: int = 0
    status_id: int = 0
    since_id: int = 0


_CHOSEN = Query(
    select(media.c.id, media.c.remote_url)
    .join(accounts, accounts.c.id == media.c.account_id)
    .where(
        media.c.remote_url.is_not(None),
        media.c.id > P("after"),
        media.c.id >= P("since"),
        or_(P("domain", str) == "", accounts.c.domain == P("domain", str)),
        or_(P("account") == 0, media.c.account_id == P("account")),
        or_(P("status") == 0, media.c.status_id == P("status")),
    )
    .order_by(media.c.id)
    .limit(P("limit"))
)


async def list_remote_media(session: ReadSession, choice: Choice, after: int = 0) -> Sequence[RemoteAttachment]:
    """A page of them, by id."""
    return await session.views(
        RemoteAttachment,
        _CHOSEN,
        after=after,
        since=choice.since_id,
        domain=choice.domain,
        account=choice.account_id,
        status=choice.status_id,
        limit=PAGE,
    )
