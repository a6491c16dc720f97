"""Ties uploaded media to a status."""

from collections.abc import Sequence

from sqlalchemy import select, update

from phiomia.domain.errors import Invalid
from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.models import media
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, listed

_FREE = Query(
    select(media.c.id, media.c.kind, media.c.state).where(
        any_of(media.c.id, listed("ids")), media.c.account_id == P("account"), media.c.scheduled_id.is_(None)
    )
)
_OWNER = Query(select(media.c.id, media.c.status_id).where(any_of(media.c.id, listed("ids"))))
_ATTACH = Query(update(media).where(media.c.id == P("media_id")).values(status_id=P("for_status"), position=P("place")))
_DETACH = Query(
    update(media)
    .where(media.c.status_id == P("of_status"), ~any_of(media.c.id, listed("kept")))
    .values(status_id=None, freed_at=P("at"))
)


async def attach_media(session: WriteSession, account_id: int, status_id: int, media_ids: Sequence[int]) -> None:
    """Attaches the account's own, unattached (or already so attached) media in the given order. Raises Invalid."""
    await check_media(session, account_id, status_id, media_ids)
    await place_media(session, status_id, media_ids)


async def check_media(session: WriteSession, account_id: int, status_id: int | None, media_ids: Sequence[int]) -> None:
    """Refuses media that the status can't have. Raises Invalid."""
    mine = {row[0]: (row[1], row[2]) for row in await session.all(_FREE, ids=list(media_ids), account=account_id)}
    used = {row[0]: row[1] for row in await session.all(_OWNER, ids=list(media_ids))}
    for media_id in media_ids:
        if media_id not in mine or used.get(media_id) not in (None, status_id):
            raise Invalid(f"Validation failed: Media with IDs {media_id} not found")
        if mine[media_id][1] == MediaState.PROCESSING:
            raise Invalid("Cannot attach files that have not finished processing. Try again in a moment!")
        if mine[media_id][1] == MediaState.FAILED:
            raise Invalid(f"Validation failed: Media with IDs {media_id} could not be processed")
    moving = [media_id for media_id in media_ids if mine[media_id][0] not in (MediaKind.IMAGE, MediaKind.UNKNOWN)]
    if moving and len(media_ids) > 1:
        raise Invalid("Cannot attach a video to a post that already contains images")


async def place_media(session: WriteSession, status_id: int, media_ids: Sequence[int]) -> None:
    """Attaches media in the given order, whatever they are."""
    await session.execute_many(
        _ATTACH,
        [{"media_id": media_id, "for_status": status_id, "place": place} for place, media_id in enumerate(media_ids)],
    )


async def detach_others(session: WriteSession, status_id: int, kept: Sequence[int]) -> None:
    """Takes every other attachment off a status."""
    await session.execute(_DETACH, of_status=status_id, kept=list(kept), at=now_ms())
