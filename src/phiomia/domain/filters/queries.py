"""Reading filters. Whatever belongs to somebody else isn't there."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, Table, Text, cast, literal, select

from phiomia.domain.errors import NotFound
from phiomia.domain.filters.models import filter_keywords, filter_revisions, filter_statuses, filters
from phiomia.domain.filters.views import FilterStatusView, FilterView, KeywordView
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.together import Together

_Part = TypeVar("_Part", KeywordView, FilterStatusView)
_Found = TypeVar("_Found")
_COLUMNS = [filters.c[name] for name in FilterView.__struct_fields__ if name in filters.c]


def _select_filters(*conditions: ColumnElement[bool]) -> Mapping[str, Select[Any]]:
    return {
        "filters": select(*_COLUMNS).where(*conditions).order_by(filters.c.id),
        "filter_keywords": _select_parts(filter_keywords, KeywordView).where(*conditions),
        "filter_statuses": _select_parts(filter_statuses, FilterStatusView).where(*conditions),
    }


def _select_parts(table: Table, kind: Any) -> Select[Any]:
    return (
        select(*[table.c[name] for name in kind._fields])
        .select_from(table.join(filters, filters.c.id == table.c.filter_id))
        .order_by(table.c.id)
    )


def _part(table: Table, kind: Any) -> Query:
    return Query(_select_parts(table, kind).where(table.c.id == P("id"), filters.c.account_id == P("account")))


_KEYWORD = _part(filter_keywords, KeywordView)
_STATUS = _part(filter_statuses, FilterStatusView)
_OF_ACCOUNTS = Together(_select_filters(any_of(filters.c.account_id, listed("accounts"))))
_ONE = Together(_select_filters(filters.c.id == P("id"), filters.c.account_id == P("account")))
_version = (
    cast(filter_revisions.c.account_id, Text).concat(literal(":", Text)).concat(cast(filter_revisions.c.rev, Text))
)
_changed = select(filter_revisions.c.account_id).where(
    any_of(filter_revisions.c.account_id, listed("filters_of")), ~any_of(_version, listed("kept_filters", str))
)
CHANGED: Final[Mapping[str, Select[Any]]] = {
    "filter_revisions": select(filter_revisions.c.account_id, filter_revisions.c.rev).where(
        any_of(filter_revisions.c.account_id, listed("filters_of"))
    ),
    **_select_filters(filters.c.account_id.in_(_changed)),
}
"""The filters of the accounts `filters_of`, but for those that are kept; for a statement of `Together`.

With the number that each change of an account's filters raises, for those who ever had any.
"""
_CHANGED = Together(CHANGED)


async def load_filters(session: ReadSession, account_ids: Sequence[int]) -> list[FilterView]:
    """All filters of several accounts, with what they meet; the oldest first."""
    return read_filters(await _OF_ACCOUNTS.ask(session, accounts=list(account_ids)))


async def load_filter(session: ReadSession, account_id: int, filter_id: int) -> FilterView:
    """One of the account's filters. Raises NotFound."""
    return _only(read_filters(await _ONE.ask(session, id=filter_id, account=account_id)))


async def load_keyword(session: ReadSession, account_id: int, keyword_id: int) -> KeywordView:
    """A keyword of one of the account's filters. Raises NotFound."""
    return _only(await session.views(KeywordView, _KEYWORD, id=keyword_id, account=account_id))


async def load_filter_status(session: ReadSession, account_id: int, entry_id: int) -> FilterStatusView:
    """What puts a status into one of the account's filters. Raises NotFound."""
    return _only(await session.views(FilterStatusView, _STATUS, id=entry_id, account=account_id))


async def load_changed_filters(
    session: ReadSession, account_ids: Sequence[int], kept: Sequence[str]
) -> dict[str, list[list[Any]]]:
    """What the parts `CHANGED` give."""
    return await _CHANGED.ask(session, filters_of=list(account_ids), kept_filters=list(kept))


def read_filters(found: Mapping[str, Sequence[Sequence[Any]]]) -> list[FilterView]:
    """The filters that such a statement gave, with what they meet; the oldest first."""
    keywords = _by_filter([KeywordView(*row) for row in found["filter_keywords"]])
    statuses = _by_filter([FilterStatusView(*row) for row in found["filter_statuses"]])
    return [
        replace(view, keywords=tuple(keywords.get(view.id, ())), statuses=tuple(statuses.get(view.id, ())))
        for view in (FilterView(*row) for row in found["filters"])
    ]


def _by_filter(parts: Sequence[_Part]) -> dict[int, list[_Part]]:
    found: dict[int, list[_Part]] = {}
    for part in parts:
        found.setdefault(part.filter_id, []).append(part)
    return found


def _only(found: list[_Found]) -> _Found:
    if not found:
        raise NotFound
    return found[0]
