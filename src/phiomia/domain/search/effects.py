"""Keeping the index right when statuses and accounts change."""

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.search.index import index_account, index_draft, index_status, unindex_status
from phiomia.domain.search.jobs import IndexStatusesOf, note_interest
from phiomia.domain.statuses.events import (
    StatusBookmarked,
    StatusBoosted,
    StatusCreated,
    StatusDeleted,
    StatusEdited,
    StatusFavourited,
    StatusUnfavourited,
)
from phiomia.domain.users.events import UserSignedUp
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer


async def index_new_status(session: WriteSession, event: StatusCreated) -> None:
    """A new status can be found."""
    if event.draft is None:
        await index_status(session, event.status_id)
        return
    await index_draft(
        session,
        event.status_id,
        event.draft,
        in_reply_to_id=event.in_reply_to_id,
        indexable=event.audience.indexable,
    )


async def reindex_edited_status(session: WriteSession, event: StatusEdited) -> None:
    """An edited one is found by its new words."""
    await index_status(session, event.status_id)


async def unindex_deleted_status(session: WriteSession, event: StatusDeleted) -> None:
    """A deleted one is not found; boosts never were."""
    if event.reblog_of_id is None:
        await unindex_status(session, event.status_id)


async def index_new_account(session: WriteSession, event: UserSignedUp) -> None:
    """A new member can be found."""
    await index_account(session, event.account_id)


async def index_updated_account(session: WriteSession, event: AccountUpdated) -> None:
    """An account is found by its new name; its statuses, when others may find them from now on or no longer."""
    await index_account(session, event.account_id)
    if event.indexable_changed:
        await defer(session, IndexStatusesOf(event.account_id))


async def note_mark(session: WriteSession, event: StatusFavourited | StatusUnfavourited | StatusBookmarked) -> None:
    """Who marks a status may find it."""
    await note_interest(session, event.status_id, event.account_id)


async def note_boost(session: WriteSession, event: StatusBoosted) -> None:
    """Who boosts a status may find it."""
    await note_interest(session, event.original_id, event.account_id)
