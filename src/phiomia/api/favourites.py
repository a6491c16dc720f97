"""Favourites: https://docs.joinmastodon.org/methods/favourites/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging
from phiomia.api.timelines import show
from phiomia.domain.statuses.marks import list_favourites
from phiomia.platform import limits


@endpoint(
    "GET", "/api/v1/favourites", scopes=("read:favourites",), returns="array<entity:Status>", paginated="link-header"
)
async def favourites(call: Call, params: Paging) -> bytes:
    """What the account has favourited, what it favourited last first."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        return await show(call, session, await list_favourites(session, call.actor, page), page.limit)
