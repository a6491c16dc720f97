"""Follow requests: https://docs.joinmastodon.org/methods/follow_requests/"""

from phiomia.api.account_lists import show_accounts
from phiomia.api.accounts import show_relationship
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging
from phiomia.domain.relationships.follow_requests import authorize_follow_request, reject_follow_request
from phiomia.domain.relationships.queries import list_follow_requests
from phiomia.platform import limits


@endpoint(
    "GET",
    "/api/v1/follow_requests",
    scopes=("read:follows", "follow"),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def follow_requests(call: Call, params: Paging) -> bytes:
    """Who asks to follow."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        return await show_accounts(call, session, await list_follow_requests(session, call.actor, page), page.limit)


@endpoint(
    "POST",
    "/api/v1/follow_requests/:account_id/authorize",
    scopes=("write:follows", "follow"),
    returns="entity:Relationship",
)
async def authorize(call: Call, params: None) -> object:
    """Lets somebody follow who asked."""
    follower = call.path_id("account_id")
    await call.api.db.write(lambda session: authorize_follow_request(session, call.actor, follower))
    return await show_relationship(call, follower)


@endpoint(
    "POST",
    "/api/v1/follow_requests/:account_id/reject",
    scopes=("write:follows", "follow"),
    returns="entity:Relationship",
)
async def reject(call: Call, params: None) -> object:
    """Refuses somebody who asked."""
    follower = call.path_id("account_id")
    await call.api.db.write(lambda session: reject_follow_request(session, call.actor, follower))
    return await show_relationship(call, follower)
