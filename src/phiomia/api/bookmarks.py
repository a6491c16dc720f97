"""Bookmarks: https://docs.joinmastodon.org/methods/bookmarks/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging
from phiomia.api.timelines import show
from phiomia.domain.statuses.marks import list_bookmarks
from phiomia.platform import limits


@endpoint(
    "GET", "/api/v1/bookmarks", scopes=("read:bookmarks",), returns="array<entity:Status>", paginated="link-header"
)
async def bookmarks(call: Call, params: Paging) -> bytes:
    """What the account has bookmarked, what it bookmarked last first."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        return await show(call, session, await list_bookmarks(session, call.actor, page), page.limit)
