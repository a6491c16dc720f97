"""The page of a hashtag, for everybody."""

from phiomia.domain.errors import NotFound
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import find_tag
from phiomia.domain.timelines.public import load_tag
from phiomia.platform.limits import PAGE_STATUSES
from phiomia.platform.paging import Page
from phiomia.web.shown import read_id, read_posts, words_for
from phiomia.web.visit import Visit

_POSTS = PAGE_STATUSES[0]


async def show_tag(visit: Visit) -> None:
    """Public posts with the hashtag, the newest first."""
    name = visit.path["name"]
    key = normalise_tag(name)
    if not key or not is_valid_tag(name):
        raise NotFound
    page = Page(max_id=read_id(visit.query.get("max_id", "")), limit=_POSTS + 1)
    async with visit.context.db.read() as session:
        known = await find_tag(session, key)
        rows = await load_tag(session, None, key, page)
        posts = await read_posts(visit.context.fragments, session, rows[:_POSTS])
    if known is None:
        raise NotFound
    visit.show_public(
        "tag",
        name=known.display_name or known.name,
        path=f"/tags/{known.name}",
        posts=posts,
        older=rows[_POSTS - 1].cursor if len(rows) > _POSTS else None,
        **words_for(visit),
    )
