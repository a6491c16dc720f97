"""Hashtags on profiles: https://docs.joinmastodon.org/methods/featured_tags/ and feature in /methods/tags/"""

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.search.queries import load_tag_histories
from phiomia.domain.statuses.featured_tags import (
    feature_tag,
    list_featured_tags,
    suggest_tags,
    unfeature_tag,
    unfeature_tag_named,
)
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import TagView, find_followed_tags, find_tag
from phiomia.entities.featured_tag import render_featured_tag
from phiomia.entities.tag import render_tag

_SECONDS = 1.0


class NewFeaturedTag(Struct, kw_only=True):
    """A hashtag to show."""

    name: str


@endpoint("GET", "/api/v1/featured_tags", scopes=("read:accounts",), returns="array<entity:FeaturedTag>")
async def featured_tags(call: Call, params: None) -> object:
    """Hashtags on the own profile."""
    return await _list(call, call.actor)


@endpoint("GET", "/api/v1/accounts/:id/featured_tags", access="public", returns="array<entity:FeaturedTag>")
async def featured_tags_of(call: Call, params: None) -> object:
    """Hashtags on somebody's profile."""
    async with call.api.db.read() as session:
        view = await load_account(session, call.id)
    return [] if view.state == AccountState.SUSPENDED else await _list(call, view.id)


@endpoint("POST", "/api/v1/featured_tags", scopes=("write:accounts",), returns="entity:FeaturedTag")
async def feature(call: Call, params: NewFeaturedTag) -> object:
    """Shows a hashtag on the own profile."""
    view = await call.api.db.write(lambda session: feature_tag(session, call.actor, params.name))
    return render_featured_tag(view, call.api.fragments.links)


@endpoint("DELETE", "/api/v1/featured_tags/:id", scopes=("write:accounts",), returns="empty")
async def unfeature(call: Call, params: None) -> object:
    """Takes a hashtag off the own profile."""
    featured_id = call.id
    await call.api.db.write(lambda session: unfeature_tag(session, call.actor, featured_id))
    return {}


@endpoint("GET", "/api/v1/featured_tags/suggestions", scopes=("read:accounts",), returns="array<entity:Tag>")
async def suggestions(call: Call, params: None) -> object:
    """Hashtags that one has used often of late."""
    views = await call.api.db.scan(lambda session: suggest_tags(session, call.actor), _SECONDS)
    async with call.api.db.read() as session:
        ids = [view.id for view in views]
        days = await load_tag_histories(session, ids)
        followed = await find_followed_tags(session, call.actor, ids)
    links = call.api.fragments.links
    return [render_tag(view, days[view.id], links, following=view.id in followed, featuring=False) for view in views]


@endpoint("POST", "/api/v1/tags/:name/feature", scopes=("write:accounts",), returns="entity:Tag")
async def feature_by_name(call: Call, params: None) -> object:
    """Shows a hashtag on the own profile, by its name."""
    name = call.path["name"]
    if not is_valid_tag(name):
        raise ApiError(404, "Record not found")
    await call.api.db.write(lambda session: feature_tag(session, call.actor, name))
    return await _show_tag(call, await _load_tag(call), featuring=True)


@endpoint("POST", "/api/v1/tags/:name/unfeature", scopes=("write:accounts",), returns="entity:Tag")
async def unfeature_by_name(call: Call, params: None) -> object:
    """Takes a hashtag off the own profile, by its name."""
    tag = await _load_tag(call)
    await call.api.db.write(lambda session: unfeature_tag_named(session, call.actor, tag.id))
    return await _show_tag(call, tag, featuring=False)


async def _list(call: Call, account_id: int) -> object:
    async with call.api.db.read() as session:
        views = await list_featured_tags(session, account_id)
    return [render_featured_tag(view, call.api.fragments.links) for view in views]


async def _load_tag(call: Call) -> TagView:
    async with call.api.db.read() as session:
        view = await find_tag(session, normalise_tag(call.path["name"]))
    if view is None:
        raise ApiError(404, "Record not found")
    return view


async def _show_tag(call: Call, view: TagView, *, featuring: bool) -> object:
    async with call.api.db.read() as session:
        days = await load_tag_histories(session, [view.id])
        followed = await find_followed_tags(session, call.actor, [view.id])
    links = call.api.fragments.links
    return render_tag(view, days[view.id], links, following=view.id in followed, featuring=featuring)
