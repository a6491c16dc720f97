"""The home timeline: the stored feed, and beyond its end the same by query, so that there is no cliff."""

from sqlalchemy import func, literal, or_, select, true

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.relationships.models import follows, list_accounts, lists
from phiomia.domain.statuses.models import status_mentions, status_tags, statuses
from phiomia.domain.statuses.pages import FeedPages, select_part
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tag_follows
from phiomia.domain.timelines.models import home_feed
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, ReadSession
from phiomia.platform.db.together import Together
from phiomia.platform.paging import Page

_VIEWER = P("viewer")

_FEED = FeedPages(
    select(home_feed.c.status_id.label("cursor"), home_feed.c.status_id.label("id")).where(
        home_feed.c.account_id == _VIEWER
    ),
    home_feed.c.status_id,
)

_oldest = select(func.min(home_feed.c.status_id)).where(home_feed.c.account_id == _VIEWER)
# What lies beyond is only looked for where the feed does not reach down to what the caller has. It is a constant of the
# statement, so that nothing else is read where it does.
_falls_short = or_(P("has") < literal(0), func.coalesce(_oldest.scalar_subquery() > P("has"), true()))
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
_by_author = select(statuses.c.id.label("cursor"), statuses.c.id).where(
    _falls_short,
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
)
# A part of its own: as one more alternative above it would keep the planners from the authors' index.
_by_tag = (
    select(status_tags.c.status_id.label("cursor"), status_tags.c.status_id.label("id"))
    .select_from(
        tag_follows.join(status_tags, status_tags.c.tag_id == tag_follows.c.tag_id)
        .join(statuses, statuses.c.id == status_tags.c.status_id)
        .join(accounts, accounts.c.id == statuses.c.account_id)
    )
    .where(
        _falls_short,
        tag_follows.c.account_id == _VIEWER,
        statuses.c.visibility == Visibility.PUBLIC,
        accounts.c.state == AccountState.ACTIVE,
        not_blocked_or_muted(statuses.c.account_id, _VIEWER),
    )
    .distinct()
)
_REST = {
    upwards: Together(
        {
            "oldest": _oldest,
            "by_author": select_part(_by_author, statuses.c.id, "by_author", upwards=upwards),
            "by_tag": select_part(_by_tag, status_tags.c.status_id, "by_tag", upwards=upwards),
        }
    )
    for upwards in (False, True)
}


async def load_home(session: ReadSession, account_id: int, page: Page) -> list[FeedRow]:
    """A page of the account's home timeline, newest first; in two statements at most."""
    if page.min_id is not None:
        beyond = await _load_beyond(session, account_id, page, page.min_id)
        return await _FEED.rows(session, page, account_id) if beyond is None else beyond
    rows = await _FEED.rows(session, page, account_id)
    if len(rows) >= page.limit:
        return rows
    oldest = rows[-1].cursor if rows else page.max_id
    rest = Page(oldest, page.since_id, None, page.limit - len(rows))
    # Who only asks for what is new gets few or none, also when the feed goes back further.
    return rows + (await _load_beyond(session, account_id, rest, page.since_id) or [])


async def _load_beyond(session: ReadSession, account_id: int, page: Page, has: int | None) -> list[FeedRow] | None:
    """What the feed would have if it had no end; None where it has everything that came after what the caller has."""
    found = await _REST[page.upwards].ask(
        session, viewer=account_id, now=now_ms(), has=-1 if has is None else has, **page.bounds()
    )
    oldest = found["oldest"][0][0]
    if oldest is not None and has is not None and has >= oldest:
        return None
    merged = {row[0]: FeedRow(*row) for row in (*found["by_author"], *found["by_tag"])}
    cursors = sorted(merged, reverse=True)
    kept = cursors[-page.limit :] if page.upwards else cursors[: page.limit]
    return [merged[cursor] for cursor in kept]
