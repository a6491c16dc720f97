"""Pictures: of an account, and those attached to a status."""

from typing import Any, Final

from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.views import MediaView
from phiomia.entities.links import Links
from phiomia.platform.json import decode

# The machine's own table differs between systems and does not know all of these.
_TYPES: Final = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "png": "image/png",
    "webm": "video/webm",
    "webp": "image/webp",
}
_USUAL: Final = {
    MediaKind.IMAGE: "image/jpeg",
    MediaKind.GIFV: "video/mp4",
    MediaKind.VIDEO: "video/mp4",
    MediaKind.AUDIO: "audio/mpeg",
}


def guess_type(name: str, otherwise: str) -> str:
    """The media type that the ending of a name or address stands for."""
    return _TYPES.get(name.partition("?")[0].rpartition(".")[2].lower(), otherwise)


def render_picture(key: str, description: str, links: Links) -> dict[str, Any]:
    """The avatar or header of an account."""
    picture = {"type": "Image", "mediaType": guess_type(key, "image/jpeg"), "url": links.media(key)}
    return picture | {"summary": description} if description else picture


def render_attachment(view: MediaView, content_type: str, links: Links) -> dict[str, Any] | None:
    """An attachment with size and focus; None while there is no file."""
    if view.state != MediaState.READY or not view.key:
        return None
    meta: dict[str, Any] = decode(view.meta)
    original = meta.get("original") or {}
    attachment: dict[str, Any] = {
        "type": "Document",
        "mediaType": guess_type(view.key, content_type or _USUAL.get(MediaKind(view.kind), "application/octet-stream")),
        "url": links.media(view.key),
        "name": view.description,
    }
    if view.blurhash:
        attachment["blurhash"] = view.blurhash
    if focus := meta.get("focus"):
        attachment["focalPoint"] = [focus["x"], focus["y"]]
    attachment |= {name: original[name] for name in ("width", "height") if original.get(name)}
    if seconds := original.get("duration"):
        attachment["duration"] = f"PT{seconds:g}S"
    if view.kind != MediaKind.IMAGE and view.preview_key:
        preview = guess_type(view.preview_key, "image/png")
        attachment["icon"] = {"type": "Image", "mediaType": preview, "url": links.media(view.preview_key)}
    return attachment
