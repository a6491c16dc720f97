"""Filters as loaded."""

from typing import NamedTuple

import msgspec


class KeywordView(NamedTuple):
    """A keyword of a filter. The order is that of the select in `queries.py`, as everywhere here."""

    id: int
    filter_id: int
    keyword: str
    whole_word: bool


class FilterStatusView(NamedTuple):
    """A status that a filter meets whatever is written in it."""

    id: int
    filter_id: int
    status_id: int


class FilterView(msgspec.Struct, frozen=True):
    """A filter with all that it meets."""

    id: int
    account_id: int
    title: str
    contexts: int
    action: int
    expires_at: int | None
    keywords: tuple[KeywordView, ...] = ()
    statuses: tuple[FilterStatusView, ...] = ()
