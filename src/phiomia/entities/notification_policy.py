"""The entity NotificationPolicy, in both versions."""

from typing import Any

from phiomia.domain.notifications.policy import Answer, Policy, Waiting


def render_policy(policy: Policy, waiting: Waiting) -> dict[str, Any]:
    """The answers by their names, and what waits."""
    named: dict[str, Any] = {name: Answer(value).name.lower() for name, value in policy._asdict().items()}
    return named | {"summary": _render_waiting(waiting)}


def render_policy_v1(policy: Policy, waiting: Waiting) -> dict[str, Any]:
    """The same for older apps, which know only whether somebody has to wait."""
    return {
        "filter_not_following": policy.for_not_following != Answer.ACCEPT,
        "filter_not_followers": policy.for_not_followers != Answer.ACCEPT,
        "filter_new_accounts": policy.for_new_accounts != Answer.ACCEPT,
        "filter_private_mentions": policy.for_private_mentions != Answer.ACCEPT,
        "filter_bots": policy.for_bots != Answer.ACCEPT,
        "summary": _render_waiting(waiting),
    }


def _render_waiting(waiting: Waiting) -> dict[str, int]:
    return {
        "pending_requests_count": waiting.requests,
        "pending_notifications_count": waiting.notifications,
    }
