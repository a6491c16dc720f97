"""Blocked accounts: https://docs.joinmastodon.org/methods/blocks/"""

from phiomia.api.account_lists import show_accounts
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging
from phiomia.domain.relationships.queries import list_blocks
from phiomia.platform import limits


@endpoint(
    "GET",
    "/api/v1/blocks",
    scopes=("read:blocks", "follow"),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def blocks(call: Call, params: Paging) -> bytes:
    """Whom the account blocks."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        return await show_accounts(call, session, await list_blocks(session, call.actor, page), page.limit)
