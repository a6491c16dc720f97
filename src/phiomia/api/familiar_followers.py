"""More about accounts: https://docs.joinmastodon.org/methods/accounts/#familiar_followers and older things."""

import msgspec
from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.params import Id
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.relationships.familiar import list_familiar_followers
from phiomia.platform import limits

_SECONDS = 1.0


class FamiliarParams(Struct, kw_only=True):
    """Whose followers to look through."""

    id: list[Id] = []


class Subscription(Struct, kw_only=True):
    """An address that would like to get mail."""

    email: str = ""


@endpoint(
    "GET",
    "/api/v1/accounts/familiar_followers",
    scopes=("read:follows",),
    returns="array<entity:FamiliarFollowers>",
)
async def familiar_followers(call: Call, params: FamiliarParams) -> object:
    """Whom one knows among the followers of accounts."""
    ids = list(dict.fromkeys(params.id))[: limits.PAGE_ACCOUNTS[1]]
    if not ids:
        return []
    found = await call.api.db.scan(lambda session: list_familiar_followers(session, call.actor, ids), _SECONDS)
    async with call.api.db.read() as session:
        shown = await call.api.fragments.accounts(session, sorted({one for many in found.values() for one in many}))
    return [
        {"id": str(id_), "accounts": [msgspec.Raw(shown[one]) for one in found[id_] if one in shown]} for id_ in ids
    ]


@endpoint(
    "GET",
    "/api/v1/accounts/:id/identity_proofs",
    returns="array<entity:IdentityProof>",
    deprecated="2022-03-30",
)
async def identity_proofs(call: Call, params: None) -> object:
    """Proofs of other identities: a thing of the past, there are none."""
    async with call.api.db.read() as session:
        await load_account(session, call.id)
    return []


@endpoint("POST", "/api/v1/accounts/:id/email_subscriptions", access="public", returns="empty")
async def subscribe(call: Call, params: Subscription) -> object:
    """Posts by mail: no account here offers that."""
    raise ApiError(404, "Record not found")
