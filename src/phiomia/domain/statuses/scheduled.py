"""Statuses that wait for their time, as loaded."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.media.models import media
from phiomia.domain.media.views import MediaView
from phiomia.domain.statuses.models import scheduled_statuses
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.paging import Page, Paged


class ScheduledPoll(msgspec.Struct, frozen=True):
    """A poll that is to be made."""

    options: list[str]
    expires_in: int
    multiple: bool = False
    hide_totals: bool = False


class ScheduledParams(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as the entity shows it."""

    text: str
    spoiler_text: str = ""
    visibility: str | None = None
    sensitive: bool | None = None
    language: str | None = None
    media_ids: list[str] | None = None
    poll: ScheduledPoll | None = None
    in_reply_to_id: str | None = None
    quoted_status_id: str | None = None
    quote_approval_policy: str = "nobody"
    application_id: int = 0
    idempotency: str | None = None
    scheduled_at: None = None
    with_rate_limit: bool = False


class ScheduledView(msgspec.Struct, frozen=True):
    """A status that waits. The order is that of the columns below."""

    id: int
    account_id: int
    scheduled_at: int
    params: str

    def asked(self) -> ScheduledParams:
        """What was asked for."""
        return _decode(self.params)


_decode = msgspec.json.Decoder(ScheduledParams).decode
COLUMNS = [scheduled_statuses.c[name] for name in ScheduledView.__struct_fields__]
_LISTED = Paged(
    select(*COLUMNS).where(scheduled_statuses.c.account_id == P("account")),
    scheduled_statuses.c.id,
)
_OWN = Query(
    select(*COLUMNS).where(scheduled_statuses.c.account_id == P("account"), scheduled_statuses.c.id == P("id"))
)
_MEDIA = Query(
    select(media.c.scheduled_id, *[media.c[name] for name in MediaView.__struct_fields__])
    .where(any_of(media.c.scheduled_id, listed("ids")), media.c.scheduled_id.is_not(None))
    .order_by(media.c.scheduled_id, media.c.position)
)


async def list_scheduled(session: ReadSession, account_id: int, page: Page) -> list[ScheduledView]:
    """What an account has scheduled, the newest first."""
    return await _LISTED.views(session, ScheduledView, page, account=account_id)


async def load_scheduled(session: ReadSession, account_id: int, scheduled_id: int) -> ScheduledView:
    """One of the account's own. Raises NotFound."""
    found = await session.views(ScheduledView, _OWN, account=account_id, id=scheduled_id)
    if not found:
        raise NotFound
    return found[0]


async def load_scheduled_media(session: ReadSession, ids: Sequence[int]) -> dict[int, list[MediaView]]:
    """The attachments that wait with them."""
    found: dict[int, list[MediaView]] = {}
    for row in await session.all(_MEDIA, ids=list(ids)) if ids else ():
        found.setdefault(row[0], []).append(MediaView(*row[1:]))
    return found
