"""Filters for older apps: https://docs.joinmastodon.org/methods/filters/#v1"""

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.filters import ContextName, Seconds, find_contexts, find_expiry
from phiomia.domain.filters.filters import FilterChange
from phiomia.domain.filters.kinds import FilterAction
from phiomia.domain.filters.phrases import create_phrase, delete_phrase, load_phrase, update_phrase
from phiomia.domain.filters.queries import load_filters
from phiomia.entities.filter import render_phrase

_SINCE = "2022-11-14"


class Phrase(Struct, kw_only=True):
    """A filter of one phrase."""

    phrase: str
    context: list[ContextName]
    irreversible: bool = False
    whole_word: bool = False
    expires_in: Seconds | None = None


@endpoint("GET", "/api/v1/filters", scopes=("read:filters",), returns="array<entity:V1::Filter>", deprecated=_SINCE)
async def phrases(call: Call, params: None) -> object:
    """The account's keywords, each as a filter."""
    async with call.api.db.read() as session:
        found = await load_filters(session, [call.actor])
    return [render_phrase(view, keyword) for view in found for keyword in view.keywords]


@endpoint("POST", "/api/v1/filters", scopes=("write:filters",), returns="entity:V1::Filter", deprecated=_SINCE)
async def create(call: Call, params: Phrase) -> object:
    """Makes a filter of one phrase."""
    wanted = _change(call, params)
    keyword_id = await call.api.db.write(
        lambda session: create_phrase(session, call.actor, params.phrase, params.whole_word, wanted)
    )
    return await _show(call, keyword_id)


@endpoint("GET", "/api/v1/filters/:id", scopes=("read:filters",), returns="entity:V1::Filter", deprecated=_SINCE)
async def one(call: Call, params: None) -> object:
    """One phrase."""
    return await _show(call, call.id)


@endpoint("PUT", "/api/v1/filters/:id", scopes=("write:filters",), returns="entity:V1::Filter", deprecated=_SINCE)
@endpoint("PATCH", "/api/v1/filters/:id", scopes=("write:filters",), returns="entity:V1::Filter", deprecated=_SINCE)
async def update(call: Call, params: Phrase) -> object:
    """Changes a phrase."""
    keyword_id, change = call.id, _change(call, params)
    await call.api.db.write(
        lambda session: update_phrase(session, call.actor, keyword_id, params.phrase, params.whole_word, change)
    )
    return await _show(call, keyword_id)


@endpoint("DELETE", "/api/v1/filters/:id", scopes=("write:filters",), returns="empty", deprecated=_SINCE)
async def delete(call: Call, params: None) -> object:
    """Removes a phrase."""
    keyword_id = call.id
    await call.api.db.write(lambda session: delete_phrase(session, call.actor, keyword_id))
    return {}


def _change(call: Call, params: Phrase) -> FilterChange:
    return FilterChange(
        title=params.phrase,
        contexts=find_contexts(params.context),
        action=FilterAction.HIDE if params.irreversible else FilterAction.WARN,
        expires_at=find_expiry(call, params.expires_in),
    )


async def _show(call: Call, keyword_id: int) -> object:
    async with call.api.db.read() as session:
        return render_phrase(*await load_phrase(session, call.actor, keyword_id))
