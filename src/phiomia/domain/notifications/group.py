"""Which notifications are shown as one: those of a kind, about the same thing, from the same half day."""

from phiomia.domain.notifications.types import NotificationType
from phiomia.platform.clock import HOUR

SPAN = 12 * HOUR


def group_key(type_: str, notification_id: int, status_id: int | None, at: int) -> str:
    """The key that a notification shares with its group; one that is never grouped has a key of its own."""
    if type_ in (NotificationType.FAVOURITE, NotificationType.REBLOG):
        return f"{type_}-{status_id}-{at // SPAN}"
    if type_ in (NotificationType.FOLLOW, NotificationType.ADMIN_SIGN_UP):
        return f"{type_}-{at // SPAN}"
    return f"ungrouped-{notification_id}"
