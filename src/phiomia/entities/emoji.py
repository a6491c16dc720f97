"""The entity CustomEmoji."""

from typing import Any

from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.media.proxied import RemoteKind
from phiomia.entities.links import Links


def render_emoji(view: EmojiView, links: Links) -> dict[str, Any]:
    """A custom emoji."""
    there = view.image_remote_url
    emoji: dict[str, Any] = {
        "shortcode": view.shortcode,
        "url": links.elsewhere(RemoteKind.EMOJI, view.id, there) or view.url,
        "static_url": links.elsewhere(RemoteKind.EMOJI, view.id, there, "small") or view.static_url,
        "visible_in_picker": bool(view.visible_in_picker),
    }
    if view.category:
        emoji["category"] = view.category
    return emoji
