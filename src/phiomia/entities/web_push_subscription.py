"""The entity WebPushSubscription."""

from typing import Any, Final

from phiomia.domain.notifications.push_alerts import to_types
from phiomia.domain.notifications.subscriptions import Subscription

# Mastodon counts subscriptions from 1, and apps read their numbers into 32 bits; none is ever asked for by number.
_SMALL: Final = 2**31


def render_subscription(subscription: Subscription, server_key: str) -> dict[str, Any]:
    """A subscription, with the key that its push service will see."""
    return {
        "id": subscription.id % _SMALL,
        "endpoint": subscription.endpoint,
        "standard": subscription.standard,
        "server_key": server_key,
        "alerts": to_types(subscription.alerts),
        "policy": subscription.policy,
    }
