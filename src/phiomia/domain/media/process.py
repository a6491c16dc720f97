"""Decodes an upload in the jail and stores what may be shown. May run again at any point: it then begins anew."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import select, update

from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.models import media
from phiomia.domain.media.sources import forget_sources, is_kept, source_of, thumbnail_of
from phiomia.platform.db import Database, P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import Film, ImageResult, JailError, Picture, Reason
from phiomia.platform.jobs.defer import wake
from phiomia.platform.json import decode, encode
from phiomia.platform.limits import VIDEO_FRAME_RATE
from phiomia.platform.storage import Storage, media_key

TOPIC: Final = "media"
KINDS: Final = {"video": MediaKind.VIDEO, "gifv": MediaKind.GIFV, "audio": MediaKind.AUDIO}
LOST: Final = "Validation failed: File was lost before it could be processed"
FAILURES: Final[dict[Reason, str]] = {
    "unsupported_type": "Validation failed: File content type is invalid",
    "too_many_pixels": "Validation failed: File has too many pixels",
    "too_many_layers": "Validation failed: File has too many tracks",
    "too_large": "Validation failed: File is too large",
    "too_long": "Validation failed: File lasts too long",
    "too_fast": f"Validation failed: File has more than {VIDEO_FRAME_RATE} frames a second",
    "as_it_is": "Validation failed: File can't be processed",
    "corrupt": "Validation failed: File is damaged",
    "timeout": "Validation failed: File takes too long to process",
    "crashed": "Validation failed: File can't be processed",
}

_STATE = Query(select(media.c.state, media.c.key, media.c.preview_key).where(media.c.id == P("id")))
_META = Query(select(media.c.meta).where(media.c.id == P("id")).with_for_update())
_FOUND: Final = ("kind", "content_type", "bytes", "preview_bytes", "meta", "blurhash")
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
        **{name: column_parameter(media, name) for name in _FOUND},
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
    film: Film | None
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
    # A picture that moves stands still as a preview.
    preview = preview_of(own or result)
    return Pictures(
        result.original,
        preview,
        result.blurhash,
        result.film,
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


def film_meta(film: Film, size: Picture) -> dict[str, Any]:
    """What the entity shows of a film or sound, beside its preview."""
    seconds = film.seconds
    original: dict[str, Any] = {"duration": seconds, "bitrate": film.bitrate}
    meta: dict[str, Any] = {"length": _write_length(seconds), "duration": seconds, "original": original}
    if film.audio_codec:
        meta |= {"audio_encode": film.audio_codec, "audio_bitrate": f"{film.audio_rate} Hz"}
        meta["audio_channels"] = film.audio_channels
    if film.kind == "audio":
        return meta
    numerator, _, denominator = film.frame_rate.partition("/")
    fps = round(int(numerator) / max(int(denominator), 1))
    original |= {"width": size.width, "height": size.height, "frame_rate": film.frame_rate}
    return meta | {"fps": fps, **picture_meta(size)}


def _write_length(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 360_000}:{hundredths // 6_000 % 60:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def focus_meta(focus: tuple[float, float] | None) -> dict[str, Any]:
    """The focus as the entity shows it; nothing when there is none."""
    return {} if focus is None else {"focus": {"x": focus[0], "y": focus[1]}}


async def _reserve(session: WriteSession, media_id: int, made: Pictures) -> int:
    # Noted before they are written: should we be killed in between, the next run finds and removes them.
    return await session.execute(_RESERVE, of_id=media_id, new_key=made.key, new_preview_key=made.preview_key)


async def _finish(session: WriteSession, media_id: int, made: Pictures) -> int:
    meta = decode(await session.value(_META, id=media_id) or "{}")
    shown = film_meta(made.film, made.original) if made.film else {"original": picture_meta(made.original)}
    meta |= {**shown, "small": picture_meta(made.preview)}
    wake(session, TOPIC)
    return await session.execute(
        _READY,
        of_id=media_id,
        kind=int(KINDS[made.film.kind] if made.film else MediaKind.IMAGE),
        content_type=made.original.content_type,
        bytes=made.original.bytes,
        preview_bytes=made.preview.bytes,
        meta=encode(meta),
        blurhash=made.blurhash,
    )


async def _fail(session: WriteSession, media_id: int, reason: str) -> None:
    await session.execute(_FAIL, of_id=media_id, reason=reason)
    wake(session, TOPIC)
