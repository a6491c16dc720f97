"""Filters: https://docs.joinmastodon.org/methods/filters/"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.params import Id
from phiomia.domain.filters.filters import FilterChange, create_filter, delete_filter, update_filter
from phiomia.domain.filters.keywords import KeywordChange, add_keyword, remove_keyword, update_keyword
from phiomia.domain.filters.kinds import Context, FilterAction
from phiomia.domain.filters.queries import load_filter, load_filter_status, load_filters, load_keyword
from phiomia.domain.filters.statuses import remove_status
from phiomia.domain.statuses.filter import filter_status
from phiomia.entities.filter import render_filter, render_filter_status, render_keyword
from phiomia.platform.clock import SECOND, now_ms

ContextName = Literal["home", "notifications", "public", "thread", "account"]
Seconds = Annotated[int, Meta(ge=0, le=10**10)]


class KeywordAttributes(Struct, kw_only=True, rename={"destroy": "_destroy"}):
    """A keyword to be added (without an id), changed, or taken away."""

    id: Id | None = None
    keyword: str | None = None
    whole_word: bool | None = None
    destroy: bool = False


class FilterParams(Struct, kw_only=True):
    """A filter's parts."""

    filter_action: Literal["warn", "hide", "blur"] | None = None
    expires_in: Seconds | None = None
    keywords_attributes: list[KeywordAttributes] | dict[str, KeywordAttributes] = []


class NewFilter(FilterParams, kw_only=True):
    """A filter to be made."""

    title: str
    context: list[ContextName]


class ChangedFilter(FilterParams, kw_only=True):
    """What shall be different."""

    title: str | None = None
    context: list[ContextName] | None = None


class NewKeyword(Struct, kw_only=True):
    """A keyword to be added."""

    keyword: str
    whole_word: bool = True


class ChangedKeyword(Struct, kw_only=True):
    """What a keyword shall be."""

    keyword: str
    whole_word: bool | None = None


class NewStatus(Struct, kw_only=True):
    """A status to be put in."""

    status_id: Id


@endpoint("GET", "/api/v2/filters", scopes=("read:filters",), returns="array<entity:Filter>")
async def filters(call: Call, params: None) -> object:
    """The account's filters."""
    async with call.api.db.read() as session:
        return [render_filter(view) for view in await load_filters(session, [call.actor])]


@endpoint("POST", "/api/v2/filters", scopes=("write:filters",), returns="entity:Filter")
async def create(call: Call, params: NewFilter) -> object:
    """Makes a filter with keywords."""
    wanted = _change(call, params)
    filter_id = await call.api.db.write(lambda session: create_filter(session, call.actor, wanted))
    return await _show(call, filter_id)


@endpoint("GET", "/api/v2/filters/:id", scopes=("read:filters",), returns="entity:Filter")
async def one(call: Call, params: None) -> object:
    """One filter."""
    return await _show(call, call.id)


@endpoint("PUT", "/api/v2/filters/:id", scopes=("write:filters",), returns="entity:Filter")
@endpoint("PATCH", "/api/v2/filters/:id", scopes=("write:filters",), returns="entity:Filter")
async def update(call: Call, params: ChangedFilter) -> object:
    """Changes a filter and its keywords."""
    filter_id, change = call.id, _change(call, params)
    await call.api.db.write(lambda session: update_filter(session, call.actor, filter_id, change))
    return await _show(call, filter_id)


@endpoint("DELETE", "/api/v2/filters/:id", scopes=("write:filters",), returns="empty")
async def delete(call: Call, params: None) -> object:
    """Removes a filter."""
    filter_id = call.id
    await call.api.db.write(lambda session: delete_filter(session, call.actor, filter_id))
    return {}


@endpoint("GET", "/api/v2/filters/:id/keywords", scopes=("read:filters",), returns="array<entity:FilterKeyword>")
async def keywords(call: Call, params: None) -> object:
    """A filter's keywords."""
    async with call.api.db.read() as session:
        return [render_keyword(one) for one in (await load_filter(session, call.actor, call.id)).keywords]


@endpoint("POST", "/api/v2/filters/:id/keywords", scopes=("write:filters",), returns="entity:FilterKeyword")
async def add(call: Call, params: NewKeyword) -> object:
    """Adds a keyword."""
    filter_id = call.id
    keyword_id = await call.api.db.write(
        lambda session: add_keyword(session, call.actor, filter_id, params.keyword, params.whole_word)
    )
    return await _show_keyword(call, keyword_id)


@endpoint("GET", "/api/v2/filters/keywords/:id", scopes=("read:filters",), returns="entity:FilterKeyword")
async def keyword(call: Call, params: None) -> object:
    """One keyword."""
    return await _show_keyword(call, call.id)


@endpoint("PUT", "/api/v2/filters/keywords/:id", scopes=("write:filters",), returns="entity:FilterKeyword")
@endpoint("PATCH", "/api/v2/filters/keywords/:id", scopes=("write:filters",), returns="entity:FilterKeyword")
async def change_keyword(call: Call, params: ChangedKeyword) -> object:
    """Changes a keyword."""
    keyword_id = call.id
    await call.api.db.write(
        lambda session: update_keyword(session, call.actor, keyword_id, params.keyword, params.whole_word)
    )
    return await _show_keyword(call, keyword_id)


@endpoint("DELETE", "/api/v2/filters/keywords/:id", scopes=("write:filters",), returns="empty")
async def take_keyword_out(call: Call, params: None) -> object:
    """Takes a keyword out of its filter."""
    keyword_id = call.id
    await call.api.db.write(lambda session: remove_keyword(session, call.actor, keyword_id))
    return {}


@endpoint("GET", "/api/v2/filters/:id/statuses", scopes=("read:filters",), returns="array<entity:FilterStatus>")
async def statuses(call: Call, params: None) -> object:
    """The statuses in a filter."""
    async with call.api.db.read() as session:
        return [render_filter_status(one) for one in (await load_filter(session, call.actor, call.id)).statuses]


@endpoint("POST", "/api/v2/filters/:id/statuses", scopes=("write:filters",), returns="entity:FilterStatus")
async def put_in(call: Call, params: NewStatus) -> object:
    """Puts a status into a filter."""
    filter_id = call.id
    entry_id = await call.api.db.write(lambda session: filter_status(session, call.actor, filter_id, params.status_id))
    return await _show_status(call, entry_id)


@endpoint("GET", "/api/v2/filters/statuses/:id", scopes=("read:filters",), returns="entity:FilterStatus")
async def status(call: Call, params: None) -> object:
    """One status in a filter."""
    return await _show_status(call, call.id)


@endpoint("DELETE", "/api/v2/filters/statuses/:id", scopes=("write:filters",), returns="empty")
async def take_out(call: Call, params: None) -> object:
    """Takes a status out of its filter."""
    entry_id = call.id
    await call.api.db.write(lambda session: remove_status(session, call.actor, entry_id))
    return {}


def find_expiry(call: Call, seconds: int | None) -> int | UnsetType | None:
    """When a filter shall end: UNSET where the request does not say; sent without a number it means never."""
    if seconds is not None:
        return now_ms() + seconds * SECOND
    return None if call.form is not None and "expires_in" in call.form.tree else UNSET


def find_contexts(names: Sequence[str] | None) -> Context | None:
    """Where a filter shall hold."""
    return None if names is None else Context.of(names)


def _change(call: Call, params: NewFilter | ChangedFilter) -> FilterChange:
    given = params.keywords_attributes
    return FilterChange(
        title=params.title,
        contexts=find_contexts(params.context),
        action=FilterAction[params.filter_action.upper()] if params.filter_action else None,
        expires_at=find_expiry(call, params.expires_in),
        keywords=[
            KeywordChange(one.id, one.keyword, one.whole_word, one.destroy)
            for one in (given.values() if isinstance(given, dict) else given)
        ],
    )


async def _show(call: Call, filter_id: int) -> object:
    async with call.api.db.read() as session:
        return render_filter(await load_filter(session, call.actor, filter_id))


async def _show_keyword(call: Call, keyword_id: int) -> object:
    async with call.api.db.read() as session:
        return render_keyword(await load_keyword(session, call.actor, keyword_id))


async def _show_status(call: Call, entry_id: int) -> object:
    async with call.api.db.read() as session:
        return render_filter_status(await load_filter_status(session, call.actor, entry_id))
