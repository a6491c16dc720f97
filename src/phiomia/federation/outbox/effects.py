"""What of all that happens concerns other servers: the jobs that will tell them."""

from phiomia.domain.accounts.events import AccountDeleted, AccountMoved, AccountUpdated
from phiomia.domain.accounts.locality import goes_out, has_left, load_domains
from phiomia.domain.relationships import events as relationships
from phiomia.domain.statuses import events as statuses
from phiomia.domain.statuses.documents import load_references
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.events import TagFeatured
from phiomia.federation.outbox.acts import Act, SendAct
from phiomia.federation.outbox.featured import SendFeaturedTag, SendPin
from phiomia.federation.outbox.marks import SendFavourite, SendVote
from phiomia.federation.outbox.profiles import SendFarewell, SendMove, SendProfile
from phiomia.federation.outbox.statuses import SendBoost, SendDelete, SendStatus
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer

# Votes come in crowds: other servers hear how a poll stands now and then.
_COUNTS_EVERY_MS = 30 * SECOND


async def tell_created(session: WriteSession, event: statuses.StatusCreated) -> None:
    """A member's status goes out."""
    if event.local and _goes_far(event):
        await defer(session, SendStatus(event.status_id))


def _goes_far(event: statuses.StatusCreated) -> bool:
    """Whether somebody elsewhere may have to hear of it."""
    followed = event.visibility <= Visibility.PRIVATE and event.audience.elsewhere
    return event.addresses or followed or (event.visibility == Visibility.PUBLIC and event.audience.relays)


async def tell_edited(session: WriteSession, event: statuses.StatusEdited) -> None:
    """So does what has become of it."""
    if event.local:
        await defer(session, SendStatus(event.status_id, edited=True))


async def tell_deleted(session: WriteSession, event: statuses.StatusDeleted) -> None:
    """And that it, or a boost, is gone."""
    if event.local and not await has_left(session, event.account_id):
        people, touched = event.mentions, event.remote_boosters
        await defer(
            session,
            SendDelete(event.status_id, event.account_id, event.visibility, people, touched, event.reblog_of_id),
        )


async def tell_boosted(session: WriteSession, event: statuses.StatusBoosted) -> None:
    """A member's boost goes out."""
    if event.local:
        await defer(session, SendBoost(event.status_id))


async def tell_favourited(session: WriteSession, event: statuses.StatusFavourited) -> None:
    """An author elsewhere hears of a favourite."""
    await _tell_favourite(session, event.status_id, event.account_id, event.author_id, event.favourite_id)


async def tell_unfavourited(session: WriteSession, event: statuses.StatusUnfavourited) -> None:
    """And that it was taken back."""
    await _tell_favourite(session, event.status_id, event.account_id, event.author_id, event.favourite_id, undo=True)


async def tell_voted(session: WriteSession, event: statuses.PollVoted) -> None:
    """An author elsewhere hears of a vote; of ours everybody who has the poll hears how it stands."""
    status = (await load_references(session, [event.status_id])).get(event.status_id)
    if status is None:
        return
    if status.local:
        key = f"{SendStatus.TYPE}:counts:{event.status_id}"
        await defer(session, SendStatus(event.status_id, counted=True), run_at=now_ms() + _COUNTS_EVERY_MS, unique=key)
    elif await goes_out(session, event.account_id, status.account_id):
        await defer(
            session,
            SendVote(event.status_id, event.poll_id, event.account_id, status.account_id, list(event.choices)),
        )


async def tell_poll_ended(session: WriteSession, event: statuses.PollEnded) -> None:
    """The last word on a poll of ours."""
    if (await load_domains(session, [event.account_id])).get(event.account_id) == "":
        await defer(session, SendStatus(event.status_id, counted=True))


async def tell_pinned(session: WriteSession, event: statuses.StatusPinned) -> None:
    """A member's pins are shown elsewhere, too."""
    if (await load_domains(session, [event.account_id])).get(event.account_id) == "":
        await defer(session, SendPin(event.status_id, event.account_id, event.gone))


async def tell_profile(session: WriteSession, event: AccountUpdated) -> None:
    """A member's profile goes out when it is another."""
    domains = await load_domains(session, [event.account_id])
    if domains.get(event.account_id) == "" and not await has_left(session, event.account_id):
        await defer(session, SendProfile(event.account_id))


async def tell_moved(session: WriteSession, event: AccountMoved) -> None:
    """A member lives elsewhere now."""
    if (await load_domains(session, [event.account_id])).get(event.account_id) == "":
        await defer(session, SendMove(event.account_id, event.target_id, event.move_id))


async def tell_deleted_account(session: WriteSession, event: AccountDeleted) -> None:
    """A member is gone: everybody elsewhere may have something of theirs."""
    await defer(session, SendFarewell(event.account_id, event.username))


async def tell_follow_requested(session: WriteSession, event: relationships.FollowRequested) -> None:
    """A member wants to follow somebody elsewhere."""
    await _tell(session, Act.FOLLOW, event.account_id, event.target_id, event.follow_id)


async def tell_unfollowed(session: WriteSession, event: relationships.Unfollowed) -> None:
    """A member no longer follows somebody elsewhere."""
    if not event.by_target:
        await _tell(session, Act.UNFOLLOW, event.account_id, event.target_id, event.follow_id)


async def tell_withdrawn(session: WriteSession, event: relationships.FollowWithdrawn) -> None:
    """A member no longer asks to follow somebody elsewhere."""
    await _tell(session, Act.UNFOLLOW, event.account_id, event.target_id, event.follow_id)


async def tell_accepted(session: WriteSession, event: relationships.FollowAccepted) -> None:
    """A member lets somebody elsewhere follow."""
    await _tell(session, Act.ACCEPT, event.target_id, event.account_id, event.follow_id, event.uri)


async def tell_rejected(session: WriteSession, event: relationships.FollowRejected) -> None:
    """A member lets somebody elsewhere not follow, or no longer."""
    await _tell(session, Act.REJECT, event.target_id, event.account_id, event.follow_id, event.uri)


async def tell_blocked(session: WriteSession, event: relationships.Blocked) -> None:
    """A member blocks somebody elsewhere."""
    await _tell(session, Act.BLOCK, event.account_id, event.target_id, event.block_id)


async def tell_unblocked(session: WriteSession, event: relationships.Unblocked) -> None:
    """And no longer."""
    await _tell(session, Act.UNBLOCK, event.account_id, event.target_id, event.block_id)


async def _tell(session: WriteSession, act: Act, account_id: int, target_id: int, number: int, uri: str = "") -> None:
    if await goes_out(session, account_id, target_id):
        await defer(session, SendAct(act.value, account_id, target_id, number, uri))


async def _tell_favourite(
    session: WriteSession, status_id: int, account_id: int, author_id: int, favourite_id: int, *, undo: bool = False
) -> None:
    if await goes_out(session, account_id, author_id):
        await defer(session, SendFavourite(status_id, account_id, author_id, favourite_id, undo))


async def tell_tag_featured(session: WriteSession, event: TagFeatured) -> None:
    """Which hashtags a member shows on the profile."""
    if (await load_domains(session, [event.account_id])).get(event.account_id) == "":
        await defer(session, SendFeaturedTag(event.account_id, event.key, event.name, event.gone))
