"""Removes uploads that are not posted: on their owner's word, or when a day has passed."""

import asyncio
import shutil
from pathlib import Path

from sqlalchemy import delete, func, or_, select

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.files import defer_deletion
from phiomia.domain.media.models import media
from phiomia.platform.db import P, Query, WriteSession, any_of, listed
from phiomia.platform.ids import id_at

_BATCH = 200

_OWN = Query(
    select(func.coalesce(media.c.status_id, media.c.scheduled_id), media.c.key, media.c.preview_key)
    .where(media.c.id == P("id"), media.c.account_id == P("account"))
    .with_for_update()
)
_OLD = Query(
    select(media.c.id, media.c.key, media.c.preview_key)
    .where(
        media.c.status_id.is_(None),
        media.c.scheduled_id.is_(None),
        media.c.id < P("before"),
        or_(media.c.freed_at.is_(None), media.c.freed_at < P("before_ms")),
    )
    .limit(_BATCH)
    .with_for_update(skip_locked=True)
)
_DELETE = Query(delete(media).where(any_of(media.c.id, listed("ids"))))


async def discard_media(session: WriteSession, account_id: int, media_id: int) -> None:
    """Removes an upload of the account. Raises NotFound; Invalid when it is posted."""
    row = await session.one(_OWN, id=media_id, account=account_id)
    if row is None:
        raise NotFound
    if row[0] is not None:
        raise Invalid("The media attachment is used by a post")
    await session.execute(_DELETE, ids=[media_id])
    await defer_deletion(session, row[1], row[2])


async def discard_unattached(session: WriteSession, before_ms: int) -> int:
    """Removes some of the uploads that were made, or let go by a status, before a moment; gives their number."""
    rows = await session.all(_OLD, before=id_at(before_ms), before_ms=before_ms)
    await session.execute(_DELETE, ids=[row[0] for row in rows])
    await defer_deletion(session, *(key for row in rows for key in (row[1], row[2])))
    return len(rows)


async def discard_forgotten_sources(temporary: Path, before_ms: int) -> None:
    """Removes files that uploads left behind when a process was killed."""
    await asyncio.to_thread(_sweep, temporary, before_ms / 1000)


def _sweep(temporary: Path, before: float) -> None:
    patterns = ("upload-*", "decoding-*", "media/*")
    for path in [path for pattern in patterns for path in temporary.glob(pattern)]:
        try:
            if path.stat().st_mtime >= before:
                continue
        except FileNotFoundError:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
