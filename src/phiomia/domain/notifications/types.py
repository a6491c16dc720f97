"""What a notification can be about, as the entity spells it."""

from enum import StrEnum
from typing import Final


class NotificationType(StrEnum):
    """The kinds that this server writes."""

    MENTION = "mention"
    STATUS = "status"
    REBLOG = "reblog"
    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    FAVOURITE = "favourite"
    POLL = "poll"
    UPDATE = "update"
    QUOTE = "quote"
    QUOTED_UPDATE = "quoted_update"
    ADMIN_SIGN_UP = "admin.sign_up"
    ADMIN_REPORT = "admin.report"
    SEVERED = "severed_relationships"
    WARNING = "moderation_warning"
    ADDED_TO_COLLECTION = "added_to_collection"
    COLLECTION_UPDATE = "collection_update"


# About what one did oneself, or what the server's staff has to know: no policy holds them back.
NEVER_FILTERED: Final = (
    NotificationType.POLL,
    NotificationType.UPDATE,
    NotificationType.QUOTED_UPDATE,
    NotificationType.ADMIN_SIGN_UP,
    NotificationType.ADMIN_REPORT,
    NotificationType.SEVERED,
    NotificationType.WARNING,
)
# Nobody else did it: recipient and sender are the same.
FROM_ONESELF: Final = (NotificationType.POLL, NotificationType.SEVERED, NotificationType.WARNING)
# What makes a sender whose notifications wait ask to be heard.
ASKING: Final = (NotificationType.MENTION, NotificationType.QUOTE)
# What goes with a collection.
OF_COLLECTIONS: Final = (NotificationType.ADDED_TO_COLLECTION, NotificationType.COLLECTION_UPDATE)
