"""The home timeline: the stored feed, and beyond its end the same by query, so that there is no cliff."""

from sqlalchemy import func, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.relationships.models import follows, list_accounts, lists
from phiomia.domain.statuses.models import status_mentions, status_tags, statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tag_follows
from phiomia.domain.timelines.models import home_feed
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.paging import Page

_VIEWER = P("viewer")

_FEED = FeedPages(
    select(home_feed.c.status_id.label("cursor"), home_feed.c.status_id.label("id")).where(
        home_feed.c.account_id == _VIEWER
    ),
    home_feed.c.status_id,
)

_boosted = statuses.alias("boosted")
_followed = select(follows.c.target_id).where(follows.c.account_id == _VIEWER)
_wanted = _followed.where(or_(follows.c.show_boosts, statuses.c.reblog_of_id.is_(None))).correlate(statuses)
_addressed = (
    select(status_mentions.c.status_id)
    .where(status_mentions.c.status_id == statuses.c.id, status_mentions.c.account_id == _VIEWER)
    .exists()
)
_in_exclusive_list = (
    select(lists.c.id)
    .select_from(lists.join(list_accounts, list_accounts.c.list_id == lists.c.id))
    .where(lists.c.account_id == _VIEWER, lists.c.exclusive, list_accounts.c.account_id == statuses.c.account_id)
    .exists()
)
_unwanted_boost = (
    select(_boosted.c.id)
    .where(_boosted.c.id == statuses.c.reblog_of_id, ~not_blocked_or_muted(_boosted.c.account_id, _VIEWER))
    .exists()
)
# The rules are those of fan_out.py, told from the reader's side.
_BEYOND = FeedPages(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        or_(statuses.c.account_id.in_(_wanted), statuses.c.account_id == _VIEWER),
        or_(statuses.c.visibility < Visibility.DIRECT, statuses.c.account_id == _VIEWER, _addressed),
        or_(
            statuses.c.in_reply_to_account_id.is_(None),
            statuses.c.in_reply_to_account_id == statuses.c.account_id,
            statuses.c.in_reply_to_account_id == _VIEWER,
            statuses.c.account_id == _VIEWER,
            statuses.c.in_reply_to_account_id.in_(_followed),
        ),
        not_blocked_or_muted(statuses.c.account_id, _VIEWER),
        ~_in_exclusive_list,
        ~_unwanted_boost,
    ),
    statuses.c.id,
)
# In a statement of its own: as one more alternative above it would keep the planners from the authors' index.
_BEYOND_BY_TAG = FeedPages(
    select(status_tags.c.status_id.label("cursor"), status_tags.c.status_id.label("id"))
    .select_from(
        tag_follows.join(status_tags, status_tags.c.tag_id == tag_follows.c.tag_id)
        .join(statuses, statuses.c.id == status_tags.c.status_id)
        .join(accounts, accounts.c.id == statuses.c.account_id)
    )
    .where(
        tag_follows.c.account_id == _VIEWER,
        statuses.c.visibility == Visibility.PUBLIC,
        accounts.c.state == AccountState.ACTIVE,
        not_blocked_or_muted(statuses.c.account_id, _VIEWER),
    )
    .distinct(),
    status_tags.c.status_id,
)
_OLDEST = Query(select(func.min(home_feed.c.status_id)).where(home_feed.c.account_id == _VIEWER))


async def load_home(session: ReadSession, account_id: int, page: Page) -> list[FeedRow]:
    """A page of the account's home timeline, newest first."""
    if page.min_id is not None and not await _reaches(session, account_id, page.min_id):
        return await _load_beyond(session, account_id, page)
    rows = await _FEED.rows(session, page, account_id)
    if len(rows) >= page.limit or page.upwards:
        return rows
    # Who only asks for what is new gets few or none, also when the feed goes back further.
    if page.since_id is not None and await _reaches(session, account_id, page.since_id):
        return rows
    oldest = rows[-1].cursor if rows else page.max_id
    rest = Page(oldest, page.since_id, None, page.limit - len(rows))
    return rows + await _load_beyond(session, account_id, rest)


async def _reaches(session: ReadSession, account_id: int, status_id: int) -> bool:
    """Whether the feed has everything that came after a status."""
    oldest = await session.value(_OLDEST, viewer=account_id)
    return oldest is not None and status_id >= oldest


async def _load_beyond(session: ReadSession, account_id: int, page: Page) -> list[FeedRow]:
    now = now_ms()
    rows = await _BEYOND.rows(session, page, account_id, now=now)
    by_tag = await _BEYOND_BY_TAG.rows(session, page, account_id, now=now)
    if not by_tag:
        return rows
    merged = {row.cursor: row for row in (*rows, *by_tag)}
    cursors = sorted(merged, reverse=True)
    kept = cursors[-page.limit :] if page.upwards else cursors[: page.limit]
    return [merged[cursor] for cursor in kept]
