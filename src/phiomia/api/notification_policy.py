"""Whose notifications are taken: https://docs.joinmastodon.org/methods/notifications/#get-policy"""

from typing import Any, Literal

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.notifications.policy import Answer, Policy, Waiting, change_policy, count_waiting, load_policy
from phiomia.entities.notification_policy import render_policy, render_policy_v1

Named = Literal["accept", "filter", "drop"]


class PolicyParams(msgspec.Struct, kw_only=True):
    """New answers; what is not named stays."""

    for_not_following: Named | None = None
    for_not_followers: Named | None = None
    for_new_accounts: Named | None = None
    for_private_mentions: Named | None = None
    for_limited_accounts: Named | None = None
    for_bots: Named | None = None


class PolicyV1Params(msgspec.Struct, kw_only=True):
    """The same for older apps: whether such senders have to wait."""

    filter_not_following: bool | None = None
    filter_not_followers: bool | None = None
    filter_new_accounts: bool | None = None
    filter_private_mentions: bool | None = None
    filter_bots: bool | None = None


@endpoint("GET", "/api/v2/notifications/policy", scopes=("read:notifications",), returns="entity:NotificationPolicy")
async def policy(call: Call, params: None) -> object:
    """Whose notifications the account takes, and how many wait."""
    return render_policy(*await _load(call))


@endpoint("PATCH", "/api/v2/notifications/policy", scopes=("write:notifications",), returns="entity:NotificationPolicy")
@endpoint("PUT", "/api/v2/notifications/policy", scopes=("write:notifications",), returns="entity:NotificationPolicy")
async def update_policy(call: Call, params: PolicyParams) -> object:
    """Changes whose notifications the account takes."""
    await _change(
        call,
        {name: Answer[to.upper()] for name, to in msgspec.structs.asdict(params).items() if to is not None},
    )
    return render_policy(*await _load(call))


@endpoint(
    "GET", "/api/v1/notifications/policy", scopes=("read:notifications",), returns="entity:V1::NotificationPolicy"
)
async def policy_v1(call: Call, params: None) -> object:
    """Whose notifications have to wait, for older apps."""
    return render_policy_v1(*await _load(call))


@endpoint(
    "PUT", "/api/v1/notifications/policy", scopes=("write:notifications",), returns="entity:V1::NotificationPolicy"
)
@endpoint(
    "PATCH", "/api/v1/notifications/policy", scopes=("write:notifications",), returns="entity:V1::NotificationPolicy"
)
async def update_policy_v1(call: Call, params: PolicyV1Params) -> object:
    """Changes whose notifications have to wait, for older apps."""
    await _change(
        call,
        {
            name.replace("filter_", "for_"): Answer.FILTER if waits else Answer.ACCEPT
            for name, waits in msgspec.structs.asdict(params).items()
            if waits is not None
        },
    )
    return render_policy_v1(*await _load(call))


async def _change(call: Call, changes: dict[str, Any]) -> None:
    if changes:
        await call.api.db.write(lambda session: change_policy(session, call.actor, changes))


async def _load(call: Call) -> tuple[Policy, Waiting]:
    async with call.api.db.read() as session:
        return await load_policy(session, call.actor), await count_waiting(session, call.actor)
