"""What events of other packages mean for notifications: effects for the table of side effects, at once."""

from phiomia.domain.notifications.notify import (
    notify,
    notify_edited,
    notify_followers_with_bell,
    notify_mentioned,
    notify_poll_ended,
    notify_quoters,
    notify_staff,
)
from phiomia.domain.notifications.retract import retract, retract_from, retract_sender
from phiomia.domain.notifications.types import NotificationType
from phiomia.domain.relationships.events import (
    Blocked,
    FollowAccepted,
    Followed,
    FollowRejected,
    FollowRequested,
    FollowWithdrawn,
    Muted,
    Unfollowed,
)
from phiomia.domain.statuses.events import (
    PollEnded,
    QuoteChanged,
    StatusBoosted,
    StatusCreated,
    StatusDeleted,
    StatusEdited,
    StatusFavourited,
    StatusUnfavourited,
)
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.users.events import UserSignedUp
from phiomia.platform.db import WriteSession


async def on_signed_up(session: WriteSession, event: UserSignedUp) -> None:
    """Those who run the server learn of it."""
    await notify_staff(session, NotificationType.ADMIN_SIGN_UP, event.account_id)


async def on_followed(session: WriteSession, event: Followed) -> None:
    """The followed account learns of it."""
    await notify(session, event.target_id, NotificationType.FOLLOW, event.account_id)


async def on_unfollowed(session: WriteSession, event: Unfollowed) -> None:
    """The notification of the follow goes."""
    await retract(session, event.target_id, NotificationType.FOLLOW, event.account_id)


async def on_follow_requested(session: WriteSession, event: FollowRequested) -> None:
    """The account that has to decide learns of it."""
    await notify(session, event.target_id, NotificationType.FOLLOW_REQUEST, event.account_id)


async def on_request_over(session: WriteSession, event: FollowAccepted | FollowRejected | FollowWithdrawn) -> None:
    """The notification of the request goes."""
    await retract(session, event.target_id, NotificationType.FOLLOW_REQUEST, event.account_id)


async def on_blocked(session: WriteSession, event: Blocked) -> None:
    """What the blocker was told of the blocked goes."""
    await retract_sender(session, event.account_id, event.target_id)


async def on_muted(session: WriteSession, event: Muted) -> None:
    """What the account was told of the muted goes, if it wants no notifications either."""
    if event.hide_notifications:
        await retract_sender(session, event.account_id, event.target_id)


async def on_status_created(session: WriteSession, event: StatusCreated) -> None:
    """Those mentioned, and followers who asked for it, learn of it, unless it is no news."""
    if event.late:
        return
    await notify_mentioned(session, event.status_id)
    await notify_followers_with_bell(session, event.status_id)


async def on_status_edited(session: WriteSession, event: StatusEdited) -> None:
    """Those who boosted or quote it, and those now mentioned, learn of it."""
    await notify_mentioned(session, event.status_id)
    await notify_edited(session, event.status_id)
    await notify_quoters(session, event.status_id)


async def on_status_boosted(session: WriteSession, event: StatusBoosted) -> None:
    """The author of what was boosted learns of it."""
    await notify(session, event.original_account_id, NotificationType.REBLOG, event.account_id, event.original_id)


async def on_status_deleted(session: WriteSession, event: StatusDeleted) -> None:
    """The end of a boost takes its notification along; other statuses take theirs by themselves."""
    if event.reblog_of_id is not None:
        await retract_from(session, NotificationType.REBLOG, event.account_id, event.reblog_of_id)


async def on_status_favourited(session: WriteSession, event: StatusFavourited) -> None:
    """The author learns of it."""
    await notify(session, event.author_id, NotificationType.FAVOURITE, event.account_id, event.status_id)


async def on_status_unfavourited(session: WriteSession, event: StatusUnfavourited) -> None:
    """The notification of the favourite goes."""
    await retract(session, event.author_id, NotificationType.FAVOURITE, event.account_id, event.status_id)


async def on_quote_changed(session: WriteSession, event: QuoteChanged) -> None:
    """The author of what is quoted learns of it once it stands; the notification goes when it does not any more."""
    if event.state == QuoteState.ACCEPTED:
        await notify(session, event.quoted_account_id, NotificationType.QUOTE, event.account_id, event.status_id)
    elif event.before == QuoteState.ACCEPTED:
        await retract(session, event.quoted_account_id, NotificationType.QUOTE, event.account_id, event.status_id)


async def on_poll_ended(session: WriteSession, event: PollEnded) -> None:
    """Those who voted, and the author, learn of it."""
    await notify_poll_ended(session, event.status_id)
