"""Media: https://docs.joinmastodon.org/methods/media/"""

import asyncio
import time

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.params import Upload
from phiomia.api.previews import stored_previews
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.media.describe import Description, describe_media
from phiomia.domain.media.discard import discard_media
from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.process import TOPIC
from phiomia.domain.media.queries import load_own_media
from phiomia.domain.media.sources import forget_sources
from phiomia.domain.media.upload import (
    NewMedia,
    check_picture,
    check_upload,
    clean_description,
    create_media,
    keep_source,
    parse_focus,
)
from phiomia.domain.media.views import MediaView
from phiomia.entities.media_attachment import render_media
from phiomia.platform import limits
from phiomia.platform.ids import new_id

_SOON_SECONDS = 1.0
_LONG_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class MediaParams(msgspec.Struct, kw_only=True):
    """What may be said about an upload."""

    description: str | None = None
    focus: str | None = None


@endpoint(
    "POST",
    "/api/v2/media",
    scopes=("write:media",),
    returns="entity:MediaAttachment",
    rate="media",
    upload_bytes=limits.VIDEO_BYTES,
)
async def upload(call: Call, params: MediaParams) -> object:
    """Takes an upload; 202 when it is not decoded yet."""
    return _show(call, await _wait(call, await _take(call, params), _SOON_SECONDS), unfinished=202)


@endpoint(
    "POST",
    "/api/v1/media",
    scopes=("write:media",),
    returns="entity:MediaAttachment",
    rate="media",
    upload_bytes=limits.VIDEO_BYTES,
)
async def upload_and_wait(call: Call, params: MediaParams) -> object:
    """Takes an upload and answers when it is decoded."""
    return _show(call, await _wait(call, await _take(call, params), _LONG_SECONDS), unfinished=202)


@endpoint("GET", "/api/v1/media/:id", scopes=("write:media",), returns="entity:MediaAttachment")
async def media(call: Call, params: None) -> object:
    """An upload that is not posted yet; 206 while it is being decoded."""
    return _show(call, await _load(call, call.id), unfinished=206)


@endpoint(
    "PUT",
    "/api/v1/media/:id",
    scopes=("write:media",),
    returns="entity:MediaAttachment",
    upload_bytes=limits.IMAGE_BYTES,
)
async def describe(call: Call, params: MediaParams) -> object:
    """Changes description, focus or preview of an upload that is not posted yet."""
    media_id = call.id
    await _load(call, media_id)
    text, focus = clean_description(params.description), parse_focus(params.focus)
    thumbnail = _file(call, "thumbnail")
    given = {} if thumbnail is None else {media_id: (thumbnail.path, thumbnail.content_type)}
    async with stored_previews(call.api, given) as previews:
        change = Description(params.description is not None, text, focus, previews.get(media_id))
        await call.api.db.write(lambda session: describe_media(session, call.actor, media_id, change))
    return _show(call, await _load(call, media_id), unfinished=206)


@endpoint(
    "PATCH",
    "/api/v1/media/:id",
    scopes=("write:media",),
    returns="entity:MediaAttachment",
    upload_bytes=limits.IMAGE_BYTES,
)
async def describe_too(call: Call, params: MediaParams) -> object:
    """The same as PUT."""
    return await describe(call, params)


@endpoint("DELETE", "/api/v1/media/:id", scopes=("write:media",), returns="empty")
async def discard(call: Call, params: None) -> bytes:
    """Removes an upload that is not posted."""
    media_id = call.id
    await call.api.db.write(lambda session: discard_media(session, call.actor, media_id))
    await asyncio.to_thread(forget_sources, call.api.temporary, media_id)
    return b"{}"


async def _take(call: Call, params: MediaParams) -> int:
    """Keeps the upload and notes it, so that nothing is lost from here on; gives its id."""
    file = _file(call, "file")
    if file is None:
        message = "File can't be blank"
        raise Invalid(f"Validation failed: {message}", {"file": [("ERR_BLANK", message)]})
    thumbnail = _file(call, "thumbnail")
    kind = check_upload(file.path, file.content_type)
    if thumbnail is not None:
        check_picture(thumbnail.path, thumbnail.content_type)
    for given in (thumbnail, file if kind == MediaKind.IMAGE else None):
        if given is not None and given.size > limits.IMAGE_BYTES:
            raise ApiError(413, f"The picture is larger than {limits.IMAGE_BYTES} bytes")
    new = NewMedia(
        account_id=call.actor,
        kind=kind,
        content_type=file.content_type,
        size=file.size,
        description=clean_description(params.description),
        focus=parse_focus(params.focus),
    )
    media_id, temporary = new_id(), call.api.temporary
    await asyncio.to_thread(keep_source, temporary, media_id, file.path, thumbnail.path if thumbnail else None)
    try:
        await call.api.db.write(lambda session: create_media(session, media_id, new))
    except Exception:
        forget_sources(temporary, media_id)
        raise
    return media_id


def _file(call: Call, name: str) -> Upload | None:
    """A file of the form; browsers send an unnamed empty one for a field that was left alone."""
    file = call.form.files.get(name) if call.form else None
    return None if file is None or (not file.filename and not file.size) else file


async def _wait(call: Call, media_id: int, seconds: float) -> MediaView:
    """The upload when it is decoded, or as it stands after some seconds."""
    news = asyncio.Event()
    stop_listening = call.api.bus.subscribe(TOPIC, lambda _payload: news.set())
    end = time.monotonic() + seconds
    try:
        while True:
            news.clear()
            view = await _find(call, media_id)
            left = end - time.monotonic()
            if view.state != MediaState.PROCESSING or left <= 0:
                return view
            try:
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await news.wait()
            except TimeoutError:
                continue
    finally:
        stop_listening()


async def _load(call: Call, media_id: int) -> MediaView:
    view = await _find(call, media_id)
    if view.status_id is not None:
        raise NotFound
    return view


async def _find(call: Call, media_id: int) -> MediaView:
    async with call.api.db.read() as session:
        return await load_own_media(session, call.actor, media_id)


def _show(call: Call, view: MediaView, *, unfinished: int) -> object:
    if view.state == MediaState.FAILED:
        raise ApiError(422, view.failure)
    if view.state == MediaState.PROCESSING:
        call.resp.status = unfinished
    return render_media(view, call.api.fragments.links)
