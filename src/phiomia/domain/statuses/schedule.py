"""Scheduling a status, moving its time, and giving it up."""

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.media.attach import check_media
from phiomia.domain.media.models import media
from phiomia.domain.statuses.models import scheduled_statuses
from phiomia.domain.statuses.scheduled import ScheduledParams
from phiomia.platform import limits
from phiomia.platform.clock import DAY, SECOND, now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.ids import id_at, new_id
from phiomia.platform.json import decode

_of_account = scheduled_statuses.c.account_id == P("account")
# Of two requests at the same moment, the second waits to see the first.
_LOCK = Query(select(accounts.c.id).where(accounts.c.id == P("account")).with_for_update(key_share=True))
_TOTAL = Query(select(func.count()).select_from(scheduled_statuses).where(_of_account))
_THAT_DAY = Query(
    select(func.count())
    .select_from(scheduled_statuses)
    .where(
        _of_account,
        scheduled_statuses.c.scheduled_at >= P("midnight"),
        scheduled_statuses.c.scheduled_at < P("next_midnight"),
        scheduled_statuses.c.id != P("but"),
    )
)
_RECENT = Query(
    select(scheduled_statuses.c.id, scheduled_statuses.c.params).where(
        _of_account, scheduled_statuses.c.id > P("since")
    )
)
_INSERT = insert_into(scheduled_statuses, "id", "account_id", "scheduled_at", "params", "created_at")
_KEEP_MEDIA = Query(
    update(media).where(media.c.id == P("media_id")).values(scheduled_id=P("scheduled"), position=P("place"))
)
_MOVE = Query(
    update(scheduled_statuses).where(_of_account, scheduled_statuses.c.id == P("of_id")).values(scheduled_at=P("at"))
)
_OWN = Query(
    select(scheduled_statuses.c.id).where(_of_account, scheduled_statuses.c.id == P("of_id")).with_for_update()
)
_DELETE = Query(delete(scheduled_statuses).where(_of_account, scheduled_statuses.c.id == P("of_id")))
_FREE_MEDIA = Query(
    update(media).where(media.c.scheduled_id == P("scheduled")).values(scheduled_id=None, freed_at=P("now"))
)


async def schedule_status(session: WriteSession, account_id: int, at: int, params: ScheduledParams) -> int:
    """Keeps a status for later; gives its id, that of the first if it was asked for under the same key.

    Raises Invalid.
    """
    now = now_ms()
    await session.one(_LOCK, account=account_id)
    known = await _find_repeated(session, account_id, params.idempotency, now)
    if known is not None:
        return known
    _check_time(at, now)
    if (await session.value(_TOTAL, account=account_id) or 0) >= limits.SCHEDULED_TOTAL:
        raise Invalid(f"Validation failed: You have exceeded the limit of {limits.SCHEDULED_TOTAL} scheduled posts")
    await _check_day(session, account_id, at)
    media_ids = [int(one) for one in params.media_ids or ()]
    await check_media(session, account_id, None, media_ids)
    id_ = new_id()
    await session.execute(
        _INSERT,
        id=id_,
        account_id=account_id,
        scheduled_at=at,
        params=msgspec.json.encode(params).decode(),
        created_at=now,
    )
    await session.execute_many(
        _KEEP_MEDIA,
        [{"media_id": one, "scheduled": id_, "place": place} for place, one in enumerate(media_ids)],
    )
    return id_


async def reschedule_status(session: WriteSession, account_id: int, scheduled_id: int, at: int | None) -> None:
    """Moves the time; None leaves it. Raises NotFound, Invalid."""
    await session.one(_LOCK, account=account_id)
    if await session.value(_OWN, account=account_id, of_id=scheduled_id) is None:
        raise NotFound
    if at is None:
        return
    _check_time(at, now_ms())
    await _check_day(session, account_id, at, but=scheduled_id)
    await session.execute(_MOVE, account=account_id, of_id=scheduled_id, at=at)


async def unschedule_status(session: WriteSession, account_id: int, scheduled_id: int) -> None:
    """Gives a scheduled status up; its files may be used by another. Raises NotFound."""
    if not await session.execute(_DELETE, account=account_id, of_id=scheduled_id):
        raise NotFound
    await free_media(session, scheduled_id)


async def free_media(session: WriteSession, scheduled_id: int) -> None:
    """Lets the files of a scheduled status go."""
    await session.execute(_FREE_MEDIA, scheduled=scheduled_id, now=now_ms())


def _check_time(at: int, now: int) -> None:
    if at <= now + limits.SCHEDULED_NOT_BEFORE_SECONDS * SECOND:
        raise Invalid(
            "Validation failed: Scheduled at date must be in the future",
            {"scheduled_at": [("ERR_INVALID", "date must be in the future")]},
        )


async def _check_day(session: WriteSession, account_id: int, at: int, but: int = 0) -> None:
    midnight = at - at % DAY
    found = await session.value(_THAT_DAY, account=account_id, midnight=midnight, next_midnight=midnight + DAY, but=but)
    if (found or 0) >= limits.SCHEDULED_PER_DAY:
        text = f"You have exceeded the limit of {limits.SCHEDULED_PER_DAY} scheduled posts for that day"
        raise Invalid(f"Validation failed: {text}")


async def _find_repeated(session: WriteSession, account_id: int, key: str | None, now: int) -> int | None:
    if key is None:
        return None
    since = id_at(now - limits.IDEMPOTENCY_SECONDS * SECOND)
    for id_, params in await session.all(_RECENT, account=account_id, since=since):
        if decode(params).get("idempotency") == key:
            return int(id_)
    return None
