"""Deleting a status, with all that hangs on it."""

from typing import NamedTuple

from sqlalchemy import delete, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.files import defer_deletion
from phiomia.domain.media.attach import detach_others
from phiomia.domain.media.models import media
from phiomia.domain.statuses.counters import count_boost, count_reply, uncount_boosts_of, uncount_status
from phiomia.domain.statuses.events import StatusDeleted
from phiomia.domain.statuses.models import status_mentions, status_tags, statuses
from phiomia.domain.statuses.quote import forget_quotes
from phiomia.domain.statuses.recipients import list_touched
from phiomia.domain.tags.models import tags
from phiomia.platform.db import P, Query, WriteSession, any_of, listed
from phiomia.platform.events import record


class _Doomed(NamedTuple):
    """What has to be known of a status after it is gone."""

    id: int
    account_id: int
    local: bool
    visibility: int
    in_reply_to_id: int | None
    reblog_of_id: int | None


# Two that delete it at the same moment: the second waits, and finds nothing.
_DOOMED = Query(
    select(*[statuses.c[name] for name in _Doomed._fields])
    .where(statuses.c.id == P("id"), statuses.c.account_id == P("author"))
    .with_for_update()
)
_TAGS = Query(
    select(tags.c.name).join(status_tags, status_tags.c.tag_id == tags.c.id).where(status_tags.c.status_id == P("id"))
)
_MENTIONS = Query(select(status_mentions.c.account_id).where(status_mentions.c.status_id == P("id")))
_REMOTE = Query(select(accounts.c.id).where(any_of(accounts.c.id, listed("ids")), accounts.c.domain != ""))
_DELETE_MEDIA = Query(delete(media).where(media.c.status_id == P("id")).returning(media.c.key, media.c.preview_key))
# The foreign key would do it, but not tell the revisions.
_ORPHAN = Query(update(statuses).where(statuses.c.in_reply_to_id == P("parent")).values(in_reply_to_id=None))
_DELETE = Query(delete(statuses).where(statuses.c.id == P("id")))


async def delete_status(session: WriteSession, actor_id: int, status_id: int, *, delete_media: bool = False) -> None:
    """Deletes the actor's own status and its boosts. Its files stay for another status unless `delete_media`.

    Raises NotFound.
    """
    row = await session.one(_DOOMED, id=status_id, author=actor_id)
    if row is None:
        raise NotFound
    doomed = _Doomed(*row)
    event = StatusDeleted(
        status_id=status_id,
        account_id=actor_id,
        visibility=doomed.visibility,
        local=bool(doomed.local),
        tags=await session.column(_TAGS, id=status_id),
        reblog_of_id=doomed.reblog_of_id,
        media_keys=await _take_media(session, status_id, delete_media),
        mentions=await session.column(_MENTIONS, id=status_id),
        remote_boosters=await _list_remote_touched(session, doomed),
    )
    await _lower_counters(session, doomed)
    await session.execute(_ORPHAN, parent=status_id)
    await forget_quotes(session, status_id, doomed.visibility)
    await session.execute(_DELETE, id=status_id)
    await record(session, event)


async def _list_remote_touched(session: WriteSession, doomed: _Doomed) -> list[int]:
    if doomed.reblog_of_id is not None:
        return []
    touched = await list_touched(session, doomed.id)
    return await session.column(_REMOTE, ids=touched) if touched else []


async def _take_media(session: WriteSession, status_id: int, delete_media: bool) -> list[str]:
    if not delete_media:
        await detach_others(session, status_id, kept=[])
        return []
    keys = [key for row in await session.all(_DELETE_MEDIA, id=status_id) for key in row if key]
    await defer_deletion(session, *keys)
    return keys


async def _lower_counters(session: WriteSession, doomed: _Doomed) -> None:
    await uncount_status(session, doomed.account_id, doomed.visibility)
    if doomed.reblog_of_id is not None:
        await count_boost(session, doomed.reblog_of_id, by=-1)
        return
    await uncount_boosts_of(session, doomed.id)
    if doomed.in_reply_to_id is not None:
        await count_reply(session, doomed.in_reply_to_id, doomed.visibility, by=-1)
