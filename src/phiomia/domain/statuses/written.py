"""What authors are shown of what they have just written: in one statement, smaller than that of a page."""

from typing import Final, NamedTuple

from sqlalchemy import select

from phiomia.domain.accounts.queries import read_shown_accounts, select_shown
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.apart import NOTHING
from phiomia.domain.statuses.lacking import Found
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.rows import VIEWER, as_feed_row, select_page
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.whole import read_statuses, select_whole
from phiomia.platform.db import P, ReadSession
from phiomia.platform.db.together import Together


class Written(NamedTuple):
    """A status as its author sees it, and what it is rendered from."""

    row: FeedRow
    found: Found


_own = select(statuses.c.id.label("cursor"), statuses.c.id).where(
    statuses.c.id == P("id"), statuses.c.account_id == VIEWER
)
_WRITTEN: Final = Together(
    {
        "written": select_page(_own, name="written_ids"),
        **select_whole(lambda id_: id_ == P("id")),
        **select_shown(lambda id_: id_ == VIEWER),
    }
)


async def load_written(session: ReadSession, status_id: int, author_id: int) -> Written:
    """A status of the author's own. Raises NotFound."""
    found = await _WRITTEN.ask(session, id=status_id, viewer=author_id)
    if not found["written"]:
        raise NotFound
    row = as_feed_row(found["written"][0])
    return Written(row, Found(NOTHING, read_statuses(found), read_shown_accounts(found), {}))
