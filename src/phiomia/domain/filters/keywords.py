"""Keywords of a filter: put in, changed, taken out."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, update

from phiomia.domain.errors import NotFound
from phiomia.domain.filters.changed import note_change
from phiomia.domain.filters.checks import check_keyword, check_keywords
from phiomia.domain.filters.models import filter_keywords
from phiomia.domain.filters.queries import load_filter, load_keyword
from phiomia.domain.filters.views import KeywordView
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.ids import new_id

_INSERT = insert_into(filter_keywords, "id", "filter_id", "keyword", "whole_word")
_UPDATE = Query(
    update(filter_keywords)
    .where(filter_keywords.c.id == P("of_id"))
    .values(keyword=P("new_keyword", str), whole_word=P("new_whole_word", bool))
)
_DELETE = Query(delete(filter_keywords).where(filter_keywords.c.id == P("id")))


class KeywordChange(NamedTuple):
    """A keyword to be added (without an id), changed, or taken away."""

    id: int | None = None
    keyword: str | None = None
    whole_word: bool | None = None
    remove: bool = False


async def add_keyword(session: WriteSession, account_id: int, filter_id: int, keyword: str, whole_word: bool) -> int:
    """A further keyword; gives its id. Raises NotFound, Invalid."""
    await load_filter(session, account_id, filter_id)
    added = await _insert(session, filter_id, KeywordChange(None, keyword, whole_word))
    await check_keywords(session, account_id)
    await note_change(session, account_id)
    return added


async def update_keyword(
    session: WriteSession, account_id: int, keyword_id: int, keyword: str, whole_word: bool | None
) -> None:
    """Changes a keyword. Raises NotFound, Invalid."""
    before = await load_keyword(session, account_id, keyword_id)
    await _update(session, before, KeywordChange(keyword_id, keyword, whole_word))
    await note_change(session, account_id)


async def remove_keyword(session: WriteSession, account_id: int, keyword_id: int) -> None:
    """Takes a keyword out of its filter. Raises NotFound."""
    await load_keyword(session, account_id, keyword_id)
    await session.execute(_DELETE, id=keyword_id)
    await note_change(session, account_id)


async def change_keywords(
    session: WriteSession,
    account_id: int,
    filter_id: int,
    before: Sequence[KeywordView],
    changes: Sequence[KeywordChange],
) -> None:
    """Several changes of one filter's keywords; part of a change of the filter. Raises NotFound, Invalid."""
    known = {view.id: view for view in before}
    for change in changes:
        if change.id is None:
            if not change.remove:
                await _insert(session, filter_id, change)
            continue
        if change.id not in known:
            raise NotFound
        if change.remove:
            await session.execute(_DELETE, id=change.id)
        else:
            await _update(session, known[change.id], change)
    if changes:
        await check_keywords(session, account_id)


async def _insert(session: WriteSession, filter_id: int, change: KeywordChange) -> int:
    keyword = change.keyword or ""
    check_keyword(keyword)
    keyword_id = new_id()
    whole_word = True if change.whole_word is None else change.whole_word
    await session.execute(_INSERT, id=keyword_id, filter_id=filter_id, keyword=keyword, whole_word=whole_word)
    return keyword_id


async def _update(session: WriteSession, before: KeywordView, change: KeywordChange) -> None:
    keyword = before.keyword if change.keyword is None else change.keyword
    check_keyword(keyword)
    whole_word = bool(before.whole_word) if change.whole_word is None else change.whole_word
    await session.execute(_UPDATE, of_id=before.id, new_keyword=keyword, new_whole_word=whole_word)
