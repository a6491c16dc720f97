"""The numbers that statuses and their authors carry with them.

They count what anybody may know of: neither direct statuses, nor answers that only some may see.
"""

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.sql.dml import Update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import P, Query, WriteSession


def _moved(column: ColumnElement[int]) -> ColumnElement[int]:
    # Not below zero: the numbers of what came from elsewhere are what its server said last.
    after = column + P("by")
    return case((after < 0, 0), else_=after)


def _of_status(name: str) -> Update:
    return update(statuses).where(statuses.c.id == P("id")).values({name: _moved(statuses.c[name])})


_POSTED = Query(
    update(accounts)
    .where(accounts.c.id == P("id"))
    .values(
        statuses_count=accounts.c.statuses_count + 1,
        last_status_at=case((accounts.c.last_status_at > P("at"), accounts.c.last_status_at), else_=P("at")),
    )
)
_REMOVED = Query(
    update(accounts).where(accounts.c.id == P("id")).values(statuses_count=_moved(accounts.c.statuses_count))
)
_BOOSTS_REMOVED = Query(
    update(accounts)
    .where(accounts.c.id.in_(select(statuses.c.account_id).where(statuses.c.reblog_of_id == P("original"))))
    .values(statuses_count=_moved(accounts.c.statuses_count))
)
_REPLIES = Query(_of_status("replies_count"))
_BOOSTS = Query(_of_status("reblogs_count"))
_QUOTES = Query(_of_status("quotes_count"))
_FAVOURITES = Query(_of_status("favourites_count"))


async def count_status(session: WriteSession, account_id: int, visibility: int, at: int) -> None:
    """An account has one more status. On PostgreSQL its other posts wait from here on: to be called late."""
    if visibility != Visibility.DIRECT:
        await session.execute(_POSTED, id=account_id, at=at)


async def uncount_status(session: WriteSession, account_id: int, visibility: int) -> None:
    """An account has one status less."""
    if visibility != Visibility.DIRECT:
        await session.execute(_REMOVED, id=account_id, by=-1)


async def uncount_boosts_of(session: WriteSession, status_id: int) -> None:
    """Everybody who boosted a status that goes has one status less."""
    await session.execute(_BOOSTS_REMOVED, original=status_id, by=-1)


async def count_reply(session: WriteSession, parent_id: int, visibility: int, by: int) -> None:
    """A status has an answer more or less."""
    if visibility <= Visibility.UNLISTED:
        await session.execute(_REPLIES, id=parent_id, by=by)


async def count_boost(session: WriteSession, status_id: int, by: int) -> None:
    """A status has a boost more or less."""
    await session.execute(_BOOSTS, id=status_id, by=by)


async def count_favourite(session: WriteSession, status_id: int, by: int) -> None:
    """A status has a favourite more or less."""
    await session.execute(_FAVOURITES, id=status_id, by=by)


async def count_quote(session: WriteSession, status_id: int, visibility: int, by: int) -> None:
    """A status is quoted with consent once more or less; `visibility` is that of the quote."""
    if visibility <= Visibility.UNLISTED:
        await session.execute(_QUOTES, id=status_id, by=by)
