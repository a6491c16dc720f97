"""Changes what is said about an upload that is not posted yet: description, focus, preview."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.files import defer_deletion
from phiomia.domain.media.kinds import MediaState
from phiomia.domain.media.models import media
from phiomia.domain.media.process import FAILURES, focus_meta, picture_meta, preview_of
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
    meta = decode(meta) | focus_meta(change.focus)
    if change.preview is not None:
        if state != MediaState.READY:
            raise Invalid("Validation failed: File is still being processed")
        await defer_deletion(session, preview_key)
        preview_key = change.preview.key
        meta["small"] = picture_meta(change.preview.picture)
    await session.execute(
        _UPDATE,
        of_id=media_id,
        text=change.text if change.describes else text,
        new_meta=encode(meta),
        new_preview_key=preview_key,
    )


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
