"""A list's timeline: statuses of its members, by query."""

from sqlalchemy import or_, select

from phiomia.domain.relationships.conditions import is_followed, not_blocked_or_muted
from phiomia.domain.relationships.lists import RepliesPolicy
from phiomia.domain.relationships.models import list_accounts, lists
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.policy import visible_with_original
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, ReadSession
from phiomia.platform.paging import Page

_VIEWER = P("viewer")
_LIST = P("list_id")
_members = select(list_accounts.c.account_id).where(list_accounts.c.list_id == _LIST)
_policy = select(lists.c.replies_policy).where(lists.c.id == _LIST).scalar_subquery()
_addressee = statuses.c.in_reply_to_account_id

_boosted = statuses.alias("boosted")
_unwanted_boost = (
    select(_boosted.c.id)
    .where(_boosted.c.id == statuses.c.reblog_of_id, ~not_blocked_or_muted(_boosted.c.account_id, _VIEWER))
    .exists()
)

_PAGES = FeedPages(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        statuses.c.account_id.in_(_members),
        visible_with_original(statuses, _VIEWER),
        not_blocked_or_muted(statuses.c.account_id, _VIEWER),
        ~_unwanted_boost,
        or_(
            _addressee.is_(None),
            _addressee == statuses.c.account_id,
            _addressee == _VIEWER,
            (_policy == RepliesPolicy.LIST) & _addressee.in_(_members),
            (_policy == RepliesPolicy.FOLLOWED) & is_followed(_addressee, _VIEWER),
        ),
    ),
    statuses.c.id,
)


async def load_list_timeline(session: ReadSession, viewer: int, list_id: int, page: Page) -> list[FeedRow]:
    """A page of a list that is the viewer's own."""
    return await _PAGES.rows(session, page, viewer, list_id=list_id, now=now_ms())
