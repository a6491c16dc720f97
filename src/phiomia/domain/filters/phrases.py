"""Filters as older apps know them: each is a single phrase."""

from msgspec import UNSET

from phiomia.domain.errors import Invalid
from phiomia.domain.filters.filters import FilterChange, create_filter, delete_filter, update_filter
from phiomia.domain.filters.keywords import KeywordChange, remove_keyword
from phiomia.domain.filters.kinds import Context, FilterAction
from phiomia.domain.filters.queries import load_filter, load_keyword
from phiomia.domain.filters.views import FilterView, KeywordView
from phiomia.platform.db import ReadSession, WriteSession


async def load_phrase(session: ReadSession, account_id: int, keyword_id: int) -> tuple[FilterView, KeywordView]:
    """A keyword with its filter. Raises NotFound."""
    keyword = await load_keyword(session, account_id, keyword_id)
    return await load_filter(session, account_id, keyword.filter_id), keyword


async def create_phrase(
    session: WriteSession, account_id: int, phrase: str, whole_word: bool, wanted: FilterChange
) -> int:
    """A filter with one keyword, whose id it gives. Raises Invalid."""
    made = FilterChange(
        title=phrase,
        contexts=wanted.contexts,
        action=wanted.action,
        expires_at=wanted.expires_at,
        keywords=[KeywordChange(None, phrase, whole_word)],
    )
    filter_id = await create_filter(session, account_id, made)
    return (await load_filter(session, account_id, filter_id)).keywords[0].id


async def update_phrase(
    session: WriteSession, account_id: int, keyword_id: int, phrase: str, whole_word: bool, change: FilterChange
) -> None:
    """Changes a keyword and its filter. Raises NotFound, Invalid.

    An app that knows one of several keywords may not change what holds for all of them.
    """
    view, keyword = await load_phrase(session, account_id, keyword_id)
    if len(view.keywords) > 1 and _differs(view, change):
        raise Invalid(
            "Validation failed: This filter has several keywords, of which this app knows one. "
            "Change the rest of it in an app that knows all of them"
        )
    changed = FilterChange(
        title=phrase if view.title == keyword.keyword else None,
        contexts=change.contexts,
        action=change.action,
        expires_at=change.expires_at,
        keywords=[KeywordChange(keyword.id, phrase, whole_word)],
    )
    await update_filter(session, account_id, view.id, changed)


async def delete_phrase(session: WriteSession, account_id: int, keyword_id: int) -> None:
    """Removes a keyword, and its filter when that meets nothing any more. Raises NotFound."""
    view, keyword = await load_phrase(session, account_id, keyword_id)
    if len(view.keywords) == 1 and not view.statuses:
        await delete_filter(session, account_id, view.id)
    else:
        await remove_keyword(session, account_id, keyword.id)


def _differs(view: FilterView, change: FilterChange) -> bool:
    return (
        (change.contexts is not None and change.contexts != Context(view.contexts))
        or (change.action is not None and change.action != FilterAction(view.action))
        or (change.expires_at is not UNSET and change.expires_at != view.expires_at)
    )
