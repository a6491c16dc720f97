"""Changes what is said about an upload, before it is posted or by an edit: description, focus, preview."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select, update

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.files import defer_deletion
from phiomia.domain.media.kinds import MediaState
from phiomia.domain.media.models import media
from phiomia.domain.media.process import FAILURES, focus_meta, picture_meta, preview_of
from phiomia.domain.media.views import MediaView
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import JailError, Picture
from phiomia.platform.json import decode, encode
from phiomia.platform.storage import Storage, media_key


class Preview(NamedTuple):
    """A stored preview."""

    key: str
    picture: Picture


class Description(NamedTuple):
    """What shall change. `describes` tells that `text` was given, since no text is a text too."""

    describes: bool = False
    text: str | None = None
    focus: tuple[float, float] | None = None
    preview: Preview | None = None


class _Said(NamedTuple):
    """What is said so far."""

    state: int
    text: str | None
    meta: dict[str, Any]
    preview_key: str


_OWN = Query(
    select(media.c.state, media.c.description, media.c.meta, media.c.preview_key)
    .where(media.c.id == P("id"), media.c.account_id == P("account"), media.c.status_id.is_(None))
    .with_for_update()
)
_UPDATE = Query(
    update(media)
    .where(media.c.id == P("of_id"))
    .values(description=P("text", str), meta=P("new_meta", str), preview_key=P("new_preview_key", str))
)


async def describe_media(session: WriteSession, account_id: int, media_id: int, change: Description) -> None:
    """Changes an upload of the account. Raises NotFound, also for what is posted already; Invalid."""
    row = await session.one(_OWN, id=media_id, account=account_id)
    if row is None:
        raise NotFound
    state, text, meta, preview_key = row
    await _write(session, media_id, _Said(state, text, decode(meta), preview_key), change)


async def describe_attached(session: WriteSession, view: MediaView, change: Description) -> bool:
    """The same for what is attached already; False if nothing is different then. Raises Invalid."""
    said = _Said(view.state, view.description, decode(view.meta), view.preview_key)
    return await _write(session, view.id, said, change)


async def _write(session: WriteSession, media_id: int, said: _Said, change: Description) -> bool:
    meta, preview_key = said.meta | focus_meta(change.focus), said.preview_key
    if change.preview is not None:
        if said.state != MediaState.READY:
            raise Invalid("Validation failed: File is still being processed")
        await defer_deletion(session, preview_key)
        preview_key = change.preview.key
        meta["small"] = picture_meta(change.preview.picture)
    text = change.text if change.describes else said.text
    if (text, meta, preview_key) == (said.text, said.meta, said.preview_key):
        return False
    await session.execute(_UPDATE, of_id=media_id, text=text, new_meta=encode(meta), new_preview_key=preview_key)
    return True


async def store_preview(storage: Storage, temporary: Path, media_id: int, source: Path) -> Preview:
    """Decodes and stores a picture as the preview of an upload. Raises Invalid."""
    with tempfile.TemporaryDirectory(dir=temporary, prefix="decoding-") as out_dir:
        try:
            picture = preview_of(await process_image(source, kind="attachment", out_dir=Path(out_dir)))
        except JailError as error:
            raise Invalid(FAILURES[error.reason].replace("File", "Thumbnail")) from None
        key = media_key("attachment", media_id, "small", picture.extension)
        await storage.put(key, picture.path, picture.content_type)
    return Preview(key, picture)
