"""Pictures that members give attachments as previews, stored while it is not yet sure that they stay."""

import asyncio
import base64
import binascii
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from phiomia.api.context import Api
from phiomia.domain.errors import Invalid
from phiomia.domain.media.describe import Preview, store_preview
from phiomia.domain.media.upload import check_picture

# What Mastodon takes for a file inside JSON.
_DATA: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/=\s]*)")


@asynccontextmanager
async def stored_previews(api: Api, pictures: Mapping[int, tuple[Path, str]]) -> AsyncIterator[dict[int, Preview]]:
    """Previews of files with their declared types, by the media they are for; an error takes them back.

    Raises Invalid.
    """
    stored: dict[int, Preview] = {}
    try:
        for media_id, (path, declared) in pictures.items():
            check_picture(path, declared)
            stored[media_id] = await store_preview(api.storage, api.temporary, media_id, path)
        yield stored
    except Exception:
        for preview in stored.values():
            await api.storage.delete(preview.key)
        raise


@asynccontextmanager
async def previews_of_data(api: Api, data: Mapping[int, str]) -> AsyncIterator[dict[int, Preview]]:
    """The same of `data:` URLs (RFC 2397) with base64. Raises Invalid."""
    if not data:
        yield {}
        return
    with tempfile.TemporaryDirectory(dir=api.temporary, prefix="previews-") as folder:
        pictures: dict[int, tuple[Path, str]] = {}
        for media_id, url in data.items():
            declared, content = _read_data(url)
            path = Path(folder, str(media_id))
            await asyncio.to_thread(path.write_bytes, content)
            pictures[media_id] = path, declared
        async with stored_previews(api, pictures) as stored:
            yield stored


def _read_data(url: str) -> tuple[str, bytes]:
    found = _DATA.fullmatch(url)
    try:
        if found is not None:
            return found[1], base64.b64decode(found[2])
    except binascii.Error:
        pass
    raise Invalid("Validation failed: Thumbnail is not a data URL with base64")
