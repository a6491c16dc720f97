"""Web Push: https://docs.joinmastodon.org/methods/push/"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, field

from phiomia.api.endpoint import Call, bearer_token, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.instance import vapid_public_key
from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.notifications.push_alerts import TYPES, to_bits
from phiomia.domain.notifications.push_seal import read_subscription, seal_token
from phiomia.domain.notifications.subscriptions import (
    SubscriptionDraft,
    change_subscription,
    end_subscription,
    find_subscription,
    subscribe,
    unsubscribe,
)
from phiomia.entities.web_push_subscription import render_subscription
from phiomia.platform import limits
from phiomia.platform.webpush import Keys, read_keys

Policy = Literal["all", "followed", "follower", "none"]
Text = Annotated[str, Meta(min_length=1, max_length=limits.PUSH_ENDPOINT)]


class Alerts(msgspec.Struct, kw_only=True):
    """Which types are pushed."""

    mention: bool = False
    status: bool = False
    reblog: bool = False
    follow: bool = False
    follow_request: bool = False
    favourite: bool = False
    poll: bool = False
    update: bool = False
    sign_up: bool = field(default=False, name="admin.sign_up")
    report: bool = field(default=False, name="admin.report")
    quote: bool = False
    quoted_update: bool = False


class Data(msgspec.Struct, kw_only=True):
    """Which types are pushed, and from whom."""

    alerts: Alerts | None = None
    policy: Policy | None = None


class SubscriptionKeys(msgspec.Struct, kw_only=True):
    """What the browser or app made for the subscription, in base64."""

    p256dh: Text
    auth: Text


class SubscriptionPart(msgspec.Struct, kw_only=True):
    """Where to push, and for whom to encrypt."""

    endpoint: Text
    keys: SubscriptionKeys
    standard: bool = False


class SubscribeParams(msgspec.Struct, kw_only=True):
    """A whole subscription."""

    subscription: SubscriptionPart
    data: Data = field(default_factory=Data)


class ChangeParams(msgspec.Struct, kw_only=True):
    """What is to change about it."""

    data: Data = field(default_factory=Data)
    policy: Policy | None = None


@endpoint("POST", "/api/v1/push/subscription", scopes=("push",), returns="entity:WebPushSubscription")
async def create_subscription(call: Call, params: SubscribeParams) -> object:
    """Pushes notifications to the app from now on."""
    given, token, bearer = params.subscription, bearer_token(call.req), call.bearer
    assert token is not None and bearer is not None
    draft = SubscriptionDraft(
        token_id=bearer.token_id,
        account_id=call.actor,
        endpoint=_check_endpoint(given.endpoint),
        keys=_check_keys(given.keys),
        standard=given.standard,
        alerts=_bits(params.data.alerts) or 0,
        policy=params.data.policy or "all",
        sealed_token=seal_token(await load_vapid_key(call.api.db), bearer.token_id, token),
    )
    await call.api.db.write(lambda session: subscribe(session, draft))
    return await _show(call)


@endpoint("GET", "/api/v1/push/subscription", scopes=("push",), returns="entity:WebPushSubscription")
async def show_subscription(call: Call, params: None) -> object:
    """What is pushed to the app."""
    return await _show(call)


@endpoint("PUT", "/api/v1/push/subscription", scopes=("push",), returns="entity:WebPushSubscription")
@endpoint("PATCH", "/api/v1/push/subscription", scopes=("push",), returns="entity:WebPushSubscription")
async def update_subscription(call: Call, params: ChangeParams) -> object:
    """Changes what is pushed to the app."""
    token_id, bits = _token_id(call), _bits(params.data.alerts)
    policy = params.data.policy or params.policy
    await call.api.db.write(lambda session: change_subscription(session, token_id, bits, policy))
    return await _show(call)


@endpoint("DELETE", "/api/v1/push/subscription", scopes=("push",), returns="empty")
async def delete_subscription(call: Call, params: None) -> object:
    """Pushes nothing to the app from now on."""
    token_id = _token_id(call)
    await call.api.db.write(lambda session: unsubscribe(session, token_id))
    return {}


@endpoint("DELETE", "/api/web/push_subscriptions/:id", access="public", returns="empty")
async def delete_by_service(call: Call, params: None) -> object:
    """Ends a subscription for the push service, which got this address with every message."""
    subscription_id = read_subscription(await load_vapid_key(call.api.db), call.path["id"])
    if subscription_id is None:
        raise ApiError(404, "Record not found")
    await call.api.db.write(lambda session: end_subscription(session, subscription_id))
    return {}


async def _show(call: Call) -> dict[str, Any]:
    async with call.api.db.read() as session:
        found = await find_subscription(session, _token_id(call))
    return render_subscription(found, await vapid_public_key(call))


def _token_id(call: Call) -> int:
    assert call.bearer is not None
    return call.bearer.token_id


def _bits(alerts: Alerts | None) -> int | None:
    if alerts is None:
        return None
    named = msgspec.to_builtins(alerts)
    return to_bits([type_ for type_ in TYPES if named[type_]])


def _check_endpoint(address: str) -> str:
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise _invalid("endpoint", "is not a valid URL")
    return address


def _check_keys(given: SubscriptionKeys) -> Keys:
    keys = read_keys(given.p256dh, given.auth)
    if keys is None:
        raise _invalid("keys", "are not those of a push subscription")
    return keys


def _invalid(name: str, words: str) -> ApiError:
    message = f"Validation failed: {name.capitalize()} {words}"
    return ApiError(422, message, details={name: [("ERR_INVALID", words)]})
