"""Followed hashtags: https://docs.joinmastodon.org/methods/followed_tags/ and /methods/tags/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging, link
from phiomia.domain.search.queries import load_tag_histories
from phiomia.domain.statuses.featured_tags import find_featured_tags
from phiomia.domain.tags.follow import follow_tag, unfollow_tag
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import find_followed_tags, find_tag, list_followed_tags
from phiomia.entities.tag import render_tag
from phiomia.platform import limits


@endpoint(
    "GET",
    "/api/v1/followed_tags",
    scopes=("read:follows", "follow"),
    returns="array<entity:Tag>",
    paginated="link-header",
)
async def followed_tags(call: Call, params: Paging) -> object:
    """The hashtags that the account follows."""
    page = params.page(limits.PAGE_TAGS)
    async with call.api.db.read() as session:
        views = await list_followed_tags(session, call.actor, page)
        ids = [view.id for view in views]
        days = await load_tag_histories(session, ids)
        featured = await find_featured_tags(session, call.actor, ids)
    if views:
        link(call, views[0].id, views[-1].id, full=len(views) >= page.limit)
    links = call.api.fragments.links
    return [render_tag(view, days[view.id], links, following=True, featuring=view.id in featured) for view in views]


@endpoint("POST", "/api/v1/tags/:name/follow", scopes=("write:follows", "follow"), returns="entity:Tag", rate="follows")
async def follow(call: Call, params: None) -> object:
    """Follows a hashtag: public statuses with it come into the home timeline."""
    name = _name(call)
    await call.api.db.write(lambda session: follow_tag(session, call.actor, name))
    return await _show(call, name)


@endpoint("POST", "/api/v1/tags/:name/unfollow", scopes=("write:follows", "follow"), returns="entity:Tag")
async def unfollow(call: Call, params: None) -> object:
    """No longer follows a hashtag."""
    name = _name(call)
    await call.api.db.write(lambda session: unfollow_tag(session, call.actor, name))
    return await _show(call, name)


def _name(call: Call) -> str:
    name = call.path["name"]
    if not is_valid_tag(name):
        raise ApiError(404, "Record not found")
    return name


async def _show(call: Call, name: str) -> object:
    async with call.api.db.read() as session:
        view = await find_tag(session, normalise_tag(name))
        if view is None:
            raise ApiError(404, "Record not found")
        days = await load_tag_histories(session, [view.id])
        followed = await find_followed_tags(session, call.actor, [view.id])
        featured = await find_featured_tags(session, call.actor, [view.id])
    links = call.api.fragments.links
    return render_tag(view, days[view.id], links, following=view.id in followed, featuring=view.id in featured)
