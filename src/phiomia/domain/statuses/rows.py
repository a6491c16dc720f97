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
    status = statuses.alias("s")
    original = statuses.alias("o")
    author = accounts.alias("a")
    original_author = accounts.alias("oa")
    shown = func.coalesce(original.c.id, status.c.id)
    thread = func.coalesce(original.c.conversation_id, status.c.conversation_id)
    author_shown = func.coalesce(original.c.account_id, status.c.account_id)
    marks: ColumnElement[int] = literal(0) if anonymous else _marks(shown, author_shown, thread)
    order = page.c.cursor.asc() if oldest_first else page.c.cursor.desc()
    # COALESCE also where nothing is NULL: a plain comparison would make inner joins of the outer ones.
    states = [func.coalesce(one.c.state, 0) for one in (author, original_author)] if without_suspended else []
    return (
        select(
            page.c.cursor,
            status.c.id,
            status.c.rev,
            status.c.account_id,
            author.c.rev,
            original.c.id,
            original.c.rev,
            original.c.account_id,
            original_author.c.rev,
            marks,
            *[page.c[name] for name in more],
        )
        .select_from(
            page.outerjoin(status, status.c.id == page.c.id)
            .outerjoin(author, author.c.id == status.c.account_id)
            .outerjoin(original, original.c.id == status.c.reblog_of_id)
            .outerjoin(original_author, original_author.c.id == original.c.account_id)
        )
        .where(*(state < AccountState.SUSPENDED for state in states))
        .order_by(order)
    )


def _marks(shown: ColumnElement[int], author: ColumnElement[int], thread: ColumnElement[int]) -> ColumnElement[int]:
    """What the viewer has done with what is shown, as a Mark. Cheap questions come first and spare most others."""
    boost = statuses.alias("b")
    muted = conversation_mutes.c.account_id == VIEWER
    return (
        _mark(
            Mark.FAVOURITED,
            shown <= _newest(favourites),
            _one(favourites.c.id, favourites.c.account_id == VIEWER, favourites.c.status_id == shown),
        )
        + _mark(Mark.BOOSTED, _one(boost.c.id, boost.c.account_id == VIEWER, boost.c.reblog_of_id == shown))
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
