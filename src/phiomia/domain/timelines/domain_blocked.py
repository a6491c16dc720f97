"""What the people of a server wrote leaves the feed of a member who blocks it."""

from sqlalchemy import delete, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.events import DomainBlocked
from phiomia.domain.statuses.models import statuses
from phiomia.domain.timelines.models import home_feed
from phiomia.platform.db import P, Query, WriteSession

_feed, _original = home_feed.alias("f"), statuses.alias("original")
_author, _original_author = accounts.alias("author"), accounts.alias("original_author")
_from_there = (
    select(_feed.c.status_id)
    .select_from(
        _feed.join(statuses, statuses.c.id == _feed.c.status_id)
        .join(_original, _original.c.id == _feed.c.original_id)
        .join(_author, _author.c.id == statuses.c.account_id)
        .join(_original_author, _original_author.c.id == _original.c.account_id)
    )
    .where(
        _feed.c.account_id == P("account"),
        or_(_author.c.domain == P("domain", str), _original_author.c.domain == P("domain", str)),
    )
)
_REMOVE = Query(delete(home_feed).where(home_feed.c.account_id == P("account"), home_feed.c.status_id.in_(_from_there)))


async def forget_domain(session: WriteSession, event: DomainBlocked) -> None:
    """Takes out what was written or boosted there, and what others have boosted from there."""
    await session.execute(_REMOVE, account=event.account_id, domain=event.domain)
