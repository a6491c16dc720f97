"""What a filter may be. Each raises Invalid."""

from sqlalchemy import func, select

from phiomia.domain.errors import Invalid
from phiomia.domain.filters.kinds import Context
from phiomia.domain.filters.models import filter_keywords, filter_statuses, filters
from phiomia.platform import limits
from phiomia.platform.db import P, Query, ReadSession

_FILTERS = Query(select(func.count()).select_from(filters).where(filters.c.account_id == P("account")))
_KEYWORDS = Query(
    select(func.count())
    .select_from(filter_keywords.join(filters, filters.c.id == filter_keywords.c.filter_id))
    .where(filters.c.account_id == P("account"))
)
_STATUSES = Query(
    select(func.count())
    .select_from(filter_statuses.join(filters, filters.c.id == filter_statuses.c.filter_id))
    .where(filters.c.account_id == P("account"))
)


def check_title(title: str) -> None:
    """A title says something and is not too long."""
    _check_text("title", title, limits.FILTER_TITLE)


def check_keyword(keyword: str) -> None:
    """So does a keyword."""
    _check_text("keyword", keyword, limits.FILTER_KEYWORD)


def check_contexts(contexts: Context) -> None:
    """A filter holds somewhere."""
    if not contexts:
        raise Invalid(
            "Validation failed: Context must name at least one place", {"context": [("ERR_BLANK", "can't be blank")]}
        )


async def check_filters(session: ReadSession, account_id: int) -> None:
    """An account has at most so many filters; before one is added."""
    await _check_number(session, _FILTERS, account_id, limits.FILTERS, "filters")


async def check_keywords(session: ReadSession, account_id: int) -> None:
    """And so many keywords in all of them; after they were added."""
    await _check_number(session, _KEYWORDS, account_id, limits.FILTER_KEYWORDS + 1, "keywords in filters")


async def check_statuses(session: ReadSession, account_id: int) -> None:
    """And so many statuses; before one is added."""
    await _check_number(session, _STATUSES, account_id, limits.FILTER_STATUSES, "posts in filters")


async def _check_number(session: ReadSession, query: Query, account_id: int, most: int, what: str) -> None:
    if (await session.value(query, account=account_id) or 0) >= most:
        raise Invalid(f"Validation failed: You have reached the maximum number of {what}")


def _check_text(name: str, text: str, most: int) -> None:
    if not text.strip():
        raise Invalid(
            f"Validation failed: {name.capitalize()} can't be blank", {name: [("ERR_BLANK", "can't be blank")]}
        )
    if len(text) > most:
        problem = f"is too long (maximum is {most} characters)"
        raise Invalid(f"Validation failed: {name.capitalize()} {problem}", {name: [("ERR_TOO_LONG", problem)]})
