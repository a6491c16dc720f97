"""An account's own statuses, as others see them."""

from functools import cache

from sqlalchemy import ColumnElement, or_, select

from phiomia.domain.statuses.models import pins, status_tags, statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tags
from phiomia.platform.db import P, ReadSession
from phiomia.platform.paging import Page

_VIEWER = P("viewer")
_AUTHOR = P("author")


@cache
def _own(
    only_media: bool, exclude_replies: bool, exclude_boosts: bool, exclude_direct: bool, tagged: bool
) -> FeedPages:
    boosted = statuses.alias("boosted")
    conditions: list[ColumnElement[bool]] = [
        statuses.c.account_id == _AUTHOR,
        visible_to(statuses, _VIEWER, _AUTHOR),
        # A boost is seen where the boosted status is.
        or_(
            statuses.c.reblog_of_id.is_(None),
            select(boosted.c.id).where(boosted.c.id == statuses.c.reblog_of_id, visible_to(boosted, _VIEWER)).exists(),
        ),
    ]
    if only_media:
        conditions.append(statuses.c.media_count > 0)
    if exclude_replies:
        conditions.append(
            or_(statuses.c.in_reply_to_id.is_(None), statuses.c.in_reply_to_account_id == statuses.c.account_id)
        )
    if exclude_boosts:
        conditions.append(statuses.c.reblog_of_id.is_(None))
    if exclude_direct:
        conditions.append(statuses.c.visibility < Visibility.DIRECT)
    if tagged:
        conditions.append(
            select(status_tags.c.status_id)
            .select_from(status_tags.join(tags, tags.c.id == status_tags.c.tag_id))
            .where(status_tags.c.status_id == statuses.c.id, tags.c.name == P("tag", str))
            .exists()
        )
    return FeedPages(select(statuses.c.id.label("cursor"), statuses.c.id).where(*conditions), statuses.c.id)


_PINNED = FeedPages(
    select(pins.c.id.label("cursor"), pins.c.status_id.label("id"))
    .select_from(pins.join(statuses, statuses.c.id == pins.c.status_id))
    .where(pins.c.account_id == _AUTHOR, visible_to(statuses, _VIEWER, _AUTHOR)),
    pins.c.id,
)


async def load_account_statuses(
    session: ReadSession, viewer: int | None, author: int, page: Page, *, only_media: bool = False,
    exclude_replies: bool = False, exclude_boosts: bool = False, exclude_direct: bool = False, pinned: bool = False,
    tag: str | None = None,
) -> list[FeedRow]:  # fmt: skip
    """A page of an account's statuses."""
    if pinned:
        return await _PINNED.rows(session, page, viewer, author=author)
    pages = _own(only_media, exclude_replies, exclude_boosts, exclude_direct, tag is not None)
    more = {} if tag is None else {"tag": tag}
    # Anonymous statements take the viewer too: the visibility condition needs it.
    return await pages.rows(session, page, viewer, author=author, **more)
