"""What events of other packages mean for notifications: effects for the table of side effects, at once."""

from typing import Protocol

from phiomia.domain.notifications.notify import (
    notify,
    notify_edited,
    notify_followers_with_bell,
    notify_mentioned,
    notify_of_collection,
    notify_oneself,
    notify_poll_ended,
    notify_quoters,
    notify_redescribed,
    notify_staff,
)
from phiomia.domain.notifications.retract import (
    retract,
    retract_event,
    retract_event_from,
    retract_from,
    retract_sender,
)
from phiomia.domain.notifications.types import OF_COLLECTIONS, NotificationType
from phiomia.domain.relationships.events import (
    Blocked,
    FollowAccepted,
    Followed,
    FollowRejected,
    FollowRequested,
    FollowWithdrawn,
    Muted,
    TiesSevered,
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


class Reported(Protocol):
    """What is to be known of a report; moderation stands beside this package."""

    @property
    def report_id(self) -> int:
        """The report."""
        ...

    @property
    def account_id(self) -> int | None:
        """Who reports, if that is known."""
        ...

    @property
    def target_id(self) -> int:
        """Who is reported."""
        ...

    @property
    def first(self) -> bool:
        """Whether no other one about the same account waits."""
        ...


class Warned(Protocol):
    """What is to be known of a warning."""

    @property
    def warning_id(self) -> int:
        """The warning."""
        ...

    @property
    def account_id(self) -> int:
        """Who is warned."""
        ...


class InCollection(Protocol):
    """What is to be known of who is in a collection, or is no longer; collections stand beside this package."""

    @property
    def collection_id(self) -> int:
        """The collection."""
        ...

    @property
    def owner_id(self) -> int:
        """Whose it is."""
        ...

    @property
    def account_id(self) -> int:
        """Who is in it."""
        ...


class Redescribed(Protocol):
    """What is to be known of a collection that has changed."""

    @property
    def collection_id(self) -> int:
        """The collection."""
        ...

    @property
    def owner_id(self) -> int:
        """Whose it is."""
        ...

    @property
    def members(self) -> list[int]:
        """Who of us is in it."""
        ...


class CollectionGone(Protocol):
    """What is to be known of a collection that is no more."""

    @property
    def collection_id(self) -> int:
        """The collection."""
        ...

    @property
    def account_id(self) -> int:
        """Whose it was."""
        ...


async def on_featured(session: WriteSession, event: InCollection) -> None:
    """Who was put into a collection learns of it."""
    type_ = NotificationType.ADDED_TO_COLLECTION
    await notify_of_collection(session, [event.account_id], type_, event.owner_id, event.collection_id)


async def on_unfeatured(session: WriteSession, event: InCollection) -> None:
    """What they were told of it goes."""
    for type_ in OF_COLLECTIONS:
        await retract_event(session, event.account_id, type_, event.owner_id, event.collection_id)


async def on_redescribed(session: WriteSession, event: Redescribed) -> None:
    """Those who are in it learn that it says something else."""
    await notify_redescribed(session, event.members, event.owner_id, event.collection_id)


async def on_collection_gone(session: WriteSession, event: CollectionGone) -> None:
    """What anybody was told of it goes."""
    for type_ in OF_COLLECTIONS:
        await retract_event_from(session, type_, event.account_id, event.collection_id)


async def on_report_filed(session: WriteSession, event: Reported) -> None:
    """Those who run the server learn of it, unless they have yet to look at another one about the same account."""
    if event.first:
        sender = event.target_id if event.account_id is None else event.account_id
        await notify_staff(session, NotificationType.ADMIN_REPORT, sender, event.report_id)


async def on_warned(session: WriteSession, event: Warned) -> None:
    """The member learns what the moderators have to say."""
    await notify_oneself(session, event.account_id, NotificationType.WARNING, event.warning_id)


async def on_ties_severed(session: WriteSession, event: TiesSevered) -> None:
    """The member learns that follows are gone."""
    await notify_oneself(session, event.account_id, NotificationType.SEVERED, event.severance_id)


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
    if event.addresses:
        await notify_mentioned(session, event.status_id)
    if event.audience.bells:
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
