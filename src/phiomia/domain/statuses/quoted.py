"""Statuses as somebody sees them inside of others, and the list of those that quote one."""

from typing import Any, Protocol

from sqlalchemy import Select, case, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.conditions import exists_pair, is_of_blocked_domain, not_muted
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.models import quotes, statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import Standing
from phiomia.domain.statuses.rows import VIEWER, select_page
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.paging import Page

_standing = case(
    (~visible_to(statuses, VIEWER), literal(int(Standing.UNAUTHORIZED))),
    (exists_pair(blocks, VIEWER, statuses.c.account_id), literal(int(Standing.BLOCKED_ACCOUNT))),
    (is_of_blocked_domain(statuses.c.account_id, VIEWER), literal(int(Standing.BLOCKED_DOMAIN))),
    (~not_muted(statuses.c.account_id, VIEWER), literal(int(Standing.MUTED_ACCOUNT))),
    else_=literal(int(Standing.FINE)),
)
_QUOTING = FeedPages(
    select(statuses.c.id.label("cursor"), statuses.c.id)
    .select_from(quotes.join(statuses, statuses.c.id == quotes.c.status_id))
    .where(
        quotes.c.quoted_id == P("quoted"),
        quotes.c.state == QuoteState.ACCEPTED,
        visible_to(statuses, VIEWER),
        ~exists_pair(blocks, VIEWER, statuses.c.account_id),
    ),
    quotes.c.status_id,
)
_PAGE = Query(
    select(statuses.c.id, statuses.c.local, statuses.c.url, statuses.c.uri, accounts.c.username)
    .select_from(quotes.join(statuses, statuses.c.id == quotes.c.quoted_id))
    .join(accounts, accounts.c.id == statuses.c.account_id)
    .where(quotes.c.status_id == P("quoting"))
)


class Pages(Protocol):
    """Where statuses can be read."""

    def status(self, username: str, status_id: int) -> str:
        """The page of a local status."""
        ...


def select_quoted(ids: Any) -> Select[Any]:
    """Statuses of a select of ids as page rows."""
    return select_page(
        select(statuses.c.id.label("cursor"), statuses.c.id).where(statuses.c.id.in_(ids)), name="quoted"
    )


def select_standings(ids: Any) -> Select[Any]:
    """How the viewer stands to statuses of a select of ids. Needs `viewer` and `now`."""
    return select(statuses.c.id, _standing).where(statuses.c.id.in_(ids))


async def list_quoting(session: ReadSession, status_id: int, viewer: int | None, page: Page) -> list[FeedRow]:
    """The statuses that quote one with its author's consent, as far as the viewer may see them."""
    return await _QUOTING.rows(session, page, viewer, quoted=status_id)


async def find_quoted_url(session: ReadSession, status_id: int, pages: Pages) -> str:
    """The page of what a status quotes; empty if that is not known."""
    row = await session.one(_PAGE, quoting=status_id)
    if row is None:
        return ""
    id_, local, url, uri, username = row
    return pages.status(username, id_) if local else url or uri
