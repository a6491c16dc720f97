"""Decodes an upload in the jail and stores the pictures. May run again at any point: it then begins anew."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import select, update

from phiomia.domain.media.kinds import MediaState
from phiomia.domain.media.models import media
from phiomia.domain.media.sources import forget_sources, is_kept, source_of, thumbnail_of
from phiomia.platform.db import Database, P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import ImageResult, JailError, Picture, Reason
from phiomia.platform.jobs.defer import wake
from phiomia.platform.json import decode, encode
from phiomia.platform.storage import Storage, media_key

TOPIC: Final = "media"
LOST: Final = "Validation failed: File was lost before it could be processed"
FAILURES: Final[dict[Reason, str]] = {
    "unsupported_type": "Validation failed: File content type is invalid",
    "too_many_pixels": "Validation failed: File has too many pixels",
    "too_large": "Validation failed: File is too large",
    "corrupt": "Validation failed: File is damaged",
    "timeout": "Validation failed: File takes too long to process",
    "crashed": "Validation failed: File can't be processed",
}

_STATE = Query(select(media.c.state, media.c.key, media.c.preview_key).where(media.c.id == P("id")))
_META = Query(select(media.c.meta).where(media.c.id == P("id")).with_for_update())
_PROCESSING = media.c.state == MediaState.PROCESSING
_RESERVE = Query(
    update(media)
    .where(media.c.id == P("of_id"), _PROCESSING)
    .values(key=P("new_key", str), preview_key=P("new_preview_key", str))
)
_READY = Query(
    update(media)
    .where(media.c.id == P("of_id"), _PROCESSING)
    .values(
        state=MediaState.READY,
        **{name: column_parameter(media, name) for name in ("content_type", "bytes", "meta", "blurhash")},
    )
)
_FAIL = Query(
    update(media).where(media.c.id == P("of_id"), _PROCESSING).values(state=MediaState.FAILED, failure=P("reason", str))
)


class Pictures(NamedTuple):
    """What the jail made of an upload, with the keys under which it will lie."""

    original: Picture
    preview: Picture
    blurhash: str | None
    key: str
    preview_key: str


async def process_media(db: Database, storage: Storage, temporary: Path, media_id: int) -> None:
    """Brings an upload from processing to ready or failed. Its source is removed only once that stands."""
    async with db.read() as session:
        row = await session.one(_STATE, id=media_id)
    if row is not None and row[0] == MediaState.PROCESSING:
        for left in (row[1], row[2]):
            if left:  # an earlier run was interrupted
                await storage.delete(left)
        await _decode(db, storage, temporary, media_id)
    await asyncio.to_thread(forget_sources, temporary, media_id)


async def _decode(db: Database, storage: Storage, temporary: Path, media_id: int) -> None:
    source = source_of(temporary, media_id)
    if not is_kept(source):
        await db.write(lambda session: _fail(session, media_id, LOST))
        return
    with tempfile.TemporaryDirectory(dir=source.parent, prefix="decoding-") as out_dir:
        try:
            made = await _make_pictures(source, thumbnail_of(temporary, media_id), Path(out_dir), media_id)
        except JailError as error:
            reason = FAILURES[error.reason]
            await db.write(lambda session: _fail(session, media_id, reason))
            return
        if await db.write(lambda session: _reserve(session, media_id, made)):
            await storage.put(made.key, made.original.path, made.original.content_type)
            await storage.put(made.preview_key, made.preview.path, made.preview.content_type)
        if not await db.write(lambda session: _finish(session, media_id, made)):
            await storage.delete(made.key)  # thrown away by its owner in the meantime
            await storage.delete(made.preview_key)


async def _make_pictures(source: Path, thumbnail: Path, out_dir: Path, media_id: int) -> Pictures:
    result = await process_image(source, kind="attachment", out_dir=out_dir)
    own = await process_image(thumbnail, kind="attachment", out_dir=out_dir) if is_kept(thumbnail) else None
    preview = preview_of(own or result)
    return Pictures(
        result.original,
        preview,
        result.blurhash,
        media_key("attachment", media_id, "original", result.original.extension),
        media_key("attachment", media_id, "small", preview.extension),
    )


def preview_of(result: ImageResult) -> Picture:
    """The small picture of a result."""
    return result.thumbnail or result.original


def picture_meta(picture: Picture) -> dict[str, Any]:
    """Sizes as the entity shows them."""
    return {
        "width": picture.width,
        "height": picture.height,
        "size": f"{picture.width}x{picture.height}",
        "aspect": round(picture.width / picture.height, 6),
    }


def focus_meta(focus: tuple[float, float] | None) -> dict[str, Any]:
    """The focus as the entity shows it; nothing when there is none."""
    return {} if focus is None else {"focus": {"x": focus[0], "y": focus[1]}}


async def _reserve(session: WriteSession, media_id: int, made: Pictures) -> int:
    # Noted before they are written: should we be killed in between, the next run finds and removes them.
    return await session.execute(_RESERVE, of_id=media_id, new_key=made.key, new_preview_key=made.preview_key)


async def _finish(session: WriteSession, media_id: int, made: Pictures) -> int:
    meta = decode(await session.value(_META, id=media_id) or "{}")
    meta |= {"original": picture_meta(made.original), "small": picture_meta(made.preview)}
    wake(session, TOPIC)
    return await session.execute(
        _READY,
        of_id=media_id,
        content_type=made.original.content_type,
        bytes=made.original.bytes,
        meta=encode(meta),
        blurhash=made.blurhash,
    )


async def _fail(session: WriteSession, media_id: int, reason: str) -> None:
    await session.execute(_FAIL, of_id=media_id, reason=reason)
    wake(session, TOPIC)
