"""What an account has marked, and who has marked a status."""

from typing import NamedTuple

from sqlalchemy import Select, Table, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.statuses.models import bookmarks, favourites, statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.rows import NOBODY, VIEWER
from phiomia.domain.statuses.targets import meant
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, ReadSession
from phiomia.platform.paging import Page, Paged


class MarkEntry(NamedTuple):
    """A line of a list of accounts: the mark's id, and whose it is."""

    id: int
    account_id: int


def _marked(mark: Table) -> FeedPages:
    return FeedPages(
        select(mark.c.id.label("cursor"), statuses.c.id)
        .select_from(mark.join(statuses, statuses.c.id == mark.c.status_id))
        .where(mark.c.account_id == VIEWER, visible_to(statuses, VIEWER)),
        mark.c.id,
    )


def _by(marks: Select[tuple[int, int]], table: Table) -> Paged:
    return Paged(
        marks.join(accounts, accounts.c.id == table.c.account_id).where(
            accounts.c.state < AccountState.SUSPENDED, not_blocked_or_muted(table.c.account_id, P("viewer"))
        ),
        table.c.id,
    )


_FAVOURITES, _BOOKMARKS = _marked(favourites), _marked(bookmarks)
_FAVOURITERS = _by(
    select(favourites.c.id, favourites.c.account_id).where(favourites.c.status_id == meant("of_status")), favourites
)
_boosts = statuses.alias("boosts")
_BOOSTERS = Paged(
    select(_boosts.c.id, _boosts.c.account_id)
    .join(accounts, accounts.c.id == _boosts.c.account_id)
    .where(
        _boosts.c.reblog_of_id == meant("of_status"),
        _boosts.c.visibility <= Visibility.UNLISTED,
        accounts.c.state < AccountState.SUSPENDED,
        not_blocked_or_muted(_boosts.c.account_id, P("viewer")),
    ),
    _boosts.c.id,
)


async def list_favourites(session: ReadSession, account_id: int, page: Page) -> list[FeedRow]:
    """What the account has favourited and may see; the cursor is the favourite's id."""
    return await _FAVOURITES.rows(session, page, account_id)


async def list_bookmarks(session: ReadSession, account_id: int, page: Page) -> list[FeedRow]:
    """What the account has bookmarked and may see; the cursor is the bookmark's id."""
    return await _BOOKMARKS.rows(session, page, account_id)


async def list_favouriters(session: ReadSession, status_id: int, viewer: int | None, page: Page) -> list[MarkEntry]:
    """Who has favourited a status, without those whom the viewer does not want to meet."""
    return await _FAVOURITERS.views(
        session, MarkEntry, page, of_status=status_id, viewer=viewer or NOBODY, now=now_ms()
    )


async def list_boosters(session: ReadSession, status_id: int, viewer: int | None, page: Page) -> list[MarkEntry]:
    """Who has boosted a status where everybody can see it, without those whom the viewer does not want to meet."""
    return await _BOOSTERS.views(session, MarkEntry, page, of_status=status_id, viewer=viewer or NOBODY, now=now_ms())
