"""Takes an upload in: checked at a glance, kept in a file that survives us, noted with the job that will decode it."""

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from phiomia.domain.errors import Invalid
from phiomia.domain.media.jobs import ProcessFilm, ProcessMedia
from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.models import media
from phiomia.domain.media.process import focus_meta
from phiomia.domain.media.sources import source_of, thumbnail_of
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession, insert_into
from phiomia.platform.jail.sniff import SNIFFED_BYTES, sniff_film, sniff_format
from phiomia.platform.jobs.defer import defer
from phiomia.platform.json import encode
from phiomia.platform.limits import AUDIO_TYPES, IMAGE_TYPES, MEDIA_DESCRIPTION, VIDEO_TYPES

INVALID_TYPE: Final = "Validation failed: File content type is invalid"
# In a form, text/plain stands for a part whose type nobody gave (RFC 7578, section 4.4).
_UNTOLD: Final = ("", "application/octet-stream", "binary/octet-stream", "text/plain")
_ALIASES: Final = (
    "image/jpg",
    "image/pjpeg",
    "image/x-png",
    "image/heic-sequence",
    "image/heif-sequence",
)
_FILM_ALIASES: Final = (
    *("video/x-m4v", "video/3gpp", "video/x-matroska", "application/ogg", "application/mp4"),
    *("audio/x-flac", "audio/aacp", "audio/x-aac", "audio/opus", "audio/x-ms-wma", "audio/mpeg3", "audio/x-mpeg-3"),
)
_SOUNDS: Final = ("mp3", "wav", "flac", "aac", "asf")


class NewMedia(msgspec.Struct, frozen=True):
    """What somebody uploads, beside the file."""

    account_id: int
    kind: MediaKind = MediaKind.IMAGE
    content_type: str = ""
    size: int = 0
    description: str | None = None
    focus: tuple[float, float] | None = None


_INSERT = insert_into(
    media, "id", "account_id", "kind", "state", "content_type", "bytes", "meta", "description", "created_at"
)


def check_picture(path: Path, declared: str) -> None:
    """Refuses what is clearly no picture that we decode. Raises Invalid."""
    if check_upload(path, declared) != MediaKind.IMAGE:
        raise Invalid(INVALID_TYPE)


def check_upload(path: Path, declared: str) -> MediaKind:
    """What a file seems to be: a picture, a film or a sound. Refuses what is clearly none of them. Raises Invalid.

    The bytes decide: clients often name one format and send another of the same family, but what calls itself
    anything else is refused.
    """
    with open(path, "rb") as file:
        head = file.read(SNIFFED_BYTES)
    if not head:
        raise Invalid("Validation failed: File is empty")
    kind = declared.partition(";")[0].strip().lower()
    if sniff_format(head) is not None:
        if kind in (*_UNTOLD, *IMAGE_TYPES, *_ALIASES):
            return MediaKind.IMAGE
    elif (film := sniff_film(head)) is not None and kind in (*_UNTOLD, *VIDEO_TYPES, *AUDIO_TYPES, *_FILM_ALIASES):
        sounds = film in _SOUNDS or kind.startswith("audio/")
        return MediaKind.AUDIO if sounds else MediaKind.VIDEO
    raise Invalid(INVALID_TYPE)


def clean_description(text: str | None) -> str | None:
    """The description as it is kept. Raises Invalid."""
    description = (text or "").strip()
    if len(description) > MEDIA_DESCRIPTION:
        raise Invalid(f"Validation failed: Description is too long (maximum is {MEDIA_DESCRIPTION} characters)")
    return description or None


def parse_focus(text: str | None) -> tuple[float, float] | None:
    """The point "x,y" that matters most, each axis from -1 to 1. Raises Invalid."""
    if text is None or not text.strip():
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise Invalid("Validation failed: Focus must be two numbers with a comma between them") from None
    if not (-1 <= x <= 1 and -1 <= y <= 1):
        raise Invalid("Validation failed: Focus must lie between -1.0 and 1.0 on both axes")
    return x, y


def keep_source(temporary: Path, media_id: int, file: Path, thumbnail: Path | None = None) -> None:
    """Moves the uploaded files to where the job looks for them; they survive a power cut from then on. Blocks."""
    source_of(temporary, media_id).parent.mkdir(parents=True, exist_ok=True)
    if thumbnail is not None:
        _move(thumbnail, thumbnail_of(temporary, media_id))
    _move(file, source_of(temporary, media_id))


async def create_media(session: WriteSession, media_id: int, new: NewMedia) -> None:
    """Notes an upload whose source is kept, and lets it be decoded."""
    await session.execute(
        _INSERT,
        id=media_id,
        account_id=new.account_id,
        kind=int(new.kind),
        state=int(MediaState.PROCESSING),
        content_type=new.content_type[:100],
        bytes=new.size,
        meta=encode(focus_meta(new.focus)),
        description=new.description,
        created_at=now_ms(),
    )
    await defer(session, ProcessMedia(media_id) if new.kind == MediaKind.IMAGE else ProcessFilm(media_id))


def _move(source: Path, target: Path) -> None:
    with open(source, "rb") as file:
        os.fsync(file.fileno())
    shutil.move(source, target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
