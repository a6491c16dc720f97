"""The entity WebPushSubscription."""

from typing import Any

from phiomia.domain.notifications.push_alerts import to_types
from phiomia.domain.notifications.subscriptions import Subscription


def render_subscription(subscription: Subscription, server_key: str) -> dict[str, Any]:
    """A subscription, with the key that its push service will see."""
    return {
        "id": str(subscription.id),
        "endpoint": subscription.endpoint,
        "standard": subscription.standard,
        "server_key": server_key,
        "alerts": to_types(subscription.alerts),
        "policy": subscription.policy,
    }
