"""Attachments: what each server calls a picture, a film or a sound."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from phiomia.domain.media.kinds import MediaKind
from phiomia.domain.media.remote import RemoteMedia
from phiomia.federation.parse.addresses import Link, links
from phiomia.federation.parse.pictures import parse_picture
from phiomia.federation.parse.values import Document, natural, objects, types, words
from phiomia.platform.limits import MEDIA_DESCRIPTION, REMOTE_MEDIA

_READ: Final = 4 * REMOTE_MEDIA
_BLURHASH: Final = re.compile(r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,200}")
_DURATION: Final = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,7}(?:\.\d{1,9})?)S)?")
_MEDIA: Final = frozenset({"Document", "Image", "Video", "Audio"})
_BY_MEDIA_TYPE: Final = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
_BY_TYPE: Final = {"Image": MediaKind.IMAGE, "Video": MediaKind.VIDEO, "Audio": MediaKind.AUDIO}
_BY_ENDING: Final = {
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "jxl"), MediaKind.IMAGE),
    **dict.fromkeys(("mp4", "webm", "mov", "m4v", "mkv"), MediaKind.VIDEO),
    **dict.fromkeys(("mp3", "ogg", "oga", "opus", "wav", "flac", "m4a", "aac"), MediaKind.AUDIO),
}


def parse_attachments(value: Any) -> list[RemoteMedia]:
    """The attachments that can be shown, up to a number; each address once."""
    found: dict[str, RemoteMedia] = {}
    for one in objects(value, _READ):
        for draft in _read(one):
            if len(found) < REMOTE_MEDIA:
                found.setdefault(draft.url, draft)
    return list(found.values())


def _read(one: Document) -> Iterator[RemoteMedia]:
    kinds = types(one)
    link = _choose_link(one)
    if link is None:
        return
    declared = words(one.get("mediaType"), 200).lower() or link.media_type
    kind = _BY_MEDIA_TYPE.get(declared.partition("/")[0], MediaKind.UNKNOWN)
    # A link is shown as an attachment only if it says to be a picture, film or sound.
    if kind == MediaKind.UNKNOWN and kinds.isdisjoint(_MEDIA):
        return
    preview = parse_picture(one.get("icon") or one.get("preview"))
    yield RemoteMedia(
        url=link.href,
        kind=kind if kind != MediaKind.UNKNOWN else _guess_kind(kinds, link.href),
        preview_url=preview.url,
        content_type=declared,
        description=words(one.get("summary") or one.get("name"), MEDIA_DESCRIPTION).strip() or None,
        blurhash=_read_blurhash(one.get("blurhash")),
        meta=_read_meta(one, link),
    )


def _choose_link(one: Document) -> Link | None:
    found = [*links(one.get("url")), *links({"href": one.get("href")})]
    shown = (link for link in found if link.media_type.partition("/")[0] in _BY_MEDIA_TYPE)
    return next(shown, None) or next(iter(found), None)


def _guess_kind(kinds: frozenset[str], url: str) -> MediaKind:
    for name, kind in _BY_TYPE.items():
        if name in kinds:
            return kind
    return _BY_ENDING.get(urlsplit(url).path.rpartition(".")[2].lower(), MediaKind.UNKNOWN)


def _read_blurhash(value: Any) -> str | None:
    return value if isinstance(value, str) and _BLURHASH.fullmatch(value) else None


def _read_meta(one: Document, link: Link) -> dict[str, dict[str, float | str]]:
    meta: dict[str, dict[str, float | str]] = {}
    width = natural(one.get("width")) or link.width
    height = natural(one.get("height")) or link.height
    if width and height:
        meta["original"] = {
            "width": width,
            "height": height,
            "size": f"{width}x{height}",
            "aspect": round(width / height, 6),
        }
    duration = _read_duration(one.get("duration"))
    if duration:
        meta.setdefault("original", {})["duration"] = duration
    focus = one.get("focalPoint")
    if isinstance(focus, list) and len(focus) == 2 and all(map(_is_coordinate, focus)):
        meta["focus"] = {"x": float(focus[0]), "y": float(focus[1])}
    return meta


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1


def _read_duration(value: Any) -> float | None:
    seconds = natural(value)
    if seconds is not None:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and len(value) < 64 else None
    if match is None:
        return None
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest
