"""Reading filters. Whatever belongs to somebody else isn't there."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Table, select

from phiomia.domain.errors import NotFound
from phiomia.domain.filters.models import filter_keywords, filter_revisions, filter_statuses, filters
from phiomia.domain.filters.views import FilterStatusView, FilterView, KeywordView
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_Part = TypeVar("_Part", KeywordView, FilterStatusView)
_COLUMNS = [filters.c[name] for name in FilterView.__struct_fields__ if name in filters.c]
_FILTERS = Query(select(*_COLUMNS).where(any_of(filters.c.account_id, listed("accounts"))).order_by(filters.c.id))
_FILTER = Query(select(*_COLUMNS).where(filters.c.id == P("id"), filters.c.account_id == P("account")))
_REVISIONS = Query(
    select(filter_revisions.c.account_id, filter_revisions.c.rev).where(
        any_of(filter_revisions.c.account_id, listed("accounts"))
    )
)


def _parts(table: Table, *columns: str) -> Query:
    return Query(
        select(*[table.c[name] for name in columns])
        .where(any_of(table.c.filter_id, listed("filters")))
        .order_by(table.c.id)
    )


def _part(table: Table, *columns: str) -> Query:
    return Query(
        select(*[table.c[name] for name in columns])
        .select_from(table.join(filters, filters.c.id == table.c.filter_id))
        .where(table.c.id == P("id"), filters.c.account_id == P("account"))
    )


_KEYWORDS = _parts(filter_keywords, *KeywordView._fields)
_KEYWORD = _part(filter_keywords, *KeywordView._fields)
_STATUSES = _parts(filter_statuses, *FilterStatusView._fields)
_STATUS = _part(filter_statuses, *FilterStatusView._fields)


async def load_filters(session: ReadSession, account_ids: Sequence[int]) -> list[FilterView]:
    """All filters of several accounts, with what they meet; the oldest first."""
    return await _complete(session, await session.views(FilterView, _FILTERS, accounts=list(account_ids)))


async def load_filter(session: ReadSession, account_id: int, filter_id: int) -> FilterView:
    """One of the account's filters. Raises NotFound."""
    found = await session.views(FilterView, _FILTER, id=filter_id, account=account_id)
    if not found:
        raise NotFound
    return (await _complete(session, found))[0]


async def load_keyword(session: ReadSession, account_id: int, keyword_id: int) -> KeywordView:
    """A keyword of one of the account's filters. Raises NotFound."""
    return _only(await session.views(KeywordView, _KEYWORD, id=keyword_id, account=account_id))


async def load_filter_status(session: ReadSession, account_id: int, entry_id: int) -> FilterStatusView:
    """What puts a status into one of the account's filters. Raises NotFound."""
    return _only(await session.views(FilterStatusView, _STATUS, id=entry_id, account=account_id))


async def load_revisions(session: ReadSession, account_ids: Sequence[int]) -> dict[int, int]:
    """The number that each change of an account's filters raises, for those who ever had any."""
    return {row[0]: row[1] for row in await session.all(_REVISIONS, accounts=list(account_ids))}


async def _complete(session: ReadSession, found: list[FilterView]) -> list[FilterView]:
    if not found:
        return []
    ids = [view.id for view in found]
    keywords = _by_filter(await session.views(KeywordView, _KEYWORDS, filters=ids))
    statuses = _by_filter(await session.views(FilterStatusView, _STATUSES, filters=ids))
    return [
        msgspec.structs.replace(
            view, keywords=tuple(keywords.get(view.id, ())), statuses=tuple(statuses.get(view.id, ()))
        )
        for view in found
    ]


def _by_filter(parts: Sequence[_Part]) -> dict[int, list[_Part]]:
    found: dict[int, list[_Part]] = {}
    for part in parts:
        found.setdefault(part.filter_id, []).append(part)
    return found


def _only(found: list[_Part]) -> _Part:
    if not found:
        raise NotFound
    return found[0]
