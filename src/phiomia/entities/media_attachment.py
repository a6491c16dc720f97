"""The entity MediaAttachment."""

from typing import Any

from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.proxied import RemoteKind
from phiomia.domain.media.views import MediaView
from phiomia.entities.links import Links
from phiomia.platform.json import decode


def render_media(view: MediaView, links: Links) -> dict[str, Any]:
    """An attachment; without addresses until it is ready."""
    ready = view.state == MediaState.READY
    is_proxied = ready and not view.key
    there = links.elsewhere(RemoteKind.ATTACHMENT, view.id, view.remote_url) if is_proxied else view.remote_url
    return {
        "id": str(view.id),
        "type": MediaKind(view.kind).name.lower(),
        "url": links.media(view.key) if ready and view.key else there or None,
        "preview_url": links.media(view.preview_key) if ready and view.preview_key else _preview_elsewhere(view, links),
        "remote_url": view.remote_url,
        "preview_remote_url": view.remote_preview_url or None,
        "text_url": None,
        "meta": decode(view.meta) if view.meta != "{}" else None,
        "description": view.description,
        "blurhash": view.blurhash,
    }


def _preview_elsewhere(view: MediaView, links: Links) -> str | None:
    if view.remote_preview_url:
        return links.elsewhere(RemoteKind.PREVIEW, view.id, view.remote_preview_url, "small")
    if view.kind != MediaKind.IMAGE or view.key:
        return None
    return links.elsewhere(RemoteKind.ATTACHMENT, view.id, view.remote_url, "small") or None
