"""Accounts on profiles: https://docs.joinmastodon.org/methods/endorsements/ and /methods/accounts/#endorsements"""

from phiomia.api.account_lists import show_accounts
from phiomia.api.accounts import endorse_account, unendorse_account
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.queries import list_endorsements
from phiomia.platform import limits


@endpoint(
    "GET",
    "/api/v1/endorsements",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def endorsements(call: Call, params: Paging) -> bytes:
    """Accounts on the own profile; with limit=0 all of them."""
    page = params.page_or_all(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        return await show_accounts(call, session, await list_endorsements(session, call.actor, page), page.limit)


@endpoint(
    "GET",
    "/api/v1/accounts/:id/endorsements",
    access="optional",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def endorsements_of(call: Call, params: Paging) -> bytes:
    """Accounts on somebody's profile."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        view = await load_account(session, call.id)
        if view.state == AccountState.SUSPENDED:
            raise ApiError(404, "Record not found")
        entries = await list_endorsements(session, view.id, page, call.viewer or 0)
        return await show_accounts(call, session, entries, page.limit)


# The names of older apps.
endpoint("POST", "/api/v1/accounts/:id/pin", scopes=("write:accounts",), returns="entity:Relationship")(endorse_account)
endpoint("POST", "/api/v1/accounts/:id/unpin", scopes=("write:accounts",), returns="entity:Relationship")(
    unendorse_account
)
