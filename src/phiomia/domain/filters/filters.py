"""Filters: made, changed, removed."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, update

from phiomia.domain.errors import NotFound
from phiomia.domain.filters.changed import note_change
from phiomia.domain.filters.checks import check_contexts, check_filters, check_title
from phiomia.domain.filters.keywords import KeywordChange, change_keywords
from phiomia.domain.filters.kinds import Context, FilterAction
from phiomia.domain.filters.models import filters
from phiomia.domain.filters.queries import load_filter
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.ids import new_id

_INSERT = insert_into(filters, "id", "account_id", "title", "contexts", "action", "expires_at")
_UPDATE = Query(
    update(filters)
    .where(filters.c.id == P("of_id"))
    .values(
        title=P("new_title", str),
        contexts=P("new_contexts"),
        action=P("new_action"),
        expires_at=P("new_expires_at"),
    )
)
_DELETE = Query(delete(filters).where(filters.c.account_id == P("account"), filters.c.id == P("id")))


class FilterChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different; what is None (of `expires_at`: UNSET) stays."""

    title: str | None = None
    contexts: Context | None = None
    action: FilterAction | None = None
    expires_at: int | UnsetType | None = UNSET
    keywords: Sequence[KeywordChange] = ()


async def create_filter(session: WriteSession, account_id: int, wanted: FilterChange) -> int:
    """A new filter; gives its id. Raises NotFound, Invalid."""
    title, contexts = wanted.title or "", wanted.contexts or Context(0)
    check_title(title)
    check_contexts(contexts)
    await check_filters(session, account_id)
    filter_id = new_id()
    await session.execute(
        _INSERT,
        id=filter_id,
        account_id=account_id,
        title=title,
        contexts=int(contexts),
        action=int(wanted.action or FilterAction.WARN),
        expires_at=None if wanted.expires_at is UNSET else wanted.expires_at,
    )
    await change_keywords(session, account_id, filter_id, (), wanted.keywords)
    await note_change(session, account_id)
    return filter_id


async def update_filter(session: WriteSession, account_id: int, filter_id: int, change: FilterChange) -> None:
    """Changes what is given. Raises NotFound, Invalid."""
    before = await load_filter(session, account_id, filter_id)
    title = before.title if change.title is None else change.title
    contexts = Context(before.contexts) if change.contexts is None else change.contexts
    check_title(title)
    check_contexts(contexts)
    await session.execute(
        _UPDATE,
        of_id=filter_id,
        new_title=title,
        new_contexts=int(contexts),
        new_action=before.action if change.action is None else int(change.action),
        new_expires_at=before.expires_at if change.expires_at is UNSET else change.expires_at,
    )
    await change_keywords(session, account_id, filter_id, before.keywords, change.keywords)
    await note_change(session, account_id)


async def delete_filter(session: WriteSession, account_id: int, filter_id: int) -> None:
    """Removes a filter with all that it meets. Raises NotFound."""
    if not await session.execute(_DELETE, account=account_id, id=filter_id):
        raise NotFound
    await note_change(session, account_id)
