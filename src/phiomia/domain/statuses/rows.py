"""Page rows of statuses: ids with revisions and the viewer's marks, in one select for any list of ids."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, func, literal, select
from sqlalchemy.sql.selectable import CTE

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.statuses.models import bookmarks, conversation_mutes, favourites, pins, statuses
from phiomia.domain.statuses.views import FeedRow, Mark
from phiomia.platform.db import P, Query, ReadSession

VIEWER = P("viewer")
NOBODY = 0
# Once for all statements: each alias is a copy of all columns.
_status, _original, _boost = statuses.alias("s"), statuses.alias("o"), statuses.alias("b")
_author, _original_author = accounts.alias("a"), accounts.alias("oa")


def page_query(
    ids: Select[Any],
    *,
    oldest_first: bool = False,
    anonymous: bool = False,
    more: Sequence[str] = (),
    without_suspended: bool = False,
) -> Query:
    """The statement of `select_page`."""
    # Made when it is asked: a start makes none of those whose SQL is kept.
    return Query(
        lambda _insert: select_page(
            ids, oldest_first=oldest_first, anonymous=anonymous, more=more, without_suspended=without_suspended
        )
    )


def select_page(
    ids: Select[Any],
    *,
    oldest_first: bool = False,
    anonymous: bool = False,
    more: Sequence[str] = (),
    without_suspended: bool = False,
    name: str = "page",
) -> Select[Any]:
    """A select that gives FeedRows for a select of (cursor, id); further columns named in `more` come behind.

    `ids` is evaluated first and alone (MATERIALIZED), then joined: PostgreSQL would otherwise read all
    favourites of the viewer. The joins are outer ones, though nothing is ever missing, because planners keep to
    their order: with few accounts SQLite would begin with them. Rows come newest first unless `oldest_first`;
    `without_suspended` leaves out what suspended accounts have written, also where others have boosted it. Where
    several are parts of one statement, each needs a `name`.
    """
    page: CTE = ids.cte(name).prefix_with("MATERIALIZED", dialect="postgresql")
    shown = func.coalesce(_original.c.id, _status.c.id)
    thread = func.coalesce(_original.c.conversation_id, _status.c.conversation_id)
    author_shown = func.coalesce(_original.c.account_id, _status.c.account_id)
    marks: ColumnElement[int] = literal(0) if anonymous else _marks(shown, author_shown, thread)
    order = page.c.cursor.asc() if oldest_first else page.c.cursor.desc()
    # COALESCE also where nothing is NULL: a plain comparison would make inner joins of the outer ones.
    states = [func.coalesce(one.c.state, 0) for one in (_author, _original_author)] if without_suspended else []
    return (
        select(
            page.c.cursor,
            _status.c.id,
            _status.c.rev,
            _status.c.account_id,
            _author.c.rev,
            _original.c.id,
            _original.c.rev,
            _original.c.account_id,
            _original_author.c.rev,
            marks,
            *[page.c[name] for name in more],
        )
        .select_from(
            page.outerjoin(_status, _status.c.id == page.c.id)
            .outerjoin(_author, _author.c.id == _status.c.account_id)
            .outerjoin(_original, _original.c.id == _status.c.reblog_of_id)
            .outerjoin(_original_author, _original_author.c.id == _original.c.account_id)
        )
        .where(*(state < AccountState.SUSPENDED for state in states))
        .order_by(order)
    )


def _marks(shown: ColumnElement[int], author: ColumnElement[int], thread: ColumnElement[int]) -> ColumnElement[int]:
    """What the viewer has done with what is shown, as a Mark. Cheap questions come first and spare most others."""
    muted = conversation_mutes.c.account_id == VIEWER
    return (
        _mark(
            Mark.FAVOURITED,
            shown <= _newest(favourites),
            _one(favourites.c.id, favourites.c.account_id == VIEWER, favourites.c.status_id == shown),
        )
        + _mark(Mark.BOOSTED, _one(_boost.c.id, _boost.c.account_id == VIEWER, _boost.c.reblog_of_id == shown))
        + _mark(
            Mark.BOOKMARKED,
            shown <= _newest(bookmarks),
            _one(bookmarks.c.id, bookmarks.c.account_id == VIEWER, bookmarks.c.status_id == shown),
        )
        + _mark(
            Mark.MUTED,
            _one(conversation_mutes.c.account_id, muted),
            _one(conversation_mutes.c.account_id, muted, conversation_mutes.c.conversation_id == thread),
        )
        # One's own are all that can be pinned.
        + _mark(Mark.PINNED, author == VIEWER, _one(pins.c.id, pins.c.account_id == VIEWER, pins.c.status_id == shown))
    )


def _mark(mark: Mark, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    # Databases may ask both sides of an AND, but of a CASE only what is needed.
    value: ColumnElement[int] = literal(int(mark))
    for condition in reversed(conditions):
        value = case((condition, value), else_=literal(0))
    return value


def _newest(marked: Table) -> ColumnElement[int]:
    """The newest status that the viewer has marked: one look at an index, instead of one for each newer status."""
    return select(func.max(marked.c.status_id)).where(marked.c.account_id == VIEWER).scalar_subquery()


def _one(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # "IS NOT NULL" of a scalar, not EXISTS: PostgreSQL turns that into a hash of the whole table.
    return select(column).where(*conditions).limit(literal(1)).scalar_subquery().is_not(None)


# What FeedRow._make does, for rows that are known to be of the right length.
as_feed_row: Callable[[Any], FeedRow] = partial(tuple.__new__, FeedRow)
"""What a row of the select is."""


async def feed_rows(session: ReadSession, query: Query, viewer: int | None, **parameters: Any) -> list[FeedRow]:
    """Runs a statement of `page_query`."""
    return list(map(as_feed_row, await session.all(query, viewer=viewer or NOBODY, **parameters)))
